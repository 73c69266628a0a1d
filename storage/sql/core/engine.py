"""Connections: an engine from a URL, and `Database`, which runs transactions and turns errors into storage's own."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Self, TypeVar

from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event, exc

from storage.base.errors import InvalidRecord, SchemaNotReady, StorageError, StoreTooSlow, StoreUnavailable
from storage.sql.core.addresses import hosts_of, parse_url, place_of
from storage.sql.core.dialects import dialect_named, supported
from storage.sql.core.dialects.base import ARGUMENTS, HOSTS, PATIENT, Dialect, MigrationWaits, Step

__all__ = ["HOW_TO_MIGRATE", "Database", "make_engine", "read_url"]

Result = TypeVar("Result")

POOL_SIZE = 10
#: Connections beyond the pool's size, closed when they are given back.
POOL_OVERFLOW = 10
#: How long a caller waits for a free connection, in seconds.
POOL_SECONDS = 10
#: How often a transaction is tried that the database gave up, or whose connection broke before its commit.
#: Nodes of Galera that write the same row give each other's transactions up again and again.
ATTEMPTS = 10
#: The longest pause before the second try, in seconds; it doubles with each up to a limit. Chance keeps rivals out of
#: step.
PAUSE_SECONDS = 0.01
LONGEST_PAUSE_SECONDS = 0.25
#: How long a transaction is tried again, in seconds: some fail only after a long wait for somebody's lock.
REPEATING_SECONDS = 10.0

HOW_TO_MIGRATE = "run: wechat-openid migrate (in a checkout also: alembic upgrade head)"


def make_engine(url: str) -> Engine:
    """Make an engine, ready for several threads. Nothing is connected yet.

    A URL without a driver (`postgresql://…`, `mysql://…`) gets the one this package installs.

    Raises:
        ValueError: The URL cannot be read, names a database that is not supported, or its driver is not installed.
            The text never holds the URL, which may hold a password.
    """
    address = read_url(url)
    dialect = dialect_named(address.get_backend_name())
    dialect.check(address)
    try:
        if address.get_dialect().is_async:
            raise ValueError("DATABASE_URL names an asynchronous driver; leave the driver out.")
        target, arguments = dialect.target(address)
        engine = create_engine(
            target,
            connect_args=arguments,
            execution_options={ARGUMENTS: arguments, HOSTS: hosts_of(address)},
            hide_parameters=True,  # values are tokens and openids; keep them out of errors and logs
            pool_size=POOL_SIZE,
            max_overflow=POOL_OVERFLOW,
            pool_timeout=POOL_SECONDS,
            pool_use_lifo=True,
            **dialect.engine_options,
        )
    except ModuleNotFoundError as error:
        failure = f"The driver {error.name!r} is not installed. Install it with: pip install {dialect.package}"
    except exc.NoSuchModuleError:
        failure = "DATABASE_URL names a driver that SQLAlchemy does not know; leave the driver out."
    else:
        dialect.prepare(engine)
        _replace_lost_connections(engine, dialect)
        return engine
    raise ValueError(failure)


def read_url(url: str) -> URL:
    """Read a URL and fill in the driver.

    Raises:
        ValueError: It cannot be read, or names a database that is not supported. The text never holds it.
    """
    address = parse_url(url)
    backend, _, driver = address.drivername.partition("+")
    if backend not in supported():
        raise ValueError(f"DATABASE_URL names no supported database; choose one of {', '.join(supported())}.")
    return address.set(drivername=f"{backend}+{driver or dialect_named(backend).driver}")


def _replace_lost_connections(engine: Engine, dialect: Dialect) -> None:
    """Have the pool give up connections that the dialect knows to be of no use."""

    @event.listens_for(engine, "handle_error")
    def note(context: ExceptionContext) -> None:
        if dialect.is_lost(context.original_exception):
            context.is_disconnect = True


class Database:
    """Runs pieces of work as transactions, from any thread.

    A piece of work is a function of a connection. It may be run again when its transaction came to nothing (the
    connection broke before the commit, or the database gave it up for another), so it must do nothing else.

    Every method raises `StoreUnavailable`, `InvalidRecord` or `SchemaNotReady`; their texts name the kind of error
    and never a value.

    Args:
        engine: The engine, as `make_engine` makes it.
        repeating_seconds: For how long work is begun again; whatever was begun by then goes to its end.

    Attributes:
        place: What the database is and where, for messages.
    """

    def __init__(self, engine: Engine, repeating_seconds: float = REPEATING_SECONDS) -> None:
        self.engine = engine
        self._repeating_seconds = repeating_seconds
        self.dialect: Dialect = dialect_named(engine.dialect.name)
        hosts = engine.get_execution_options()[HOSTS]
        self.place = place_of(engine.url, hosts)
        # Of several hosts each may have failed for another reason.
        self._has_one_host = len(hosts) <= 1
        self._reader = engine.execution_options(**self.dialect.reading_options)
        self._writer = engine.execution_options(**self.dialect.writing_options)
        own_driver = engine.dialect.driver == self.dialect.driver
        self._at_once = engine.execution_options(**self.dialect.at_once_options) if own_driver else self._writer

    @classmethod
    def open(cls, url: str) -> Self:
        """Make one from a URL; see `make_engine`."""
        return cls(make_engine(url))

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """Run work that only reads. Of several statements each may see a later state."""
        return self._run(self._reader, work)

    def read_within(self, seconds: float, work: Callable[[Connection], Result]) -> Result:
        """Run work that only reads, in one transaction, none of whose statements may take longer.

        Raises:
            StoreTooSlow: One did.
        """

        def limited(connection: Connection) -> Result:
            with self.dialect.time_limit(connection, seconds):
                return work(connection)

        return self._run(self.engine, limited, is_limited=True)

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """Run work that writes, in one transaction. When this returns, it is committed."""
        return self._run(self._writer, work)

    def write_at_once(self, steps: Sequence[Step]) -> None:
        """Execute statements, none of which returns anything, in one transaction, in as few round trips as can be.

        When this returns, it is committed. Where a connection breaks before the answer, it may have been committed,
        and is done again: it must do no harm a second time.
        """
        self._run(self._at_once, lambda one: self.dialect.execute_at_once(one, steps), is_repeatable=True)

    @contextmanager
    def changing_schema(self, waits: MigrationWaits = PATIENT) -> Iterator[Connection]:
        """Yield a connection for migrations; other processes that migrate the same database wait."""
        failure: StorageError
        try:
            with self.dialect.changing_schema(self.engine, waits) as connection:
                yield connection
                return
        except exc.DBAPIError as error:
            failure = self._translated(error)
        raise failure

    def close(self) -> None:
        """Close the connections that are not in use."""
        self.engine.dispose()

    def _run(
        self,
        engine: Engine,
        work: Callable[[Connection], Result],
        *,
        is_repeatable: bool = False,
        is_limited: bool = False,
    ) -> Result:
        attempt = 0
        repeats_until = time.monotonic() + self._repeating_seconds
        while True:
            attempt += 1
            committing = False
            # The error is translated inside of the handler and raised outside of it: a driver's error holds values
            # of the row, and must not travel along as the context of ours.
            failure: StorageError
            try:
                with engine.connect() as connection:
                    result = work(connection)
                    committing = not is_repeatable
                    connection.commit()
                    return result
            except exc.DBAPIError as error:
                may_repeat = attempt < ATTEMPTS and time.monotonic() < repeats_until
                if may_repeat and self._came_to_nothing(error, committing=committing):
                    pause = min(LONGEST_PAUSE_SECONDS, PAUSE_SECONDS * 2 ** (attempt - 1))
                    time.sleep(random.uniform(0, pause))  # noqa: S311 - no secret
                    continue
                failure = self._translated(error, is_limited=is_limited)
            except exc.TimeoutError:
                failure = StoreUnavailable(f"No connection to the database became free within {POOL_SECONDS} s.")
            except (exc.StatementError, OverflowError, UnicodeEncodeError) as error:
                failure = InvalidRecord(f"A value does not fit its column ({type(error).__name__}).")
            except OSError as error:
                failure = StoreUnavailable(f"The database cannot be reached ({type(error).__name__}).")
            raise failure

    def _came_to_nothing(self, error: exc.DBAPIError, *, committing: bool) -> bool:
        """Return whether the transaction surely changed nothing and may go through the next time."""
        if error.connection_invalidated:
            return not committing
        return error.orig is not None and self.dialect.is_rolled_back(error.orig)

    def _translated(self, error: exc.DBAPIError, *, is_limited: bool = False) -> StorageError:
        cause = error.orig if error.orig is not None else error
        kind = f"{type(cause).__name__} {self.dialect.code_of(cause)}".rstrip()
        if self.dialect.is_too_slow(cause):
            if is_limited:
                return StoreTooSlow("The answer would take too long; narrow the filters.")
            return StoreUnavailable(f"The database {self.place} does not answer in time ({kind}).")
        if self.dialect.is_missing_schema(cause):
            return SchemaNotReady(f"The database's tables are missing or older than the code; {HOW_TO_MIGRATE}")
        if isinstance(error, exc.IntegrityError | exc.DataError) or self.dialect.is_bad_value(cause):
            return InvalidRecord(f"The database refuses a record ({kind}).")
        if isinstance(error, exc.ProgrammingError | exc.NotSupportedError):
            return StorageError(f"The database refuses a statement ({kind}).")
        fault = self.dialect.connection_fault(cause) if self._has_one_host else None
        sentence = (
            fault.sentence(self.place, self.engine.url.database)
            if fault
            else f"The database {self.place} does not answer"
        )
        return StoreUnavailable(f"{sentence} ({kind}).")
