import pytest
from sqlalchemy import text

from storage.base.errors import InvalidRecord
from storage.sql.accounts.api_keys import ApiKey, ApiKeys

NOW = 1_800_000_000


@pytest.fixture
def keys(database):
    return ApiKeys(database)


def test_key_is_known_by_its_name(keys):
    key = keys.add("billing", NOW)
    assert key.startswith("wok_")
    assert keys.verify(key, NOW) == "billing"


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
    assert (keys.verify(first, NOW), keys.verify(second, NOW)) == ("first", "second")


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
