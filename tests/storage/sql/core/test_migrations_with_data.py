"""Migrations of databases that hold something: nothing of it is lost, on any way up or down."""

import io
import json
from contextlib import nullcontext

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, insert, select, text, update

from storage.base.schema_report import SchemaState
from storage.sql.core import migrations
from storage.sql.core.engine import Database
from storage.sql.core.migrations import upgrade, write_upgrade
from storage.sql.core.revisions import schema_report
from storage.sql.work.jobs import JobTarget
from storage.user_search import UserFilter
from tests.servers import database_of_its_own, mysql_server, postgresql_server

#: What any column of a type takes.
A_VALUE = {bool: True, int: 1, bytes: b"1", str: "1"}


@pytest.fixture(params=["sqlite", "postgresql", "mysql"])
def empty(request, sqlite_url):
    server = {"postgresql": postgresql_server, "mysql": mysql_server}.get(request.param)
    with database_of_its_own(server()) if server else nullcontext(sqlite_url) as url:
        database = Database.open(url)
        yield database
        database.close()


def revisions():
    """Return every revision, the first one first."""
    scripts = ScriptDirectory.from_config(migrations._config()).walk_revisions()
    return [script.revision for script in reversed(list(scripts))]


def move(database, action, target):
    config = migrations._config()
    with database.changing_schema() as connection:
        config.attributes["connection"] = connection
        action(config, target)


def tables_of(database):
    """Return the tables as they are at this revision."""
    metadata = MetaData()
    metadata.reflect(database.engine)
    return {name: table for name, table in metadata.tables.items() if name != "alembic_version"}


def fill(database):
    """Put a row into every table, every column filled."""
    with database.engine.begin() as connection:
        for table in tables_of(database).values():
            connection.execute(
                insert(table).values({column.name: A_VALUE[column.type.python_type] for column in table.columns})
            )


def content_of(database):
    """Return the rows of every table, by the names of the columns."""
    with database.engine.connect() as connection:
        return {
            name: [dict(row) for row in connection.execute(select(table)).mappings()]
            for name, table in tables_of(database).items()
        }


def test_every_revision_can_be_gone_up_and_down_and_up_again(empty):
    for revision in revisions():
        move(empty, command.upgrade, revision)
        move(empty, command.downgrade, "-1")
        move(empty, command.upgrade, revision)
    assert empty.read(schema_report).state is SchemaState.CURRENT


@pytest.mark.parametrize("number", range(len(revisions())))
def test_upgrade_from_each_revision_keeps_what_is_stored(empty, number):
    move(empty, command.upgrade, revisions()[number])
    fill(empty)
    before = content_of(empty)
    upgrade(empty.engine)
    after = content_of(empty)
    for name, (row,) in before.items():
        (kept,) = after[name]
        assert {column: kept[column] for column in row if column in kept} == row


def words_of(database):
    """Return how the state of users who must authorize again is stored, everywhere it is."""
    with database.engine.connect() as connection:
        statuses = connection.execute(text("SELECT status, count(*) FROM authorizations GROUP BY status")).all()
        kinds = connection.scalars(text("SELECT kind FROM activity")).all()
        targets = connection.scalars(text("SELECT target FROM jobs")).all()
    return dict(map(tuple, statuses)), set(kinds), {json.loads(target)["filter"]["status"] for target in targets}


def test_state_of_users_who_must_authorize_again_is_renamed_however_many_they_are(empty):
    move(empty, command.upgrade, "0006")
    fill(empty)
    tables = tables_of(empty)
    with empty.engine.begin() as connection:
        [row] = connection.execute(select(tables["authorizations"])).mappings()
        statuses = ["active", "revoked", *["needs_reauthorization"] * 25_000]
        rows = [
            {**row, "id": number, "openid": str(number), "status": status} for number, status in enumerate(statuses, 2)
        ]
        connection.execute(insert(tables["authorizations"]), rows)
        connection.execute(update(tables["activity"]).values(kind="reauthorization_needed"))
        target = JobTarget(filter=UserFilter()).to_json().replace('"status": null', '"status": "needs_reauthorization"')
        connection.execute(update(tables["jobs"]).values(target=target))
    upgrade(empty.engine)
    new = "reauthorization_required"
    assert words_of(empty) == ({"1": 1, "active": 1, "revoked": 1, new: 25_000}, {new}, {new})
    move(empty, command.downgrade, "0006")
    old = "needs_reauthorization"
    assert words_of(empty) == ({"1": 1, "active": 1, "revoked": 1, old: 25_000}, {"reauthorization_needed"}, {old})


def test_scopes_that_refreshes_listed_become_what_is_known_of_them(empty):
    move(empty, command.upgrade, "0009")
    fill(empty)
    authorizations = tables_of(empty)["authorizations"]
    listed = "snsapi_base,snsapi_userinfo,"
    scopes = [
        (listed, "snsapi_userinfo", "snsapi_userinfo"),
        (listed, "snsapi_base", "snsapi_base,snsapi_userinfo"),
        ("snsapi_base,", "snsapi_base", "snsapi_base"),
        ("snsapi_base", "snsapi_base", "snsapi_base"),
        ("snsapi_userinfo", "snsapi_base", "snsapi_userinfo"),
        ("SCOPE", "snsapi_base", "SCOPE"),
        *[(listed, "snsapi_userinfo", "snsapi_userinfo")] * 25_000,
    ]
    with empty.engine.begin() as connection:
        [row] = connection.execute(select(authorizations)).mappings()
        rows = [
            {**row, "id": number, "openid": str(number), "scope": scope, "code_scope": code_scope}
            for number, (scope, code_scope, _) in enumerate(scopes, 2)
        ]
        connection.execute(insert(authorizations), rows)
    upgrade(empty.engine)
    with empty.engine.connect() as connection:
        found = connection.execute(select(authorizations.c.scope).order_by(authorizations.c.id)).scalars().all()
    assert found[1:] == [wanted for _, _, wanted in scopes]


def run_script(database, script):
    """Run statements as the database's own shell would."""
    if database.engine.dialect.name == "mysql":
        with database.engine.begin() as connection:
            for statement in script.split(";\n"):
                if statement.strip():
                    connection.execute(text(statement.replace(":", r"\:")))
        return
    raw = database.engine.raw_connection()
    try:
        if database.engine.dialect.name == "sqlite":
            raw.executescript(script)
        else:
            raw.driver_connection.autocommit = True
            # One after the other: several sent as one are one transaction, and an index made online is in none.
            for statement in script.split(";\n"):
                raw.execute(statement)
    finally:
        raw.detach()
        raw.close()


def test_statements_written_out_do_what_migrating_does(empty):
    url, script = empty.engine.url.render_as_string(hide_password=False), io.StringIO()
    first, *_ = revisions()
    write_upgrade(url, script)
    run_script(empty, script.getvalue())
    assert empty.read(schema_report).state is SchemaState.CURRENT
    config = migrations._config()
    with empty.changing_schema() as connection:
        config.attributes["connection"] = connection
        command.check(config)
    move(empty, command.downgrade, first)
    since_first = io.StringIO()
    write_upgrade(url, since_first, first)
    run_script(empty, since_first.getvalue())
    assert empty.read(schema_report).state is SchemaState.CURRENT
