"""PostgreSQL, and what speaks its protocol."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from sqlalchemy import Column, ColumnElement, Connection, Insert, Table, cast, extract, func
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import BigInteger

from storage.sql.core.dialects.base import CONNECT_SECONDS, HANG_SECONDS, Assignments, Dialect

__all__ = ["PostgreSQL"]

#: The name of the lock that migrations take: advisory locks are numbered.
MIGRATION_LOCK_NUMBER = 8_216_334_927_551_120


class PostgreSQL(Dialect):
    """PostgreSQL, and what speaks its protocol and dialect."""

    names = ("postgresql",)
    driver = "psycopg"
    package = '"wechat-openid[postgresql]"'
    connect_options: ClassVar[Mapping[str, Any]] = {
        "connect_timeout": CONNECT_SECONDS,
        "tcp_user_timeout": HANG_SECONDS * 1000,
    }
    # A read of one statement is a transaction by itself; BEGIN and ROLLBACK would cost two round trips.
    reading_options: ClassVar[Mapping[str, Any]] = {"isolation_level": "AUTOCOMMIT"}

    def locks_migrations(self, connection: Connection) -> bool:
        """Take an advisory lock that the end of the session gives back."""
        taken = connection.scalar(func.pg_try_advisory_lock(MIGRATION_LOCK_NUMBER).select())
        connection.rollback()
        return bool(taken)

    def lock_timeout_sql(self, seconds: int) -> str:
        """Return the setting of lock_timeout."""
        return f"SET lock_timeout = '{seconds}s'"

    def now(self) -> ColumnElement[int]:
        """Return the time of the statement, rounded down (a cast would round to the nearest)."""
        return cast(func.floor(extract("epoch", func.statement_timestamp())), BigInteger)

    def upsert(self, table: Table, keys: Sequence[Column[Any]], assignments: Assignments) -> Insert:
        """Return INSERT … ON CONFLICT DO UPDATE."""
        insert = postgresql.insert(table).inline()
        changes = assignments(insert.excluded)
        return insert.on_conflict_do_update(index_elements=list(keys), set_={c.name: value for c, value in changes})

    @contextmanager
    def time_limit(self, connection: Connection, seconds: float) -> Iterator[None]:
        """Set it for the transaction, whose end takes it back.

        What may take long gets one processor besides: a count of millions would take all of them from the exchanges.
        """
        connection.exec_driver_sql(
            f"SET LOCAL statement_timeout = {round(seconds * 1000)}; SET LOCAL max_parallel_workers_per_gather = 0"
        )
        yield

    def is_too_slow(self, error: BaseException) -> bool:
        """Tell query_canceled."""
        return self.code_of(error) == "57014"

    def code_of(self, error: BaseException) -> str:
        """Return the SQLSTATE."""
        return getattr(error, "sqlstate", None) or ""

    def is_missing_schema(self, error: BaseException) -> bool:
        """Tell undefined_table and undefined_column."""
        return self.code_of(error) in {"42P01", "42703"}

    def is_rolled_back(self, error: BaseException) -> bool:
        """Tell serialization_failure, which is also CockroachDB's request to try again, and deadlock_detected.

        Not statement_completion_unknown (40003), by which CockroachDB says that it may have committed.
        """
        return self.code_of(error) in {"40001", "40P01"}

    def is_lost(self, error: BaseException) -> bool:
        """Tell read_only_sql_transaction: the server was the primary once, and the pool still leads to it."""
        return self.code_of(error) == "25006"
