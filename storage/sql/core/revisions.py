"""The revisions of the tables: which ones the code ships, and how a database stands to them.

A service asks this whenever it starts. Running migrations takes Alembic, which is not loaded for the question.
"""

from functools import cache
from pathlib import Path

from sqlalchemy import Connection, column, inspect, select, table

from storage.base.schema_report import SchemaReport, SchemaState
from storage.sql.core.schema import metadata

__all__ = ["head_revision", "migrations_folder", "schema_report"]

_VERSIONS = table("alembic_version", column("version_num"))


def migrations_folder() -> Path:
    """Return the folder of the migrations: `alembic/` of a checkout, or its copy inside an installed wheel."""
    package = Path(__file__).parents[1]
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parents[1] / "alembic"


def head_revision() -> str:
    """Return the revision that the code expects."""
    return _revisions()[0]


def schema_report(connection: Connection) -> SchemaReport:
    """Compare a database's tables with the code.

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


@cache
def _revisions() -> tuple[str, ...]:
    """Return every revision, the head first. A migration's file begins with its revision, in rising order."""
    files = (migrations_folder() / "versions").glob("*.py")
    return tuple(sorted((file.stem.partition("_")[0] for file in files), reverse=True))
