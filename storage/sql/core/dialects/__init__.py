"""Every difference between databases, one class for each kind. To support another is to add a class.

The rest of `storage.sql` speaks SQLAlchemy Core and asks the `Dialect` for what SQL has no common word for.
"""

from storage.sql.core.dialects.base import Dialect
from storage.sql.core.dialects.mysql import MySQL
from storage.sql.core.dialects.postgresql import PostgreSQL
from storage.sql.core.dialects.sqlite import SQLite

__all__ = ["dialect_named", "supported"]

_DIALECTS: tuple[type[Dialect], ...] = (SQLite, PostgreSQL, MySQL)


def supported() -> list[str]:
    """Return SQLAlchemy's names of the databases there is a class for."""
    return [name for dialect in _DIALECTS for name in dialect.names]


def dialect_named(name: str) -> Dialect:
    """Return what is particular to a database.

    Raises:
        ValueError: There is no class for it.
    """
    for dialect in _DIALECTS:
        if name in dialect.names:
            return dialect()
    raise ValueError(f"{name!r} is not a supported database; choose one of {', '.join(supported())}.")
