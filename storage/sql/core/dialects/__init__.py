"""Every difference between databases, one class for each kind. To support another is to add a class.

The rest of `storage.sql` speaks SQLAlchemy Core and asks the `Dialect` for what SQL has no common word for.
"""

from importlib import import_module

from storage.sql.core.dialects.base import Dialect

__all__ = ["dialect_named", "supported"]

#: SQLAlchemy's names of the databases, and the module and class of each. Only the one in use is loaded: what SQLAlchemy
#: brings for a database takes a megabyte or two.
_DIALECTS = {
    "sqlite": ("sqlite", "SQLite"),
    "postgresql": ("postgresql", "PostgreSQL"),
    "mysql": ("mysql", "MySQL"),
    "mariadb": ("mysql", "MySQL"),
}


def supported() -> list[str]:
    """Return SQLAlchemy's names of the databases there is a class for."""
    return list(_DIALECTS)


def dialect_named(name: str) -> Dialect:
    """Return what is particular to a database.

    Raises:
        ValueError: There is no class for it.
    """
    if name not in _DIALECTS:
        raise ValueError(f"{name!r} is not a supported database; choose one of {', '.join(supported())}.")
    module, class_name = _DIALECTS[name]
    dialect: type[Dialect] = getattr(import_module(f"storage.sql.core.dialects.{module}"), class_name)
    return dialect()
