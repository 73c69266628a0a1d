import pytest
from sqlalchemy import text

from storage.base.errors import InvalidRecord, StorageError
from storage.sql.accounts.api_keys import ApiKey, ApiKeys, KeyLimits, KeyRight
from storage.sql.accounts.audit import AuditLog, AuditQuery, NewAuditEntry

NOW = 1_800_000_000


@pytest.fixture
def keys(database):
    return ApiKeys(database)


def test_key_is_known_by_its_name(keys):
    key = keys.add("billing", NOW)
    assert key.startswith("wok_")
    assert keys.verify(key, NOW).name == "billing"


@pytest.mark.parametrize("wrong", ["", "wok_", "wok_" + "A" * 43, "某某", "\ud800"])
def test_any_other_text_is_no_key(keys, wrong):
    keys.add("billing", NOW)
    assert keys.verify(wrong, NOW) is None


def test_key_itself_is_not_stored(keys, database):
    key = keys.add("billing", NOW)
    rows = database.read(lambda connection: connection.execute(text("SELECT * FROM api_keys")).all())
    assert key not in repr(rows)
    assert key.removeprefix("wok_") not in repr(rows)


def test_two_keys_differ(keys):
    first, second = keys.add("first", NOW), keys.add("second", NOW)
    assert first != second
    assert [keys.verify(key, NOW).name for key in (first, second)] == ["first", "second"]


def test_revoked_key_is_refused_and_still_listed(keys):
    key = keys.add("billing", NOW)
    assert keys.revoke("billing", NOW + 5) is True
    assert keys.verify(key, NOW + 6) is None
    assert keys.list() == [ApiKey("billing", NOW, None, NOW + 5)]


def test_key_is_revoked_once(keys):
    keys.add("billing", NOW)
    assert keys.revoke("billing", NOW + 5) is True
    assert keys.revoke("billing", NOW + 6) is False
    assert keys.revoke("unknown", NOW) is False
    assert keys.list()[0].revoked_at == NOW + 5


def test_name_is_used_once_even_after_it_was_revoked(keys):
    keys.add("billing", NOW)
    with pytest.raises(InvalidRecord, match="'billing'"):
        keys.add("billing", NOW)
    keys.revoke("billing", NOW)
    with pytest.raises(InvalidRecord, match="'billing'"):
        keys.add("billing", NOW)


@pytest.mark.parametrize("name", ["", " ", "n" * 65])
def test_name_must_be_one_that_can_be_read(keys, name):
    with pytest.raises(InvalidRecord, match="1 to 64 characters"):
        keys.add(name, NOW)


def test_last_use_is_noted_once_a_minute(keys):
    key = keys.add("billing", NOW)
    noted = []
    for at in (NOW, NOW + 59, NOW + 60, NOW + 61):
        keys.verify(key, at)
        noted.append(keys.list()[0].last_used_at)
    assert noted == [NOW, NOW, NOW + 60, NOW + 60]


def test_keys_are_listed_in_the_order_they_were_made(keys):
    for name in ("zeta", "alpha"):
        keys.add(name, NOW)
    assert [key.name for key in keys.list()] == ["zeta", "alpha"]


def test_a_key_that_says_nothing_is_good_for_the_tokens_of_all_accounts_for_ever(keys):
    limits = keys.verify(keys.add("billing", NOW), NOW + 10**9).limits
    assert limits.admit("wx1", KeyRight.READ_TOKEN)
    assert not limits.admit("wx1", KeyRight.READ_USERS)
    assert limits.per_minute is None


def test_limits_are_kept_as_they_were_given(any_database):
    keys = ApiKeys(any_database)
    given = KeyLimits(frozenset({"wx1", "wx2"}), frozenset({KeyRight.READ_USERS}), NOW + 60, 100)
    key = keys.add("billing", NOW, given)
    assert keys.verify(key, NOW).limits == given
    assert keys.list()[0].limits == given
    assert given.admit("wx2", KeyRight.READ_USERS)
    assert not given.admit("wx3", KeyRight.READ_USERS)
    assert not given.admit("wx2", KeyRight.READ_TOKEN)


def test_a_key_ends_by_itself(keys):
    key = keys.add("billing", NOW, KeyLimits(expires_at=NOW + 60))
    assert keys.verify(key, NOW + 59) is not None
    assert keys.verify(key, NOW + 60) is None
    assert not keys.list()[0].is_active(NOW + 60)


@pytest.mark.parametrize(
    "limits",
    [
        KeyLimits(appids=frozenset()),
        KeyLimits(rights=frozenset()),
        KeyLimits(expires_at=NOW),
        KeyLimits(per_minute=0),
    ],
)
def test_a_key_that_would_be_good_for_nothing_is_not_made(keys, limits):
    with pytest.raises(InvalidRecord):
        keys.add("billing", NOW, limits)


def test_a_right_that_this_version_does_not_know_admits_nothing(keys, database):
    key = keys.add("billing", NOW)
    database.write(lambda connection: connection.execute(text("UPDATE api_keys SET rights = 'write-all'")))
    found = keys.verify(key, NOW)
    assert not any(found.limits.admit("wx1", right) for right in KeyRight)


def test_what_the_audit_log_says_is_written_together_with_the_key_or_not_at_all(any_database):
    keys, log = ApiKeys(any_database), AuditLog(any_database)

    def entry(action):
        return NewAuditEntry(at=NOW, operator="ada", action=action, result="success", subject="billing")

    keys.add("billing", NOW, None, entry("api_key_add"))
    keys.revoke("billing", NOW, entry("api_key_revoke"))
    assert keys.revoke("billing", NOW, entry("api_key_revoke")) is False
    with pytest.raises(InvalidRecord):
        keys.add("billing", NOW, None, entry("api_key_add"))
    written = [one.action for one in log.page(AuditQuery()).entries]
    assert sorted(written) == ["api_key_add", "api_key_revoke"]
    any_database.write(lambda connection: connection.execute(text("ALTER TABLE audit_log RENAME TO audit_log_away")))
    with pytest.raises(StorageError):
        keys.add("orders", NOW, None, entry("api_key_add"))
    any_database.write(lambda connection: connection.execute(text("ALTER TABLE audit_log_away RENAME TO audit_log")))
    assert [key.name for key in keys.list()] == ["billing"]
