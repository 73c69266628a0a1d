from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.base.errors import InvalidRecord
from storage.sql.accounts.audit import AuditLog, AuditQuery, NewAuditEntry
from storage.sql.accounts.operators import Operators, Role
from storage.sql.accounts.provider_operators import ProviderIdentity, ProviderOperators

NOW = 1_800_000_000
ISSUER = "https://login.example.com"
ADDED = NewAuditEntry(at=NOW, operator="(identity provider)", action="operator_add", result="success")
CHANGED = NewAuditEntry(at=NOW, operator="(identity provider)", action="operator_role", result="success")


@pytest.fixture
def operators(any_database):
    return Operators(any_database)


@pytest.fixture
def admit(any_database):
    provider = ProviderOperators(any_database)

    def admit(subject="s-1", name="ada", role=Role.OPERATOR, issuer=ISSUER):
        return provider.admit(ProviderIdentity(issuer, subject, name), role, NOW, added=ADDED, changed=CHANGED)

    return admit


def entries_in(database):
    return [(one.action, one.subject, dict(one.details)) for one in AuditLog(database).page(AuditQuery()).entries]


def test_a_person_gets_a_row_of_their_own_once(admit, operators, any_database):
    first = admit()
    assert (first.name, first.role, first.issuer, first.subject) == ("sso:ada", Role.OPERATOR, ISSUER, "s-1")
    assert admit(name="ada lovelace") == first, "a name that changes makes nobody else"
    assert [one.name for one in operators.list()] == ["sso:ada"]
    assert entries_in(any_database) == [("operator_add", "sso:ada", {"role": "operator"})]


@pytest.mark.attack(
    "operators' accounts",
    "who is called as an operator is called, at the company's provider",
    "signing in there to get into that operator's account",
    "a row of their own: nobody is matched by a name or an email address",
)
def test_nobody_is_matched_by_a_name(admit, operators):
    operators.add("ada", "a hash", Role.OWNER, NOW)
    first = admit(subject="s-1", role=Role.VIEWER)
    second = admit(subject="s-2", role=Role.VIEWER)
    third = admit(subject="s-1", role=Role.VIEWER, issuer="https://other.example.com")
    assert len({first.id, second.id, third.id, operators.find("ada")[0].id}) == 4
    assert (first.name, second.name[:8], third.name[:8]) == ("sso:ada", "sso:ada-", "sso:ada-")
    assert operators.find("ada")[0].role == Role.OWNER
    with pytest.raises(InvalidRecord, match="letters, digits"):
        operators.add("sso:ada-2", "a hash", Role.OWNER, NOW)


def test_the_role_follows_the_provider(admit, operators, any_database):
    admit(role=Role.OWNER)
    assert admit(role=Role.VIEWER).role == Role.VIEWER, "even the last owner's"
    assert entries_in(any_database)[0] == ("operator_role", "sso:ada", {"before": "owner", "after": "viewer"})


def test_who_is_disabled_stays_so(admit, operators, any_database):
    operators.add("ada", "a hash", Role.OWNER, NOW)
    operators.disable(admit().name, NOW)
    found = admit(role=Role.OWNER)
    assert (found.disabled_at, found.role) == (NOW, Role.OPERATOR)


def test_no_password_is_theirs(admit, operators):
    name = admit().name
    assert operators.find(name)[1] == ""
    with pytest.raises(InvalidRecord, match="identity provider"):
        operators.set_password(name, "a hash", NOW)
    assert operators.find(name)[1] == ""


def test_a_name_is_made_of_what_a_name_may_hold(admit, subtests):
    for number, (called, name) in enumerate(
        [
            ("Ada Lovelace", "sso:Ada-Lovelace"),
            ("ada@example.com", "sso:ada@example.com"),
            ("李雷", "sso:李雷"),
            ("<b>\n\0", "sso:b"),
            ("", "sso:user"),
            ("n" * 300, "sso:" + "n" * 60),
        ]
    ):
        with subtests.test(called=called):
            assert admit(subject=f"name {number}", name=called).name == name


def test_one_person_twice_at_once_is_one_row(admit, operators):
    def attempt(_):
        try:
            return admit().id
        except InvalidRecord:
            return None

    with ThreadPoolExecutor(4) as threads:
        ids = set(threads.map(attempt, range(8))) - {None}
    assert len(ids) == 1
    assert [one.name for one in operators.list()] == ["sso:ada"]
