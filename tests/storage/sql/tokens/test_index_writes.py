"""What a write touches of PostgreSQL's indexes: each of them is written anew with a row that moves."""

from dataclasses import replace

import pytest
from sqlalchemy import text

from storage.sql.tokens.statements import Statements
from storage.sql.tokens.store import SqlTokenStore
from storage.testing import a_grant

COUNT = 300
#: A page holds about a dozen users.
USERS_BETWEEN = 30


@pytest.fixture
def database(postgresql_database):
    with postgresql_database.engine.begin() as connection:
        connection.execute(text("TRUNCATE authorizations"))
    return postgresql_database


def save(database, **changes):
    grants = [replace(a_grant(f"o-{number:04}"), code_digest=None, **changes) for number in range(COUNT)]
    SqlTokenStore(database).save(grants)


def size_of(database, index):
    statement = text("SELECT pg_relation_size(CAST(:index AS regclass))")
    return database.read(lambda connection: connection.scalar(statement, {"index": index}))


def test_a_lease_is_written_into_no_index(database):
    save(database)
    lease = Statements(database.dialect).claim_user
    written = text(
        "SELECT pg_stat_get_xact_tuples_updated(c), pg_stat_get_xact_tuples_hot_updated(c) "
        "FROM CAST('authorizations' AS regclass) AS c"
    )
    users = [f"o-{number:04}" for number in range(0, COUNT, USERS_BETWEEN)]
    with database.engine.begin() as connection:
        for openid in users:
            values = {"the_appid": a_grant().appid, "the_openid": openid, "the_owner": "me", "the_ttl": 60}
            assert connection.execute(lease, values).rowcount == 1
        assert tuple(connection.execute(written).one()) == (len(users), len(users))


@pytest.mark.parametrize("index", ["ix_authorizations_unionid", "ix_authorizations_nickname_id"])
def test_users_who_log_in_silently_are_not_written_into_the_indexes_of_profiles(database, index):
    empty = size_of(database, index)
    save(database, unionid=None)
    assert size_of(database, index) == empty
    assert size_of(database, "ix_authorizations_scope_id") > empty


def test_users_without_a_next_refresh_are_not_written_into_the_index_of_what_is_due(database):
    empty = size_of(database, "ix_authorizations_appid_next_refresh_at_id")
    save(database, next_refresh_at=None)
    assert size_of(database, "ix_authorizations_appid_next_refresh_at_id") == empty
