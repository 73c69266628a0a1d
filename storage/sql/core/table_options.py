"""What tables and indexes are told that only one kind of database knows: by `with_options`, where somebody makes them.

SQLAlchemy loads what it has for a database as soon as a table is given an option of it, and that takes megabytes. So
options wait in `info`, and a process that only reads and writes rows never hands them over.
"""

from typing import Any

from sqlalchemy import MetaData, text

__all__ = ["IDS_ONCE", "only_where", "with_options"]

#: The option of a table that no id is given twice in.
IDS_ONCE: dict[str, Any] = {"sqlite_autoincrement": True}
#: MySQL and MariaDB take these from the database's own settings unless they are told.
_MYSQL_OPTIONS: dict[str, Any] = {
    f"{name}_{option}": value
    for name in ("mysql", "mariadb")
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"))
}


def only_where(condition: str, *, sqlite: str | None = None) -> dict[str, Any]:
    """Return the options of an index that holds some rows. MySQL, which has no such thing, indexes all of them.

    Args:
        condition: Which rows.
        sqlite: The same as SQLite writes it, where that differs.
    """
    return {"sqlite_where": text(sqlite or condition), "postgresql_where": text(condition)}


def with_options(tables: MetaData) -> MetaData:
    """Hand over the options, and return the tables: for who makes them, or compares them with a database."""
    for table in tables.tables.values():
        table.dialect_kwargs.update({**_MYSQL_OPTIONS, **table.info})
        for index in table.indexes:
            index.dialect_kwargs.update(index.info)
    return tables
