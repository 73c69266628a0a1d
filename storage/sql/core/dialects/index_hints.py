"""`force_index`: names an index where a planner has to be told. Loads no dialect."""

from typing import Any

from sqlalchemy import Column, Select, Table

__all__ = ["force_index"]


def force_index(statement: Select[Any], table: Table, *columns: Column[Any]) -> Select[Any]:
    """Have MySQL and MariaDB enter the index of these columns by all of the comparisons.

    For `a = ? AND b <= ? ORDER BY b` MariaDB (10.11) otherwise enters an index of a and b by a alone, and comes to b
    by reading every row before it.
    """
    hint = f"FORCE INDEX ({'_'.join(['ix', table.name, *(column.name for column in columns)])})"
    for name in ("mysql", "mariadb"):
        statement = statement.with_hint(table, hint, name)
    return statement
