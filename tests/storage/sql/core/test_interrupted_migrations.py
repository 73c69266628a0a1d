"""Migrations that break off in the middle on MariaDB, which commits each change of a table by itself."""

import os
import random
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import BigInteger, Column, Engine, String, event, text

from storage.base.errors import StorageError
from storage.sql.core.engine import Database
from storage.sql.core.migrations import upgrade
from storage.sql.core.resumable import ResumableMySQL
from storage.sql.tokens.store import SqlTokenStore
from storage.testing import a_grant
from tests.mariadb_server import mariadb_of_its_own
from tests.servers import database_of_its_own, mysql_server

#: How many migrations are killed: a handful, 40 for the full size, which also breaks off before each statement.
KILLS = int(os.environ.get("TEST_MIGRATION_KILLS", "4"))
EVERY = 1 if KILLS >= 40 else 9
CHANGES = ("CREATE", "ALTER", "DROP", "INSERT", "UPDATE")


#: What makes a schema: which tables there are and of what kind, their columns and their indexes.
ASPECTS = {
    "tables": "table_name, engine, row_format, table_collation",
    "columns": "table_name, ordinal_position, column_name, column_type, is_nullable, column_default, collation_name",
    "statistics": "table_name, index_name, seq_in_index, column_name, non_unique",
}


def schema_of(url):
    """Return the revision, and all that the database knows of its tables."""
    database = Database.open(url)
    try:
        with database.engine.connect() as connection:
            [revision] = connection.scalars(text("SELECT version_num FROM alembic_version"))
            return revision, {
                aspect: set(
                    connection.execute(
                        text(f"SELECT {columns} FROM information_schema.{aspect} WHERE table_schema = DATABASE()")
                    ).all()
                )
                for aspect, columns in ASPECTS.items()
            }
    finally:
        database.close()


def migrated(url):
    database = Database.open(url)
    upgrade(database.engine)
    database.close()
    return schema_of(url)


@contextmanager
def watching_changes(see):
    """Call something before each statement that changes tables, of whatever connection."""

    def look(_connection, _cursor, statement, *_rest):
        if statement.lstrip().startswith(CHANGES):
            see(statement)

    event.listen(Engine, "before_cursor_execute", look)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", look)


@pytest.fixture(scope="module")
def straight():
    """Return the schema that an uninterrupted migration makes, and the statements by which it does."""
    statements = []
    with database_of_its_own(mysql_server()) as url, watching_changes(statements.append):
        return migrated(url), statements


def run_migrate(url, seconds=None):
    """Run the command, killed after so many seconds; return its status and how long it ran."""
    began_at = time.monotonic()
    environment = {**os.environ, "WECHAT_OPENID_DATABASE_URL": url}
    command = [sys.executable, "-m", "service", "migrate"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    with process:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.returncode, time.monotonic() - began_at


@pytest.mark.timeout(60 + 20 * KILLS)
def test_the_command_that_was_killed_is_run_again_and_ends_as_if_it_had_not_been(straight):
    schema, _ = straight
    with database_of_its_own(mysql_server()) as url:
        _, whole = run_migrate(url)
    hit = 0
    for _ in range(KILLS):
        with database_of_its_own(mysql_server()) as url:
            status, _ = run_migrate(url, random.uniform(0.3, 1) * whole)
            hit += status != 0
            assert run_migrate(url)[0] == 0
            assert schema_of(url) == schema
    print(f"{KILLS} kills, {hit} of them before the end")


def test_a_migration_that_breaks_off_before_any_of_its_statements_is_run_again(straight):
    schema, statements = straight
    for stop_at in range(random.randrange(EVERY), len(statements), EVERY):
        with database_of_its_own(mysql_server()) as url:
            seen = []

            def see(statement, seen=seen, stop_at=stop_at):
                seen.append(statement)
                if len(seen) > stop_at:
                    raise ConnectionAbortedError

            with watching_changes(see), pytest.raises(ConnectionAbortedError):
                migrated(url)
            assert migrated(url) == schema, statements[stop_at]


DEFAULTS = {
    "rows": ("--innodb-default-row-format=redundant", "--character-set-server=latin1"),
    "engine": ("--default-storage-engine=Aria", "--character-set-server=utf16"),
    "mode": ("--sql-mode=ANSI,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH", "--sql-safe-updates=ON"),
    "none": ("--sql-mode=", "--character-set-server=utf8mb3", "--innodb-strict-mode=OFF"),
}


@pytest.mark.parametrize("options", DEFAULTS.values(), ids=DEFAULTS.keys())
def test_tables_are_the_same_whatever_the_defaults_of_the_server_are(straight, options):
    (revision, aspects), _ = straight
    with mariadb_of_its_own(*options) as server:
        made = migrated(server.url)
        assert made[0] == revision
        for aspect in ASPECTS:
            # The table of the revision alone is in the server's own character set.
            assert {row for row in made[1][aspect] ^ aspects[aspect] if row[0] != "alembic_version"} == set()
        assert {row.engine for row in made[1]["tables"]} == {"InnoDB"}
        store = SqlTokenStore.open(server.url)
        store.save([a_grant("o-😀")])
        assert store.get(a_grant().appid, "o-😀") is not None
        store.close()


@pytest.fixture
def steps(mysql_url):
    """Give the operations of a migration, on a database with one table that they may change."""
    with database_of_its_own(mysql_server()) as url:
        database = Database.open(url)
        with database.changing_schema() as connection:
            steps = Operations(MigrationContext.configure(connection))
            assert isinstance(steps.impl, ResumableMySQL)
            make_table(steps)
            yield steps
        database.close()


def make_table(steps, length=20):
    steps.create_table("some", Column("id", BigInteger, primary_key=True), Column("name", String(length)))


REPEATED = {
    "create_table": make_table,
    "create_index": lambda steps: steps.create_index("ix_some_name", "some", ["name"]),
    "drop_index": lambda steps: steps.drop_index("ix_some_gone", "some"),
    "add_column": lambda steps: steps.add_column("some", Column("more", String(9), nullable=False)),
    "drop_column": lambda steps: steps.drop_column("some", "gone"),
    "alter_column": lambda steps: steps.alter_column("some", "name", existing_type=String(20), type_=String(30)),
    "rename_column": lambda steps: steps.alter_column(
        "some", "name", existing_type=String(20), new_column_name="title"
    ),
    "unique": lambda steps: steps.create_unique_constraint("uq_some_name", "some", ["name"]),
    "drop_constraint": lambda steps: steps.drop_constraint("uq_some_gone", "some", type_="unique"),
    "drop_table": lambda steps: steps.drop_table("gone"),
    "rename_table": lambda steps: steps.rename_table("some", "other"),
}


@pytest.mark.parametrize("step", REPEATED.values(), ids=REPEATED.keys())
def test_each_kind_of_step_can_be_repeated(steps, step):
    step(steps)
    step(steps)


OTHERWISE = {
    "table": lambda steps: make_table(steps, length=30),
    "key": lambda steps: steps.create_table(
        "some", Column("id", BigInteger), Column("name", String(20), primary_key=True)
    ),
    "index": lambda steps: [steps.create_index("ix_some", "some", columns) for columns in (["name"], ["id"])],
    "column": lambda steps: steps.add_column("some", Column("name", String(30))),
    "kind": lambda steps: steps.add_column("some", Column("name", BigInteger)),
    "null": lambda steps: steps.add_column("some", Column("name", String(20), nullable=False)),
    "unique": lambda steps: [
        steps.create_unique_constraint("uq_some", "some", columns) for columns in (["name"], ["id"])
    ],
}


@pytest.mark.parametrize("step", OTHERWISE.values(), ids=OTHERWISE.keys())
def test_what_is_there_and_otherwise_is_told(steps, step):
    with pytest.raises(StorageError, match="is there already, but is not as it should be"):
        step(steps)
