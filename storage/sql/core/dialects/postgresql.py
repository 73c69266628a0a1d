"""PostgreSQL, and what speaks its protocol and dialect."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, ClassVar

from sqlalchemy import (
    URL,
    Column,
    ColumnElement,
    Connection,
    Engine,
    ExceptionContext,
    Insert,
    Table,
    cast,
    event,
    extract,
    func,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import BigInteger

from storage.base.errors import StorageError
from storage.base.risks import StoreRisk
from storage.sql.core.addresses import hosts_of
from storage.sql.core.connection_faults import ConnectionFault
from storage.sql.core.dialects.base import (
    ANSWER_SECONDS,
    ARGUMENTS,
    CONNECT_SECONDS,
    KEEPALIVE_COUNT,
    KEEPALIVE_IDLE_SECONDS,
    KEEPALIVE_INTERVAL_SECONDS,
    SERVER_SECONDS,
    Assignments,
    Dialect,
    Step,
)
from storage.sql.core.driver_options import postgresql_options
from storage.sql.core.products import Product, product_of

__all__ = ["PostgreSQL"]

#: The lock that migrations take.
MIGRATION_LOCK_NUMBER = 8_216_334_927_551_120
#: The execution option that says which `Part` of a pipeline a statement is.
PART = "part_of_pipeline"
#: The argument of a connection whose statements may take any time; not one of the driver's.
UNLIMITED = "unlimited"
#: What a statement fails with whose preparation went to another session: it is unknown there, its name is taken by
#: another client's, or by one with other parameters.
PREPARED_ELSEWHERE = frozenset({"26000", "42P05", "08P01"})
#: What libpq and the server say where there is no connection.
_CONNECTION_FAULTS = (
    ("failed to resolve host", ConnectionFault.UNKNOWN_HOST),
    ("Connection refused", ConnectionFault.NOTHING_LISTENS),
    ('FATAL:  database "', ConnectionFault.NO_SUCH_DATABASE),
    ('FATAL:  role "', ConnectionFault.ACCESS_DENIED),
    ("authentication failed for user", ConnectionFault.ACCESS_DENIED),
    ("no password supplied", ConnectionFault.ACCESS_DENIED),
    ("no pg_hba.conf entry", ConnectionFault.ACCESS_DENIED),
)


@dataclass(frozen=True, slots=True)
class Part:
    """The place of a statement in a pipeline.

    Attributes:
        is_first: Whether BEGIN comes before it.
        leave: What ends the pipeline after it and COMMIT, if it is the last.
    """

    is_first: bool
    leave: Callable[[], None] | None


class PostgreSQL(Dialect):
    """PostgreSQL, and what speaks its protocol and dialect."""

    driver = "psycopg"
    package = '"wechat-openid[postgresql]"'
    connect_options: ClassVar[Mapping[str, Any]] = {
        "connect_timeout": CONNECT_SECONDS,
        "tcp_user_timeout": ANSWER_SECONDS * 1000,
        "keepalives_idle": KEEPALIVE_IDLE_SECONDS,
        "keepalives_interval": KEEPALIVE_INTERVAL_SECONDS,
        "keepalives_count": KEEPALIVE_COUNT,
    }
    # Building an index takes its time.
    migrating_options: ClassVar[Mapping[str, Any]] = {UNLIMITED: True}
    # A read of one statement is a transaction by itself; BEGIN and ROLLBACK would cost two round trips.
    # Without this, the driver would wait for the answer to its own BEGIN.
    at_once_options: ClassVar[Mapping[str, Any]] = {"isolation_level": "AUTOCOMMIT"}
    reading_options: ClassVar[Mapping[str, Any]] = {"isolation_level": "AUTOCOMMIT"}

    def options_of(self, url: URL) -> dict[str, Any]:
        """Return the options of psycopg and libpq; several hosts are two of them."""
        hosts = hosts_of(url) if "host" in url.query else []
        places = {"host": ",".join(name for name, _ in hosts), "port": ",".join(str(port or 5432) for _, port in hosts)}
        return {**postgresql_options(url.query), **(places if hosts else {})}

    def prepare(self, engine: Engine) -> None:
        """Prepare statements only where sessions are our own; give pipelines their end.

        A pooler that gives each transaction any session there is (PgBouncer in transaction mode) has the statements
        that this client prepared in other clients' sessions, under names that are theirs. A pooler hands out process
        numbers of its own, so each new connection compares them. One that hands out the server's is known by its
        errors. A number as `prepare_threshold` in the URL says that the pooler keeps prepared statements apart.
        """
        if engine.dialect.driver != self.driver:
            return
        from storage.sql.core.dialects.psycopg_limits import LimitedConnection  # noqa: PLC0415 - it needs the driver

        @event.listens_for(engine, "do_connect")
        def connect(_dialect: Any, _record: Any, _arguments: Any, options: dict[str, Any]) -> Any:
            is_unlimited = options.pop(UNLIMITED, False)
            connection = LimitedConnection.connect(**options)
            connection.answer_seconds = None if is_unlimited else ANSWER_SECONDS
            return connection

        for kind in ("do_execute", "do_executemany"):
            event.listen(engine, kind, _execute_in_pipeline)
        is_told = "prepare_threshold" in engine.get_execution_options()[ARGUMENTS]
        seen: list[str] = []

        @event.listens_for(engine, "connect", insert=True)
        def look_around(connection: Any, _record: Any) -> None:
            _require_unicode(connection)
            connection.autocommit = True
            product, is_pooled = _surroundings(connection)
            # A pooler's session is also somebody else's.
            if not is_pooled and getattr(connection, "answer_seconds", None) is not None:
                connection.execute(f"SET statement_timeout = {SERVER_SECONDS * 1000}", prepare=False)
            connection.autocommit = False
            if product.name == "CockroachDB":
                raise StorageError(f"The database is {product}, which is not supported; docs/scaling.md tells why.")
            if not is_told and (seen or is_pooled):
                connection.prepare_threshold = None

        @event.listens_for(engine, "handle_error")
        def take_note(context: ExceptionContext) -> None:
            code = self.code_of(context.original_exception)
            if code in PREPARED_ELSEWHERE:
                seen.append(code)

    def execute_at_once(self, connection: Connection, steps: Sequence[Step]) -> None:
        """Send everything from BEGIN to COMMIT before the first answer is waited for: one round trip.

        The server skips what comes after a statement that failed, COMMIT included.
        """
        if connection.dialect.driver != self.driver:
            super().execute_at_once(connection, steps)
            return
        raw: Any = connection.connection.driver_connection
        last = len(steps) - 1
        try:
            with ExitStack() as pipeline:
                pipeline.enter_context(raw.pipeline())
                for place, (statement, values) in enumerate(steps):
                    part = Part(is_first=place == 0, leave=pipeline.close if place == last else None)
                    connection.execute(statement, values, execution_options={PART: part})
        except BaseException:
            with suppress(connection.dialect.loaded_dbapi.Error):  # a connection that broke is not given out again
                raw.rollback()
            raise

    def locks_migrations(self, connection: Connection) -> bool:
        """Take an advisory lock that the end of the session gives back.

        Raises:
            StorageError: The session is a pooler's, and would keep the lock.
        """
        arguments = connection.engine.get_execution_options()[ARGUMENTS]
        if arguments.get("prepare_threshold") is None and _surroundings(connection.connection.driver_connection)[1]:
            raise StorageError(
                "There is a pooler between, and migrations need a session of their own: run this with the address of "
                "the database itself. Where the pooler gives each client its own session, add prepare_threshold=5 to "
                "the options of DATABASE_URL."
            )
        taken = connection.scalar(func.pg_try_advisory_lock(MIGRATION_LOCK_NUMBER).select())
        connection.rollback()
        return bool(taken)

    def risks(self, connection: Connection) -> Sequence[StoreRisk]:
        """Read fsync and synchronous_commit; of the latter, every value but `off` waits for the own disk."""
        asked = "SELECT current_setting('fsync'), current_setting('synchronous_commit')"
        fsync, commit = connection.exec_driver_sql(asked).one()
        if fsync == "off":
            return (StoreRisk.CRASH_LOSES_MUCH,)
        return (StoreRisk.CRASH_LOSES_LAST,) if commit == "off" else ()

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
        raw: Any = connection.connection.driver_connection
        raw.answer_seconds = seconds + ANSWER_SECONDS
        try:
            yield
        finally:
            raw.answer_seconds = ANSWER_SECONDS

    def is_too_slow(self, error: BaseException) -> bool:
        """Recognize query_canceled."""
        return self.code_of(error) == "57014"

    def code_of(self, error: BaseException) -> str:
        """Return the SQLSTATE."""
        return getattr(error, "sqlstate", None) or ""

    def is_missing_schema(self, error: BaseException) -> bool:
        """Recognize undefined_table and undefined_column."""
        return self.code_of(error) in {"42P01", "42703"}

    def is_rolled_back(self, error: BaseException) -> bool:
        """Recognize serialization_failure, which is also CockroachDB's request to try again, and deadlock_detected.

        Not statement_completion_unknown (40003), by which CockroachDB says that it may have committed.
        """
        return self.code_of(error) in {"40001", "40P01"}

    def connection_fault(self, error: BaseException) -> ConnectionFault | None:
        """Go by the text: libpq gives no SQLSTATE of what a server answers before there is a session.

        A server that speaks another language than English is not understood.
        """
        if not str(error).startswith(("connection failed", "failed to resolve")):
            return None
        return next((fault for words, fault in _CONNECTION_FAULTS if words in str(error)), None)

    def is_lost(self, error: BaseException) -> bool:
        """Recognize a server that was the primary once (read_only_sql_transaction), and sessions shared by a pooler."""
        return self.code_of(error) in {"25006", *PREPARED_ELSEWHERE}


def _execute_in_pipeline(cursor: Any, statement: str, values: Any, context: Any) -> bool:
    """Execute a statement of a pipeline, and what begins and ends it: here errors become SQLAlchemy's."""
    part = context.execution_options.get(PART)
    if part is None:
        return False
    if part.is_first:
        cursor.connection.execute("BEGIN")
    if context.executemany:
        cursor.executemany(statement, values)
    else:
        cursor.execute(statement, values)
    if part.leave is not None:
        cursor.connection.execute("COMMIT")
        part.leave()
    return True


def _require_unicode(connection: Any) -> None:
    """Refuse a database whose encoding has no place for the names of users.

    Raises:
        StorageError: Its encoding is another than UTF8, which the server reports to each session.
    """
    encoding = connection.info.parameter_status("server_encoding") or "UTF8"
    if encoding != "UTF8":
        raise StorageError(
            f"The database's encoding is {encoding}, which cannot hold every name of a user; make one with "
            "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0."
        )


def _surroundings(connection: Any) -> tuple[Product, bool]:
    """Return which database answers, and whether there is a pooler between.

    A pooler hands out numbers of processes that are its own.
    """
    # Not prepared: this one, too, may meet another client's session.
    version, process = connection.execute("SELECT version(), pg_backend_pid()", prepare=False).fetchone()
    return product_of(version), process != connection.info.backend_pid
