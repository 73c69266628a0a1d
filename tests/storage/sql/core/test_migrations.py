import multiprocessing

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import insert, inspect, text

from storage.base.errors import StoreUnavailable
from storage.base.schema_report import SchemaState
from storage.sql.core import revisions
from storage.sql.core.dialects.base import MigrationWaits
from storage.sql.core.engine import Database
from storage.sql.core.migrations import upgrade
from storage.sql.core.revisions import head_revision, migrations_folder, schema_report
from storage.sql.core.schema import api_keys, metadata
from storage.sql.tokens.store import SqlTokenStore
from storage.testing import a_grant
from tests.servers import database_of_its_own, mysql_server


def alembic(database, action, *arguments):
    """Run an Alembic command on a database, as the command line would."""
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    config.set_main_option("path_separator", "os")
    with database.changing_schema() as connection:
        config.attributes["connection"] = connection
        action(config, *arguments)


def tables_of(database):
    return set(database.read(lambda connection: inspect(connection).get_table_names()))


def report_of(database):
    return database.read(schema_report)


def set_revision(database, revision):
    database.write(
        lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = :r"), {"r": revision})
    )


@pytest.fixture
def empty(sqlite_url):
    database = Database.open(sqlite_url)
    yield database
    database.close()


@pytest.fixture
def migrated(any_database):
    yield any_database
    upgrade(any_database.engine)


def test_revisions_are_those_of_the_scripts_in_their_order():
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [head_revision()]
    assert tuple(script.revision for script in scripts.walk_revisions()) == revisions._revisions()


def test_migrations_go_up_and_down_and_up_again(migrated):
    assert set(metadata.tables) <= tables_of(migrated)
    alembic(migrated, command.downgrade, "base")
    assert not set(metadata.tables) & tables_of(migrated)
    assert report_of(migrated).state is SchemaState.EMPTY
    upgrade(migrated.engine)
    assert report_of(migrated).state is SchemaState.CURRENT
    SqlTokenStore(migrated).save([a_grant()])


def test_migrations_make_the_tables_that_the_code_describes(migrated):
    alembic(migrated, command.check)


def test_upgrading_twice_keeps_what_is_stored(migrated):
    values = {"name": "n", "key_hash": b"h", "created_at": 0}
    migrated.write(lambda connection: connection.execute(insert(api_keys), values))
    upgrade(migrated.engine)
    assert len(migrated.read(lambda connection: connection.execute(api_keys.select()).all())) == 1


def test_new_file_is_empty(empty):
    report = report_of(empty)
    assert (report.state, report.current, report.expected) == (SchemaState.EMPTY, None, head_revision())


def test_tables_without_a_revision_are_behind(database):
    database.write(lambda connection: connection.execute(text("DROP TABLE alembic_version")))
    assert report_of(database).state is SchemaState.BEHIND


def test_older_revision_is_behind(database):
    set_revision(database, "0001")
    report = report_of(database)
    assert (report.state, report.current, report.expected) == (SchemaState.BEHIND, "0001", head_revision())


def test_revision_that_the_code_does_not_know_is_ahead(database):
    set_revision(database, "9999")
    assert report_of(database).state is SchemaState.AHEAD


def test_other_tables_beside_ours_do_not_count(empty):
    empty.write(lambda connection: connection.execute(text("CREATE TABLE other (id INTEGER)")))
    assert report_of(empty).state is SchemaState.EMPTY


def upgrade_in_a_process(url, start, results):
    database = Database.open(url)
    start.wait()
    steps = []
    try:
        upgrade(database.engine, steps.append)
    except BaseException as error:
        results.put((repr(error), steps))
        raise
    results.put((report_of(database).state.value, steps))


@pytest.mark.parametrize("where", ["sqlite_url", "postgresql_url", "mysql_url"])
def test_processes_that_upgrade_at_once_do_it_once(request, where):
    url = request.getfixturevalue(where)
    database = Database.open(url)
    if tables_of(database):
        alembic(database, command.downgrade, "base")
    spawn = multiprocessing.get_context("spawn")
    start, results = spawn.Barrier(3), spawn.Queue()
    processes = [spawn.Process(target=upgrade_in_a_process, args=(url, start, results)) for _ in range(3)]
    for process in processes:
        process.start()
    states, steps = zip(*(results.get(timeout=60) for _ in processes), strict=True)
    assert states == ("current",) * 3
    assert [len(one) for one in steps].count(0) == 2
    for process in processes:
        process.join(10)
    assert report_of(database).state is SchemaState.CURRENT
    database.close()


@pytest.mark.parametrize("which", ["postgresql_database", "mysql_database"])
def test_who_waits_too_long_for_another_migration_is_told(request, which):
    database = request.getfixturevalue(which)
    with (
        database.changing_schema(),
        pytest.raises(StoreUnavailable, match="Another process has been migrating"),
    ):
        upgrade(database.engine, waits=MigrationWaits(other_migration_seconds=0))
    upgrade(database.engine)


def test_databases_of_one_server_do_not_wait_for_each_other(mysql_database):
    with database_of_its_own(mysql_server()) as url:
        other = Database.open(url)
        with other.changing_schema():
            upgrade(mysql_database.engine, waits=MigrationWaits(other_migration_seconds=0))
        other.close()


@pytest.mark.parametrize("which", ["postgresql_database", "mysql_database"])
def test_change_of_a_table_in_use_gives_up_instead_of_holding_everybody_up(request, which):
    database = request.getfixturevalue(which)
    waits = MigrationWaits(table_lock_seconds=1)
    with database.engine.connect() as user:
        user.execute(api_keys.select())
        with pytest.raises(StoreUnavailable, match=r"55P03|1205"), database.changing_schema(waits) as connection:
            connection.execute(text("ALTER TABLE api_keys ADD COLUMN later INTEGER"))


def test_tables_are_rebuilt_without_deleting_what_refers_to_them(database):
    with database.changing_schema() as connection:
        assert connection.scalar(text("PRAGMA foreign_keys")) == 0
    assert database.write(lambda connection: connection.scalar(text("PRAGMA foreign_keys"))) == 1
