from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.base.errors import InvalidRecord
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
