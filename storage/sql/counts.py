"""Counts of rows that stop at a cap, so that no filter makes a database read a whole table."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, func, literal_column, select

from storage.user_search import COUNT_CAP, CappedCount

__all__ = ["count_up_to"]


def count_up_to(
    connection: Connection,
    table: Table,
    conditions: Iterable[ColumnElement[bool]] = (),
    cap: int = COUNT_CAP,
    along: ColumnElement[Any] | None = None,
) -> CappedCount:
    """Count the rows that all conditions hold of, up to a cap.

    Args:
        connection: The database.
        table: Whose rows.
        conditions: What they are like.
        cap: How many are counted at most.
        along: The column whose index has them. Where many rows fit, PostgreSQL reads the table from its beginning
            otherwise, and those that fit may all stand behind millions of others.
    """
    some: Select[Any] = select(literal_column("1")).select_from(table).where(*conditions).order_by(along).limit(cap + 1)
    number = connection.scalar(select(func.count()).select_from(some.subquery())) or 0
    return CappedCount(min(number, cap), capped=number > cap)
