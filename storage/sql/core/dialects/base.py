"""What is asked of a database: `Dialect`, the words that SQL has no common ones for."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from sqlalchemy import (
    URL,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Executable,
    Insert,
    NullPool,
    Table,
    and_,
    create_engine,
)

from storage.base.errors import StoreUnavailable
from storage.base.risks import StoreRisk
from storage.sql.core.connection_faults import ConnectionFault
from storage.sql.core.products import Product, product_of

__all__ = [
    "ANSWER_SECONDS",
    "ARGUMENTS",
    "CONNECT_SECONDS",
    "HOSTS",
    "KEEPALIVE_COUNT",
    "KEEPALIVE_IDLE_SECONDS",
    "KEEPALIVE_INTERVAL_SECONDS",
    "PATIENT",
    "SERVER_SECONDS",
    "Assignments",
    "Dialect",
    "MigrationWaits",
    "Step",
]

#: Given the row that was to be inserted, says what the row that is there already becomes. Assignments must be
#: right when they are made one after the other, each seeing those before it, as MySQL does.
Assignments = Callable[[Any], list[tuple[Column[Any], ColumnElement[Any]]]]

#: A statement that returns nothing, and the values of each time that it is executed.
Step = tuple[Executable, Sequence[Mapping[str, Any]]]

#: The execution options of an engine that hold what its driver is given to connect, and the hosts it may connect to.
ARGUMENTS = "connect_arguments"
HOSTS = "hosts"
#: How long a connection may take, and how long a statement may hang on a dead network, in seconds.
CONNECT_SECONDS = 5
#: How long an answer may take. Then its connection is given up, and all others of the pool with it: a server that
#: vanished has left none behind that works.
ANSWER_SECONDS = 8
#: When the server itself gives a statement up, or waiting for a lock, so that the connection outlives it.
SERVER_SECONDS = 6
#: How soon the kernel finds out that nobody is at the other end of a connection: after so many seconds without a word
#: it asks, and again after each interval.
KEEPALIVE_IDLE_SECONDS = 5
KEEPALIVE_INTERVAL_SECONDS = 2
KEEPALIVE_COUNT = 3
#: How often a migration asks whether another one is over, in seconds.
MIGRATION_POLL_SECONDS = 0.2
#: The last character there is: no text that begins with a prefix sorts behind the prefix and this.
LAST_CHARACTER = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class MigrationWaits:
    """How long migrations wait, in seconds.

    Attributes:
        other_migration_seconds: For another process that migrates the same database.
        table_lock_seconds: For the transactions that use a table that is changed. Later ones wait behind the change.
    """

    other_migration_seconds: int = 600
    table_lock_seconds: int = 10


#: How long they wait in service.
PATIENT = MigrationWaits()


class Dialect(ABC):
    """One kind of database."""

    #: What is asked for when a URL names no driver.
    driver: ClassVar[str]
    #: What to install when the driver is missing.
    package: ClassVar[str]
    engine_options: ClassVar[Mapping[str, Any]] = {}
    connect_options: ClassVar[Mapping[str, Any]] = {}
    #: How a connection that migrates differs.
    migrating_options: ClassVar[Mapping[str, Any]] = {}
    #: Execution options of a connection that only reads, of one that writes, and of one for `execute_at_once` with the
    #: driver named here.
    reading_options: ClassVar[Mapping[str, Any]] = {}
    writing_options: ClassVar[Mapping[str, Any]] = {}
    at_once_options: ClassVar[Mapping[str, Any]] = {}

    def check(self, url: URL) -> None:  # noqa: B027 - most databases have nothing to add
        """Raise ValueError when a URL of this kind cannot serve."""

    @abstractmethod
    def options_of(self, url: URL) -> dict[str, Any]:
        """Return the options of a URL as the driver wants them, several hosts included.

        Raises:
            ValueError: One is not known, or cannot be read. The text quotes nothing of the URL.
        """

    def target(self, url: URL) -> tuple[URL, dict[str, Any]]:
        """Return what SQLAlchemy is given to connect to a URL: a URL without options, and the driver's arguments.

        Another driver than the one named here knows its own options.

        Raises:
            ValueError: See `options_of`.
        """
        if url.get_driver_name() != self.driver:
            return url, {name: value for name, value in self.connect_options.items() if name not in url.query}
        return url.set(query={}), {**self.connect_options, **self.options_of(url)}

    def prepare(self, engine: Engine) -> None:  # noqa: B027 - most databases have nothing to add
        """Set up an engine before its first connection."""

    def product(self, connection: Connection) -> Product:
        """Return which database answers."""
        return product_of(str(connection.exec_driver_sql("SELECT version()").scalar_one()))

    def execute_at_once(self, connection: Connection, steps: Sequence[Step]) -> None:
        """Execute statements as one transaction, which the caller commits unless this has done so."""
        for statement, values in steps:
            connection.execute(statement, values)

    def risks(self, connection: Connection) -> Sequence[StoreRisk]:  # noqa: ARG002 - a file is as durable as its disk
        """Return what the server may lose of what it has committed, by its settings."""
        return ()

    def skips_locked_rows(self, connection: Connection) -> bool:  # noqa: ARG002 - only MySQL has to ask
        """Return whether `SELECT … FOR UPDATE SKIP LOCKED` leaves out rows that another transaction holds."""
        return True

    @contextmanager
    def changing_schema(self, engine: Engine, waits: MigrationWaits) -> Iterator[Connection]:
        """Yield a connection for migrations while no other process migrates this database.

        It is a connection of its own and not in a transaction. The lock belongs to the session and outlives commits,
        because some changes cannot be made in a transaction, and some commit by themselves.
        """
        own = create_engine(
            engine.url,
            connect_args={**engine.get_execution_options()[ARGUMENTS], **self.migrating_options},
            execution_options=dict(engine.get_execution_options()),
            poolclass=NullPool,  # the end of the connection gives the lock back
            hide_parameters=True,
        )
        self.prepare(own)
        with own.connect() as connection:
            _wait_for(lambda: self.locks_migrations(connection), waits.other_migration_seconds)
            connection.exec_driver_sql(self.lock_timeout_sql(waits.table_lock_seconds))
            connection.commit()
            yield connection

    @abstractmethod
    def locks_migrations(self, connection: Connection) -> bool:
        """Take the lock that keeps others from migrating, if it is free; return at once, out of any transaction.

        The waiting session must not be in a transaction: PostgreSQL builds an index concurrently only when the
        transactions that began before have ended, and would wait for one that waits for the lock.
        """

    def has_locks_of_nodes(self, connection: Connection) -> bool:  # noqa: ARG002 - only Galera has
        """Return whether that lock is a node's own, so that another process may be migrating through another node."""
        return False

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
        """Return whether a statement was given up for its time limit."""

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
        """Return whether a table or column is missing."""

    def is_bad_value(self, error: BaseException) -> bool:  # noqa: ARG002 - only MySQL has to ask
        """Return whether a value was refused, where the driver's type of error does not say so."""
        return False

    def is_rolled_back(self, error: BaseException) -> bool:  # noqa: ARG002 - SQLite has one writer at a time
        """Return whether the database gave up the transaction for the sake of another: it may be repeated."""
        return False

    def connection_fault(self, error: BaseException) -> ConnectionFault | None:  # noqa: ARG002 - a file needs no server
        """Return why there is no connection; None where the error is another one or does not say."""
        return None

    def is_lost(self, error: BaseException) -> bool:  # noqa: ARG002 - a file cannot be lost
        """Return whether a connection is of no use any more, where SQLAlchemy does not know the error as such."""
        return False


def _wait_for(take: Callable[[], bool], seconds: int) -> None:
    """Try to take the lock of migrations until it is free."""
    ends_at = time.monotonic() + seconds
    while not take():
        if time.monotonic() > ends_at:
            raise StoreUnavailable(f"Another process has been migrating this database for {seconds} s.")
        time.sleep(MIGRATION_POLL_SECONDS)
