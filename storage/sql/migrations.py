"""The migrations that ship with the code: where they are, how a database stands to them, and running them."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, column, inspect, select, table

from storage.records import SchemaReport, SchemaState
from storage.sql.engine import Database
from storage.sql.schema import metadata

__all__ = ["changing_schema", "head_revision", "migrations_folder", "schema_report", "upgrade"]

_VERSIONS = table("alembic_version", column("version_num"))


def migrations_folder() -> Path:
    """Return the folder of the migrations: `alembic/` of a checkout, or its copy inside an installed wheel."""
    here = Path(__file__).parent
    installed = here / "migrations"
    return installed if installed.is_dir() else here.parent.parent / "alembic"


def head_revision() -> str:
    """Return the revision that the code expects. Read once in a process."""
    return _revisions()[0]


def schema_report(connection: Connection) -> SchemaReport:
    """Say how a database's tables stand to the code.

    EMPTY is a database without any of our tables; AHEAD one at a revision that this code does not know.
    """
    head, *older = _revisions()
    tables = set(inspect(connection).get_table_names())
    current: str | None = None
    if _VERSIONS.name in tables:
        current = connection.execute(select(_VERSIONS.c.version_num)).scalar()
    if current == head:
        state = SchemaState.CURRENT
    elif current is not None:
        state = SchemaState.BEHIND if current in older else SchemaState.AHEAD
    else:
        state = SchemaState.BEHIND if tables & set(metadata.tables) else SchemaState.EMPTY
    return SchemaReport(state, current, head)


@contextmanager
def changing_schema(database: Database) -> Iterator[Connection]:
    """Give a connection for migrations; whoever migrates the same database meanwhile waits."""
    with database.dialect.changing_schema(database.engine) as connection:
        yield connection


def upgrade(engine: Engine) -> None:
    """Bring a database to the head. Of several processes that do so at once, one does it and the others wait."""
    with changing_schema(Database(engine)) as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@cache
def _revisions() -> tuple[str, ...]:
    """Return every revision, the head first."""
    scripts = ScriptDirectory.from_config(_config())
    return tuple(script.revision for script in scripts.walk_revisions())
