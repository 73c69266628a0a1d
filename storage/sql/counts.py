"""Counts of rows that stop at a cap, so that no filter makes a database read a whole table."""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Connection, Table, func, literal_column, select

from storage.user_search import COUNT_CAP, CappedCount

__all__ = ["count_up_to"]


def count_up_to(
    connection: Connection, table: Table, conditions: Iterable[ColumnElement[bool]] = (), cap: int = COUNT_CAP
) -> CappedCount:
    """Count the rows that all conditions hold of, up to a cap."""
    some = select(literal_column("1")).select_from(table).where(*conditions).limit(cap + 1).subquery()
    number = connection.scalar(select(func.count()).select_from(some)) or 0
    return CappedCount(min(number, cap), capped=number > cap)
