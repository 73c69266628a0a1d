"""Transactions that a database gave up, or whose connection was lost: repeated where that is safe, and only there."""

import pytest
from sqlalchemy import insert, select, text

from storage.base.errors import StoreUnavailable
from storage.sql.core.dialects.mysql import MySQL
from storage.sql.core.engine import ATTEMPTS, Database
from storage.sql.core.schema import api_keys

NAMES = select(api_keys.c.name)
#: PostgreSQL raises whatever SQLSTATE it is asked to.
RAISE = "DO $$ BEGIN RAISE SQLSTATE '{}'; END $$"


def add(connection, name="a"):
    connection.execute(insert(api_keys).values(name=name, key_hash=name.encode(), created_at=0))


def failing(times, sqlstate):
    """Return work that adds a row and is given up so many times, and the list of its runs."""
    runs = []

    def work(connection):
        runs.append(connection)
        add(connection)
        if len(runs) <= times:
            connection.exec_driver_sql(RAISE.format(sqlstate))

    return work, runs


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
def test_transaction_given_up_for_another_is_repeated(postgresql_database, sqlstate):
    """CockroachDB asks for that by 40001, whatever the isolation level."""
    work, runs = failing(2, sqlstate)
    postgresql_database.write(work)
    assert len(runs) == 3
    assert postgresql_database.read(lambda connection: connection.scalars(NAMES).all()) == ["a"]


def test_transaction_given_up_at_its_commit_is_repeated(postgresql_database):
    """A commit that answers 40001 has surely not happened; that is where CockroachDB mostly says it."""
    database = postgresql_database
    with database.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION give_up() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN IF NEW.name = 'b' THEN RAISE SQLSTATE '40001'; END IF; RETURN NULL; END $$"
        )
        connection.exec_driver_sql(
            "CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON api_keys DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION give_up()"
        )
    names = ["b", "a"]
    try:
        database.write(lambda connection: add(connection, names.pop(0)))
    finally:
        with database.engine.begin() as connection:
            connection.exec_driver_sql("DROP TRIGGER at_commit ON api_keys")
            connection.exec_driver_sql("DROP FUNCTION give_up")
    assert database.read(lambda connection: connection.scalars(NAMES).all()) == ["a"]


def test_transaction_that_may_have_been_committed_is_not_repeated(postgresql_database):
    """40003, statement_completion_unknown."""
    work, runs = failing(1, "40003")
    with pytest.raises(StoreUnavailable):
        postgresql_database.write(work)
    assert len(runs) == 1


def test_transaction_is_not_repeated_for_ever(postgresql_database):
    work, runs = failing(ATTEMPTS, "40001")
    with pytest.raises(StoreUnavailable, match="40001"):
        postgresql_database.write(work)
    assert len(runs) == ATTEMPTS


def test_transaction_that_took_too_long_is_not_begun_again(postgresql_database):
    impatient = Database(postgresql_database.engine, repeating_seconds=0)
    work, runs = failing(1, "40001")
    with pytest.raises(StoreUnavailable, match="40001"):
        impatient.write(work)
    assert len(runs) == 1


def test_connection_to_a_server_that_is_no_primary_any_more_is_replaced(postgresql_database):
    """After a failover the address leads to another server, but pooled connections stay with the old one."""
    database = postgresql_database
    with database.engine.connect() as pooled:
        before = pooled.scalar(text("SELECT pg_backend_pid()"))
        pooled.execute(text("SET default_transaction_read_only = on"))
        pooled.commit()
    seen = []

    def work(connection):
        seen.append(connection.scalar(text("SELECT pg_backend_pid()")))
        add(connection)

    database.write(work)
    assert seen[0] == before
    assert seen[-1] != before


class Server:
    """A connection to a server of some version."""

    def __init__(self, version):
        self.version = version

    def exec_driver_sql(self, statement):
        assert statement == "SELECT version()"
        return self

    def scalar_one(self):
        return self.version


def test_locked_rows_are_skipped_only_where_the_server_does_so(subtests):
    for version, skips in [
        ("8.0.36", True),
        ("8.4.2-log", True),
        ("8.0.mysql_aurora.3.05.2", True),
        ("5.7.44", False),
        ("10.11.6-MariaDB-0+deb12u1", True),
        ("10.6.18-MariaDB", True),
        ("10.5.23-MariaDB", False),
        ("5.5.5-10.11.6-MariaDB", True),
        ("5.5.5-10.3.39-MariaDB", False),
        ("8.0.11-TiDB-v7.5.1", False),
        ("5.7.25-TiDB-v6.5.0", False),
        ("8.0.11-TiDB-Serverless", False),
        ("unheard of", False),
    ]:
        with subtests.test(version=version, skips=skips):
            """TiDB takes SKIP LOCKED and ignores it; it gets the conditional update."""
            assert MySQL().skips_locked_rows(Server(version)) is skips
