"""SQLite."""

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import (
    URL,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Insert,
    Table,
    UnaryExpression,
    cast,
    event,
    func,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.operators import custom_op
from sqlalchemy.types import BigInteger

from storage.sql.core.dialects.base import Assignments, Dialect, MigrationWaits
from storage.sql.core.driver_options import sqlite_options
from storage.sql.core.products import Product, product_of

__all__ = ["SQLite"]

#: How long a writer waits for another writer of the same file, in seconds.
BUSY_SECONDS = 10
#: How many of its own steps SQLite takes between two looks at the time.
STEPS_BETWEEN_LOOKS = 10_000


class SQLite(Dialect):
    """A file. One writer at a time; readers never wait and are never waited for (WAL)."""

    driver = "pysqlite"
    package = "a Python that has the sqlite3 module"
    connect_options: ClassVar[Mapping[str, Any]] = {"timeout": BUSY_SECONDS, "check_same_thread": False}
    writing_options: ClassVar[Mapping[str, Any]] = {"begin": "BEGIN IMMEDIATE"}
    at_once_options = writing_options

    def check(self, url: URL) -> None:
        """Refuse a database in memory, of which each connection would see its own, and a folder that is not there.

        Only the default's folder is made: another that is missing is a slip of the pen, or a volume not mounted.
        """
        if url.database in (None, "", ":memory:"):
            raise ValueError(
                "DATABASE_URL names no SQLite file: write sqlite:///var/wechat-openid.db (four slashes for an "
                "absolute path), or choose the token store `memory` to keep nothing."
            )
        if url.database.startswith("file:"):
            return
        folder = Path(url.database).parent
        if not _is_made(folder) and not folder.is_dir():
            raise ValueError("DATABASE_URL names a file in a folder that is not there; make the folder, or mount it.")

    def options_of(self, url: URL) -> dict[str, Any]:
        """Read them to refuse what cannot be read."""
        return sqlite_options(url.query)

    def target(self, url: URL) -> tuple[URL, dict[str, Any]]:
        """Leave the options in the URL: some are SQLite's own, and part of the file's name."""
        given = self.options_of(url)
        return url, {name: value for name, value in self.connect_options.items() if name not in given}

    def prepare(self, engine: Engine) -> None:
        """Make each connection durable and patient, and each transaction say what it is going to do.

        A transaction that reads first and writes later cannot wait for another writer: SQLite fails it at once with
        "database is locked", whatever the timeout. So one that will write begins IMMEDIATE.
        """
        makes_folder = _is_made(Path(engine.url.database or "").parent)

        @event.listens_for(engine, "do_connect")
        def make_folder(_dialect: Any, _record: Any, arguments: list[Any], _options: dict[str, Any]) -> None:
            if not arguments[0].startswith("file:"):
                path = Path(arguments[0])
                if makes_folder:
                    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                # SQLite gives its other files, the log too, the mode of this one. A file that is there must not be
                # opened: closing it would end the locks that SQLite holds on it in this process (fcntl(2)).
                with contextlib.suppress(OSError):
                    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))

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
    def changing_schema(self, engine: Engine, waits: MigrationWaits) -> Iterator[Connection]:
        """Hold the write lock throughout, on a connection of its own with foreign keys off.

        A batch migration makes a table anew and drops the old one; that would delete the rows that refer to it.
        SQLite ignores this switch within a transaction.
        """
        with engine.execution_options(**self.writing_options).connect() as connection:
            connection.detach()
            connection.connection.cursor().execute("PRAGMA foreign_keys = OFF")
            connection.connection.cursor().execute(self.lock_timeout_sql(waits.other_migration_seconds))
            with connection.begin():
                yield connection

    def product(self, connection: Connection) -> Product:
        """Ask for it by SQLite's own name."""
        return product_of(f"SQLite {connection.exec_driver_sql('SELECT sqlite_version()').scalar_one()}")

    def locks_migrations(self, connection: Connection) -> bool:  # noqa: ARG002 - see `changing_schema`
        """Do nothing: the write lock is held already."""
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
        """Recognize SQLITE_INTERRUPT."""
        return self.code_of(error) == "SQLITE_INTERRUPT"

    def code_of(self, error: BaseException) -> str:
        """Return SQLite's name of the error, as SQLITE_BUSY."""
        return str(getattr(error, "sqlite_errorname", ""))

    def is_missing_schema(self, error: BaseException) -> bool:
        """Go by the text: SQLite has one code for every fault of a statement."""
        return str(error).startswith(("no such table", "no such column")) or "has no column named" in str(error)


def _is_made(folder: Path) -> bool:
    """Return whether a missing folder is made: `var`, below the working folder, and what is in it."""
    return folder.parts[:1] == ("var",)
