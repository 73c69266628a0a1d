"""Every difference between databases, one class for each kind. To support another is to add a class.

The rest of `storage.sql` speaks SQLAlchemy Core and asks the `Dialect` for what SQL has no common word for.
"""

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import (
    URL,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Insert,
    NullPool,
    Select,
    Table,
    UnaryExpression,
    and_,
    cast,
    create_engine,
    event,
    exc,
    extract,
    func,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.sql.operators import custom_op
from sqlalchemy.types import BigInteger

from storage.base.errors import StoreUnavailable

__all__ = ["Assignments", "Dialect", "MySQL", "PostgreSQL", "SQLite", "dialect_named", "force_index", "supported"]

#: Given the row that was to be inserted, says what the row that is there already becomes. Assignments must be
#: right when they are made one after the other, each seeing those before it, as MySQL does.
Assignments = Callable[[Any], list[tuple[Column[Any], ColumnElement[Any]]]]

#: How long a connection may take, and how long a statement may hang on a dead network, in seconds.
CONNECT_SECONDS = 5
HANG_SECONDS = 30
#: How long a writer waits for another writer of the same SQLite file, in seconds.
BUSY_SECONDS = 10
#: The name of the lock that migrations take, and its number where locks are numbered.
MIGRATION_LOCK = "wechat_openid_migration"
MIGRATION_LOCK_NUMBER = 8_216_334_927_551_120
#: How long a migration waits for another one, and how often it asks whether that is over, in seconds.
MIGRATION_WAIT_SECONDS = 600
MIGRATION_POLL_SECONDS = 0.2
#: How long a change of a table waits for whoever uses the table, in seconds. All who come later wait behind it.
TABLE_LOCK_SECONDS = 10
#: How many of its own steps SQLite takes between two looks at the time.
STEPS_BETWEEN_LOOKS = 10_000
#: The last character there is: no text that begins with a prefix sorts behind the prefix and this.
LAST_CHARACTER = "\U0010ffff"


class Dialect(ABC):
    """One kind of database."""

    #: SQLAlchemy's names of it.
    names: ClassVar[tuple[str, ...]]
    #: What is asked for when a URL names no driver.
    driver: ClassVar[str]
    #: What to install when the driver is missing.
    package: ClassVar[str]
    engine_options: ClassVar[Mapping[str, Any]] = {}
    connect_options: ClassVar[Mapping[str, Any]] = {}
    #: How a connection that migrates differs.
    migrating_options: ClassVar[Mapping[str, Any]] = {}
    #: Execution options of a connection that only reads, and of one that writes.
    reading_options: ClassVar[Mapping[str, Any]] = {}
    writing_options: ClassVar[Mapping[str, Any]] = {}

    def check(self, url: URL) -> None:  # noqa: B027 - most databases have nothing to add
        """Raise ValueError when a URL of this kind cannot serve."""

    def prepare(self, engine: Engine) -> None:  # noqa: B027 - most databases have nothing to add
        """Set up an engine before its first connection."""

    def skips_locked_rows(self, connection: Connection) -> bool:  # noqa: ARG002 - only MySQL has to ask
        """Tell whether `SELECT … FOR UPDATE SKIP LOCKED` leaves out rows that another transaction holds."""
        return True

    @contextmanager
    def changing_schema(self, engine: Engine) -> Iterator[Connection]:
        """Give a connection for migrations while nobody else migrates this database.

        It is a connection of its own and not in a transaction. The lock belongs to the session and outlives commits,
        because some changes cannot be made in a transaction, and some commit by themselves.
        """
        own = create_engine(
            engine.url,
            connect_args={**self.connect_options, **self.migrating_options},
            poolclass=NullPool,  # the end of the connection gives the lock back
            hide_parameters=True,
        )
        with own.connect() as connection:
            _wait_for(lambda: self.locks_migrations(connection))
            connection.exec_driver_sql(self.lock_timeout_sql(TABLE_LOCK_SECONDS))
            connection.commit()
            yield connection

    @abstractmethod
    def locks_migrations(self, connection: Connection) -> bool:
        """Take the lock that keeps others from migrating, if it is free; return at once, out of any transaction.

        Who waits must not be in a transaction: PostgreSQL builds an index concurrently only when transactions that
        began before have ended, so that one who waited in a transaction for the builder would never stop waiting.
        """

    @abstractmethod
    def lock_timeout_sql(self, seconds: int) -> str:
        """Return the statement by which a session's changes of a table wait for so long; 0 is without end."""

    @abstractmethod
    def now(self) -> ColumnElement[int]:
        """Return the expression of the database's own clock, in whole seconds since the epoch."""

    @abstractmethod
    def upsert(self, table: Table, keys: Sequence[Column[Any]], assignments: Assignments) -> Insert:
        """Return an INSERT that changes the row there is, by `assignments`, where `keys` are taken."""

    @contextmanager
    @abstractmethod
    def time_limit(self, connection: Connection, seconds: float) -> Iterator[None]:
        """Have the database give up a statement of this connection's transaction that takes longer."""

    @abstractmethod
    def is_too_slow(self, error: BaseException) -> bool:
        """Tell whether a statement was given up for its time limit."""

    def starts_with(self, column: Column[Any], prefix: str) -> ColumnElement[bool]:
        """Return the condition that a text begins with a prefix, in a form that an index serves."""
        return and_(column >= prefix, column < prefix + LAST_CHARACTER)

    def without_index(self, column: Column[Any]) -> ColumnElement[Any]:
        """Return a column for a comparison by which no index is to be entered, where the planner has to be told."""
        return column

    @abstractmethod
    def code_of(self, error: BaseException) -> str:
        """Return the driver's code for an error: a word or number that holds no value of a row."""

    @abstractmethod
    def is_missing_schema(self, error: BaseException) -> bool:
        """Tell whether a table or column is missing."""

    def is_bad_value(self, error: BaseException) -> bool:  # noqa: ARG002 - only MySQL has to ask
        """Tell whether a value was refused, where the driver's type of error does not say so."""
        return False

    def is_rolled_back(self, error: BaseException) -> bool:  # noqa: ARG002 - SQLite has one writer at a time
        """Tell whether the database gave up the transaction for the sake of another: it may be repeated."""
        return False

    def is_lost(self, error: BaseException) -> bool:  # noqa: ARG002 - a file cannot be lost
        """Tell whether a connection is of no use any more, where SQLAlchemy does not know the error as such."""
        return False


class SQLite(Dialect):
    """A file. One writer at a time; readers never wait and are never waited for (WAL)."""

    names = ("sqlite",)
    driver = "pysqlite"
    package = "a Python that has the sqlite3 module"
    connect_options: ClassVar[Mapping[str, Any]] = {"timeout": BUSY_SECONDS, "check_same_thread": False}
    writing_options: ClassVar[Mapping[str, Any]] = {"begin": "BEGIN IMMEDIATE"}

    def check(self, url: URL) -> None:
        """Refuse a database in memory: each connection would see one of its own."""
        if url.database in (None, "", ":memory:"):
            raise ValueError(
                "DATABASE_URL names no SQLite file: write sqlite:///var/wechat-openid.db (four slashes for an "
                "absolute path), or choose the token store `memory` to keep nothing."
            )

    def prepare(self, engine: Engine) -> None:
        """Make each connection durable and patient, and each transaction say what it is going to do.

        A transaction that reads first and writes later cannot wait for another writer: SQLite fails it at once with
        "database is locked", whatever the timeout. So one that will write begins IMMEDIATE.
        """

        @event.listens_for(engine, "do_connect")
        def make_folder(_dialect: Any, _record: Any, arguments: list[Any], _options: dict[str, Any]) -> None:
            if not arguments[0].startswith("file:"):
                Path(arguments[0]).parent.mkdir(mode=0o700, parents=True, exist_ok=True)

        @event.listens_for(engine, "connect")
        def configure(connection: Any, _record: Any) -> None:
            connection.isolation_level = None  # the driver begins nothing by itself; `begin` below does
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            # A page that many commits change is copied from the log into the file once in 40 MB, not once in 4.
            connection.execute("PRAGMA wal_autocheckpoint = 10000")

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    @contextmanager
    def changing_schema(self, engine: Engine) -> Iterator[Connection]:
        """Hold the write lock throughout, on a connection of its own with foreign keys off.

        A batch migration makes a table anew and drops the old one; that would delete the rows that refer to it.
        SQLite heeds this switch only outside of a transaction.
        """
        with engine.execution_options(**self.writing_options).connect() as connection:
            connection.detach()
            connection.connection.cursor().execute("PRAGMA foreign_keys = OFF")
            connection.connection.cursor().execute(self.lock_timeout_sql(MIGRATION_WAIT_SECONDS))
            with connection.begin():
                yield connection

    def locks_migrations(self, connection: Connection) -> bool:  # noqa: ARG002 - see `changing_schema`
        """Do nothing: who writes has the lock."""
        return True

    def lock_timeout_sql(self, seconds: int) -> str:
        """Return the PRAGMA of the time that a writer waits for another."""
        return f"PRAGMA busy_timeout = {seconds * 1000}"

    def now(self) -> ColumnElement[int]:
        """Return `strftime`: `unixepoch` is newer than some SQLite that Python 3.11 is shipped with."""
        return cast(func.strftime("%s", "now"), BigInteger)

    def upsert(self, table: Table, keys: Sequence[Column[Any]], assignments: Assignments) -> Insert:
        """Return INSERT … ON CONFLICT DO UPDATE."""
        insert = sqlite.insert(table).inline()
        changes = assignments(insert.excluded)
        return insert.on_conflict_do_update(index_elements=list(keys), set_={c.name: value for c, value in changes})

    @contextmanager
    def time_limit(self, connection: Connection, seconds: float) -> Iterator[None]:
        """Look at the time every so many steps."""
        raw: Any = connection.connection.driver_connection
        deadline = time.monotonic() + seconds
        raw.set_progress_handler(lambda: time.monotonic() > deadline, STEPS_BETWEEN_LOOKS)
        try:
            yield
        finally:
            raw.set_progress_handler(None, 0)

    def without_index(self, column: Column[Any]) -> ColumnElement[Any]:
        """Return `+ column`: without statistics, which few SQLite files have, any index looks as good as another."""
        return UnaryExpression(column, operator=custom_op("+"), type_=column.type)

    def is_too_slow(self, error: BaseException) -> bool:
        """Tell SQLITE_INTERRUPT."""
        return self.code_of(error) == "SQLITE_INTERRUPT"

    def code_of(self, error: BaseException) -> str:
        """Return SQLite's name of the error, as SQLITE_BUSY."""
        return str(getattr(error, "sqlite_errorname", ""))

    def is_missing_schema(self, error: BaseException) -> bool:
        """Go by the text: SQLite has one code for every fault of a statement."""
        return str(error).startswith(("no such table", "no such column")) or "has no column named" in str(error)


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


def _wait_for(take: Callable[[], bool]) -> None:
    """Try to take the lock of migrations until it is free."""
    ends_at = time.monotonic() + MIGRATION_WAIT_SECONDS
    while not take():
        if time.monotonic() > ends_at:
            raise StoreUnavailable(f"Somebody else has been migrating this database for {MIGRATION_WAIT_SECONDS} s.")
        time.sleep(MIGRATION_POLL_SECONDS)


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
