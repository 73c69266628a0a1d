"""MySQL, MariaDB, and what speaks their protocol."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

from sqlalchemy import Column, ColumnElement, Connection, Insert, Select, Table, exc, func
from sqlalchemy.dialects import mysql
from sqlalchemy.types import BigInteger

from storage.sql.core.dialects.base import CONNECT_SECONDS, HANG_SECONDS, Assignments, Dialect

__all__ = ["MySQL", "force_index"]

#: The name of the lock that migrations take.
MIGRATION_LOCK = "wechat_openid_migration"


class MySQL(Dialect):
    """MySQL, MariaDB, and what speaks their protocol."""

    names = ("mysql", "mariadb")
    driver = "pymysql"
    package = '"wechat-openid[mysql]"'
    # REPEATABLE READ, the default, locks the gaps between rows as well: claims and grants would deadlock.
    engine_options: ClassVar[Mapping[str, Any]] = {"isolation_level": "READ COMMITTED", "pool_recycle": 3600}
    connect_options: ClassVar[Mapping[str, Any]] = {
        "charset": "utf8mb4",
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": HANG_SECONDS,
        "write_timeout": HANG_SECONDS,
        # Without strictness a token that is too long would be cut short in silence.
        "init_command": "SET SESSION sql_mode = CONCAT_WS(',', @@sql_mode, 'STRICT_ALL_TABLES')",
    }
    # Building an index takes its time.
    migrating_options: ClassVar[Mapping[str, Any]] = {"read_timeout": None, "write_timeout": None}

    def skips_locked_rows(self, connection: Connection) -> bool:
        """Ask the server: old ones have no SKIP LOCKED, and TiDB takes it and ignores it."""
        version = str(connection.exec_driver_sql("SELECT VERSION()").scalar_one())
        if "TiDB" in version:
            return False
        # Some proxies before MariaDB say 5.5.5-10.11.6-MariaDB, for the sake of old clients.
        numbers = re.match(r"(?:5\.5\.5-)?(\d+)\.(\d+)", version)
        needed = (10, 6) if "MariaDB" in version else (8, 0)
        return numbers is not None and (int(numbers[1]), int(numbers[2])) >= needed

    def locks_migrations(self, connection: Connection) -> bool:
        """Take a named lock that the end of the session gives back. Such names are the server's: add the database's."""
        name = func.concat(MIGRATION_LOCK, ":", func.md5(func.database()))
        taken = connection.scalar(func.get_lock(name, 0).select())
        connection.rollback()
        return bool(taken == 1)

    def lock_timeout_sql(self, seconds: int) -> str:
        """Return the setting of lock_wait_timeout, whose longest time is a year."""
        return f"SET SESSION lock_wait_timeout = {seconds or 31_536_000}"

    def now(self) -> ColumnElement[int]:
        """Return UNIX_TIMESTAMP()."""
        return func.unix_timestamp(type_=BigInteger)

    def upsert(self, table: Table, keys: Sequence[Column[Any]], assignments: Assignments) -> Insert:  # noqa: ARG002 - any unique key counts here
        """Return INSERT … ON DUPLICATE KEY UPDATE, its assignments in the order given."""
        insert = mysql.insert(table).inline()
        return insert.on_duplicate_key_update([(c.name, value) for c, value in assignments(insert.inserted)])

    @contextmanager
    def time_limit(self, connection: Connection, seconds: float) -> Iterator[None]:
        """Set it for the session and take it back. MySQL counts milliseconds, MariaDB seconds."""
        is_mariadb = getattr(connection.dialect, "is_mariadb", False)
        name, value = ("max_statement_time", seconds) if is_mariadb else ("max_execution_time", round(seconds * 1000))
        connection.exec_driver_sql(f"SET SESSION {name} = {value}")
        try:
            yield
        finally:
            with suppress(exc.SQLAlchemyError):  # a connection that broke is not given out again
                connection.exec_driver_sql(f"SET SESSION {name} = DEFAULT")

    def is_too_slow(self, error: BaseException) -> bool:
        """Tell ER_QUERY_TIMEOUT of MySQL and ER_STATEMENT_TIMEOUT of MariaDB."""
        return self.code_of(error) in {"3024", "1969"}

    def starts_with(self, column: Column[Any], prefix: str) -> ColumnElement[bool]:
        """Return LIKE: the order of a collation is not that of characters."""
        return column.startswith(prefix, autoescape=True)

    def code_of(self, error: BaseException) -> str:
        """Return the number of the error."""
        return str(error.args[0]) if error.args and isinstance(error.args[0], int) else ""

    def is_missing_schema(self, error: BaseException) -> bool:
        """Tell ER_NO_SUCH_TABLE and ER_BAD_FIELD_ERROR."""
        return self.code_of(error) in {"1146", "1054"}

    def is_bad_value(self, error: BaseException) -> bool:
        """Tell the refusals that PyMySQL calls operational: no value, out of range, not of the charset, too long."""
        return self.code_of(error) in {"1048", "1264", "1366", "1406"}

    def is_rolled_back(self, error: BaseException) -> bool:
        """Tell ER_LOCK_DEADLOCK, ER_LOCK_WAIT_TIMEOUT and TiDB's write conflict."""
        return self.code_of(error) in {"1213", "1205", "9007"}

    def is_lost(self, error: BaseException) -> bool:
        """Tell MariaDB's ER_CONNECTION_KILLED, ER_SERVER_SHUTDOWN, and a server that was the primary once."""
        return self.code_of(error) in {"1927", "1053", "1290", "1836"}


def force_index(statement: Select[Any], table: Table, *columns: Column[Any]) -> Select[Any]:
    """Have MySQL and MariaDB enter the index of these columns by all of the comparisons.

    For `a = ? AND b <= ? ORDER BY b` MariaDB (10.11) otherwise enters an index of a and b by a alone, and comes to b
    by reading every row before it.
    """
    hint = f"FORCE INDEX ({'_'.join(['ix', table.name, *(column.name for column in columns)])})"
    for name in MySQL.names:
        statement = statement.with_hint(table, hint, name)
    return statement
