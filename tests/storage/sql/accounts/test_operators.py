from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import text

from storage.base.errors import InvalidRecord, StorageError
from storage.sql.accounts.audit import AuditLog, AuditQuery, NewAuditEntry
from storage.sql.accounts.operators import Operators, Role

NOW = 1_800_000_000


@pytest.fixture
def operators(any_database):
    return Operators(any_database)


def names(operators):
    return [operator.name for operator in operators.list()]


def test_an_operator_is_found_with_the_hash_of_the_password(operators):
    operators.add("ada", "a hash", Role.OWNER, NOW)
    operator, password_hash = operators.find("ada")
    assert password_hash == "a hash"
    assert (operator.name, operator.role, operator.created_at, operator.disabled_at) == ("ada", Role.OWNER, NOW, None)
    assert "a hash" not in repr(operators.list())


def test_a_name_is_exact_and_taken_once(operators):
    operators.add("ada", "a hash", Role.OWNER, NOW)
    operators.add("Ada", "a hash", Role.VIEWER, NOW)
    assert operators.find("ADA") is None
    with pytest.raises(InvalidRecord, match="'ada'"):
        operators.add("ada", "a hash", Role.OWNER, NOW)


def test_a_name_is_plain(operators, subtests):
    for name in ["", "two words", "a\nb", "<b>", "n" * 65, "a\n"]:
        with subtests.test(name=name), pytest.raises(InvalidRecord, match="letters, digits"):
            operators.add(name, "a hash", Role.OWNER, NOW)


def test_operators_are_listed_by_name(operators):
    for name in ("zoe", "ada"):
        operators.add(name, "a hash", Role.OWNER, NOW)
    assert names(operators) == ["ada", "zoe"]


def test_a_password_is_replaced(operators):
    operators.add("ada", "a hash", Role.OWNER, NOW)
    assert operators.set_password("ada", "another hash", NOW + 5) is True
    operator, password_hash = operators.find("ada")
    assert (password_hash, operator.password_changed_at) == ("another hash", NOW + 5)


def test_a_change_to_nobody_is_false(operators):
    operators.add("ada", "a hash", Role.OWNER, NOW)
    assert operators.set_password("eve", "a hash", NOW) is False
    assert operators.set_role("eve", Role.VIEWER) is False
    assert operators.disable("eve", NOW) is False
    assert operators.enable("eve") is False


def test_the_last_owner_cannot_be_lost(operators):
    operators.add("ada", "a hash", Role.OWNER, NOW)
    operators.add("bob", "a hash", Role.OWNER, NOW)
    operators.disable("bob", NOW)
    for lose in (lambda: operators.set_role("ada", Role.OPERATOR), lambda: operators.disable("ada", NOW)):
        with pytest.raises(InvalidRecord, match="ada is the last owner"):
            lose()
    operators.enable("bob")
    assert operators.set_role("ada", Role.OPERATOR) is True


def test_two_owners_cannot_demote_one_another_at_once(operators):
    operators.add("ada", "a hash", Role.OWNER, NOW)
    operators.add("bob", "a hash", Role.OWNER, NOW)

    def demote(name):
        try:
            return operators.set_role(name, Role.VIEWER)
        except InvalidRecord:
            return None

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(demote, ["ada", "bob"]), key=str) == [None, True]


@pytest.mark.parametrize(
    ("role", "covered"),
    [
        (Role.VIEWER, {Role.VIEWER}),
        (Role.OPERATOR, {Role.VIEWER, Role.OPERATOR}),
        (Role.OWNER, {Role.VIEWER, Role.OPERATOR, Role.OWNER}),
    ],
)
def test_a_role_covers_those_before_it(role, covered):
    assert {needed for needed in Role if role.covers(needed)} == covered


def test_a_renewed_hash_does_not_undo_a_change_of_password(operators):
    operators.add("ada", "the new one's", Role.OWNER, NOW)
    operators.renew_hash("ada", "the old one's", "the old one's, renewed")
    assert operators.find("ada")[1] == "the new one's"
    operators.renew_hash("ada", "the new one's", "the new one's, renewed")
    assert operators.find("ada")[1] == "the new one's, renewed"


def test_a_change_and_the_entry_that_tells_it_are_written_together_or_not_at_all(operators, any_database, subtests):
    def entry(action):
        return NewAuditEntry(at=NOW, operator="ada", action=action, result="success", subject="bob")

    changes = {
        "operator_add": lambda entry: operators.add("bob", "a hash", Role.VIEWER, NOW, entry=entry),
        "operator_role": lambda entry: operators.set_role("bob", Role.OPERATOR, entry=entry),
        "operator_password": lambda entry: operators.set_password("bob", "another", NOW + 1, entry=entry),
        "operator_disable": lambda entry: operators.disable("bob", NOW + 2, entry=entry),
        "operator_enable": lambda entry: operators.enable("bob", entry=entry),
    }
    operators.add("ada", "a hash", Role.OWNER, NOW)
    for action, change in changes.items():
        with subtests.test(action=action):
            before = operators.find("bob")
            with audit_log_away(any_database), pytest.raises(StorageError):
                change(entry(action))
            assert operators.find("bob") == before
            change(entry(action))
            assert operators.find("bob") != before
            assert AuditLog(any_database).page(AuditQuery(limit=1)).entries[0].action == action
    assert operators.set_role("nobody", Role.OWNER, entry=entry("operator_role")) is False
    assert len(AuditLog(any_database).page(AuditQuery()).entries) == len(changes)


@contextmanager
def audit_log_away(database):
    """Take the audit log's table away, so that no entry can be written."""
    database.write(lambda connection: connection.execute(text("ALTER TABLE audit_log RENAME TO audit_log_away")))
    yield
    database.write(lambda connection: connection.execute(text("ALTER TABLE audit_log_away RENAME TO audit_log")))
