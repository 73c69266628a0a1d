import multiprocessing
import shutil
import threading
from contextlib import nullcontext
from pathlib import Path

import pytest
from sqlalchemy import event, inspect, text

from storage.base.schema_report import SchemaState
from storage.sql.core import migrations, revisions
from storage.sql.core.engine import Database
from storage.sql.core.migrations import upgrade
from storage.sql.core.revisions import head_revision, migrations_folder, schema_report
from storage.sql.core.schema import authorizations
from storage.sql.tokens.store import SqlTokenStore
from storage.testing import a_grant
from tests.servers import database_of_its_own, mysql_server, postgresql_server
from tests.waiting import DEADLINE_SECONDS, wait_until

INDEX = "ix_authorizations_later"
LATER = f"""
from alembic import op

revision = "later"
down_revision = "{{head}}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index_online("{INDEX}", "authorizations", ["nickname", "id"])


def downgrade() -> None:
    op.drop_index_online("{INDEX}", "authorizations")
"""


@pytest.fixture
def folder(tmp_path):
    """Copy the migrations and add a later one."""
    folder = tmp_path / "migrations"
    shutil.copytree(migrations_folder(), folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "later.py").write_text(LATER.format(head=head_revision()))
    return folder


@pytest.fixture
def with_later(folder, monkeypatch):
    """Let the code expect the later migration."""
    use_folder(folder, monkeypatch.setattr)
    yield
    revisions._revisions.cache_clear()


def use_folder(folder, set_attribute=setattr):
    for module in (migrations, revisions):
        set_attribute(module, "migrations_folder", lambda: Path(folder))
    revisions._revisions.cache_clear()


@pytest.fixture(params=["sqlite", "postgresql", "mysql"])
def used(request, sqlite_url):
    """A database at the head, in use."""
    server = {"postgresql": postgresql_server, "mysql": mysql_server}.get(request.param)
    with database_of_its_own(server()) if server else nullcontext(sqlite_url) as url:
        database = Database.open(url)
        upgrade(database.engine)
        SqlTokenStore(database).save([a_grant()])
        yield database
        database.close()


on_postgresql = pytest.mark.parametrize("used", ["postgresql"], indirect=True)


def indexes_of(database):
    return {index["name"] for index in inspect(database.engine).get_indexes("authorizations")}


def test_index_is_made_and_dropped_on_each_database(used, with_later):
    upgrade(used.engine)
    assert INDEX in indexes_of(used)
    assert used.read(schema_report).state is SchemaState.CURRENT
    with used.changing_schema() as connection:
        config = migrations._config()
        config.attributes["connection"] = connection
        migrations.command.downgrade(config, "-1")
    assert INDEX not in indexes_of(used)
    assert used.read(schema_report).state is SchemaState.BEHIND


def upgrade_in_a_process(url, folder, steps):
    use_folder(folder)
    database = Database.open(url)
    done = []
    try:
        upgrade(database.engine, done.append)
    finally:
        steps.put(done)
        database.close()


def start_upgrades(database, folder, count):
    spawn = multiprocessing.get_context("spawn")
    steps = spawn.Queue()
    url = database.engine.url.render_as_string(hide_password=False)
    processes = [spawn.Process(target=upgrade_in_a_process, args=(url, str(folder), steps)) for _ in range(count)]
    for process in processes:
        process.start()
    return processes, steps


@on_postgresql
def test_users_go_on_writing_while_two_instances_make_an_index_at_once(used, folder):
    database, store = used, SqlTokenStore(used)
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND query LIKE 'CREATE INDEX CONCURRENTLY%' AND wait_event_type = 'Lock'"
    )
    with database.engine.connect() as writer:
        # A transaction that has written and goes on for a while: a plain CREATE INDEX would wait for its end and keep
        # everybody who comes later from writing.
        writer.execute(text("UPDATE authorizations SET version = version"))
        processes, steps = start_upgrades(database, folder, 2)
        wait_until(lambda: database.read(lambda connection: connection.scalar(waiting)))
        written = threading.Thread(target=store.save, args=([a_grant("o-while-it-is-made")],), daemon=True)
        written.start()
        written.join(DEADLINE_SECONDS)
        assert not written.is_alive()
        writer.commit()
    done = [steps.get(timeout=DEADLINE_SECONDS) for _ in processes]
    for process in processes:
        process.join(DEADLINE_SECONDS)
    assert sorted(len(one) for one in done) == [0, 1]
    assert INDEX in indexes_of(database)


@on_postgresql
def test_index_whose_making_broke_off_is_made_anew(used, with_later):
    with used.engine.begin() as connection:
        connection.execute(text(f"CREATE INDEX {INDEX} ON authorizations (nickname)"))
        connection.execute(
            text("UPDATE pg_index SET indisvalid = false WHERE indexrelid = CAST(:name AS regclass)"), {"name": INDEX}
        )
    upgrade(used.engine)
    valid = text("SELECT indisvalid, indnatts FROM pg_index WHERE indexrelid = CAST(:name AS regclass)")
    assert tuple(used.read(lambda connection: connection.execute(valid, {"name": INDEX}).one())) == (True, 2)


RESTRICTED = "ix_authorizations_scope_id"
RESTRICT = f"""
from alembic import op

revision = "later"
down_revision = "{{head}}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.restrict_index_online("{RESTRICTED}", "authorizations", ["scope", "id"], "scope = 'snsapi_base'")


def downgrade() -> None:
    op.restrict_index_online("{RESTRICTED}", "authorizations", ["scope", "id"], None)
"""


@pytest.fixture
def with_restriction(folder, monkeypatch):
    """Let the later migration restrict an index that there is."""
    (folder / "versions" / "later.py").write_text(RESTRICT.format(head=head_revision()))
    use_folder(folder, monkeypatch.setattr)
    yield
    revisions._revisions.cache_clear()


def condition_of(database, name):
    """Return the condition by which an index holds rows; None where it holds all."""
    [found] = [one for one in inspect(database.engine).get_indexes("authorizations") if one["name"] == name]
    condition = found.get("dialect_options", {}).get(f"{database.engine.dialect.name}_where")
    return None if condition is None else str(condition)


def test_an_index_is_restricted_and_made_whole_where_databases_can(used, with_restriction):
    upgrade(used.engine)
    condition = condition_of(used, RESTRICTED)
    if used.engine.dialect.name in {"sqlite", "postgresql"}:
        assert "snsapi_base" in condition
    else:
        assert condition is None
    with used.changing_schema() as connection:
        config = migrations._config()
        config.attributes["connection"] = connection
        migrations.command.downgrade(config, "-1")
    assert condition_of(used, RESTRICTED) is None


@on_postgresql
def test_there_is_an_index_while_another_takes_its_place(used, with_restriction):
    statements = []
    with used.changing_schema() as connection:
        event.listen(connection, "before_cursor_execute", lambda *seen: statements.append(seen[2]))
        config = migrations._config()
        config.attributes["connection"] = connection
        migrations.command.upgrade(config, "head")
    steps = [one.strip().split(" ON ")[0] for one in statements if RESTRICTED in one]
    assert steps == [
        f"DROP INDEX CONCURRENTLY IF EXISTS {RESTRICTED}_new",
        f"CREATE INDEX CONCURRENTLY {RESTRICTED}_new",
        f"DROP INDEX CONCURRENTLY IF EXISTS {RESTRICTED}",
        f"ALTER INDEX {RESTRICTED}_new RENAME TO {RESTRICTED}",
    ]


@on_postgresql
@pytest.mark.parametrize("left", [f"CREATE INDEX {RESTRICTED}_new ON authorizations (nickname)", None])
def test_a_restriction_that_broke_off_is_begun_anew(used, with_restriction, left):
    with used.engine.begin() as connection:
        # Broken off while the new one was made, or after the old one had gone.
        connection.execute(text(left or f"ALTER INDEX {RESTRICTED} RENAME TO {RESTRICTED}_new"))
    upgrade(used.engine)
    assert "snsapi_base" in condition_of(used, RESTRICTED)
    assert f"{RESTRICTED}_new" not in indexes_of(used)


def test_indexes_hold_the_rows_that_the_code_says(used):
    """Alembic compares the columns of indexes, not their conditions."""
    wanted = {index.name for index in authorizations.indexes if index.info}
    found = {name for name in indexes_of(used) if condition_of(used, name) is not None}
    assert found == (wanted if used.engine.dialect.name in {"sqlite", "postgresql"} else set())
    assert len(wanted) > 3
