"""The migrations that ship with the code: where they are, how a database stands to them, and running them."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TextIO

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, column, inspect, select, table

from storage.errors import StorageError
from storage.records import SchemaReport, SchemaState
from storage.sql.engine import Database, read_url
from storage.sql.schema import metadata

__all__ = ["head_revision", "migrations_folder", "schema_report", "upgrade", "write_upgrade"]

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


def upgrade(engine: Engine, progress: Callable[[str], None] = lambda _: None) -> None:
    """Bring a database to the head. Of several processes that do so at once, one does it and the others wait.

    Args:
        engine: The database.
        progress: Called after each migration with its revision and its title.

    Raises:
        StorageError: The database does not answer, or is at a revision that this code does not know.
    """
    config = _config()
    config.attributes["progress"] = progress
    with Database(engine).changing_schema() as connection:
        config.attributes["connection"] = connection
        _run(lambda: command.upgrade(config, "head"))


def write_upgrade(url: str, output: TextIO, since: str | None = None) -> None:
    """Write the statements of an upgrade to the head out, for somebody else to run.

    Args:
        url: A URL of the kind of database that they are for. It is not connected to.
        output: Where they are written.
        since: The revision from which to upgrade; None begins with no tables.

    Raises:
        ValueError: The URL is not one of a supported database.
        StorageError: There is no such revision.
    """
    config = _config()
    address = read_url(url).render_as_string(hide_password=False)
    config.set_main_option("sqlalchemy.url", address.replace("%", "%%"))
    config.output_buffer = output
    _run(lambda: command.upgrade(config, f"{since}:head" if since else "head", sql=True))


def _run(migrate: Callable[[], None]) -> None:
    try:
        migrate()
    except CommandError as error:
        raise StorageError(f"The migrations cannot be run: {error}.") from None


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
