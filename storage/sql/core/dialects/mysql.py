"""MySQL, MariaDB, and what speaks their protocol."""

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

from sqlalchemy import (
    URL,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Insert,
    Table,
    event,
    exc,
    func,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.types import BigInteger

from storage.base.risks import StoreRisk
from storage.sql.core.connection_faults import ConnectionFault
from storage.sql.core.dialects.base import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    HOSTS,
    KEEPALIVE_COUNT,
    KEEPALIVE_IDLE_SECONDS,
    KEEPALIVE_INTERVAL_SECONDS,
    SERVER_SECONDS,
    Assignments,
    Dialect,
    Step,
)
from storage.sql.core.driver_options import mysql_options

__all__ = ["MySQL"]

#: The name of the lock that migrations take.
MIGRATION_LOCK = "wechat_openid_migration"
DEFAULT_PORT = 3306
#: The errors of a server that cannot be reached (the driver's own number), and of one that is not to be used just now.
CANNOT_CONNECT = 2003
NOT_READY = 1047
#: What a server refuses a connection with, and what keeps one from a server.
_REFUSALS = {
    "1044": ConnectionFault.ACCESS_DENIED,
    "1045": ConnectionFault.ACCESS_DENIED,
    "1698": ConnectionFault.ACCESS_DENIED,
    "1049": ConnectionFault.NO_SUCH_DATABASE,
}
_UNREACHABLE = {
    "gaierror": ConnectionFault.UNKNOWN_HOST,
    "ConnectionRefusedError": ConnectionFault.NOTHING_LISTENS,
}
#: How far a Galera node waits before it reads, updates or deletes: until it knows what any node has committed.
SEES_EVERY_COMMIT = 3
#: What every session is told. Without strictness a token that is too long would be cut short in silence; with safe
#: updates, statements are refused for the plan that the optimizer chose.
SESSION = "SET SESSION sql_mode = CONCAT_WS(',', @@sql_mode, 'STRICT_ALL_TABLES'), sql_safe_updates = 0"


class MySQL(Dialect):
    """MySQL, MariaDB, and what speaks their protocol."""

    driver = "pymysql"
    package = '"wechat-openid[mysql]"'
    # REPEATABLE READ, the default, locks the gaps between rows as well: claims and grants would deadlock.
    engine_options: ClassVar[Mapping[str, Any]] = {"isolation_level": "READ COMMITTED", "pool_recycle": 3600}
    connect_options: ClassVar[Mapping[str, Any]] = {
        "charset": "utf8mb4",
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": ANSWER_SECONDS,
        "write_timeout": ANSWER_SECONDS,
        "init_command": f"{SESSION}, innodb_lock_wait_timeout = {SERVER_SECONDS}, lock_wait_timeout = {SERVER_SECONDS}",
    }
    # Building an index takes its time.
    migrating_options: ClassVar[Mapping[str, Any]] = {
        "read_timeout": None,
        "write_timeout": None,
        "init_command": SESSION,
    }

    def options_of(self, url: URL) -> dict[str, Any]:
        """Return the options of PyMySQL; see `prepare` for the hosts."""
        return mysql_options({name: value for name, value in url.query.items() if name != "host"})

    def prepare(self, engine: Engine) -> None:
        """Connect to the first of several hosts that takes writes, and have Galera's nodes answer as one."""
        if engine.dialect.driver != self.driver:
            return
        from storage.sql.core.dialects.pymysql_batches import BatchingConnection  # noqa: PLC0415 - it needs the driver

        hosts = engine.get_execution_options()[HOSTS]

        @event.listens_for(engine, "do_connect")
        def connect(dialect: Any, _record: Any, _arguments: Any, options: dict[str, Any]) -> Any:
            driver = dialect.loaded_dbapi
            if not hosts or "unix_socket" in options:
                return _greeted(_kept_alive(BatchingConnection(**options)))
            failure: Exception | None = None
            for name, port in hosts:
                try:
                    place = {**options, "host": name, "port": port or DEFAULT_PORT}
                    connection = BatchingConnection(**place, defer_connect=True)
                    _connect_in_time(connection, place)
                    return _greeted(_kept_alive(connection), needs_writes=len(hosts) > 1)
                except driver.OperationalError as error:
                    failure = error
            raise failure or driver.OperationalError(CANNOT_CONNECT)

    def execute_at_once(self, connection: Connection, steps: Sequence[Step]) -> None:
        """Have the statements wait for the commit, with which they go out in one message: one round trip."""
        if connection.dialect.driver == self.driver:
            raw: Any = connection.connection.driver_connection
            raw.batch()
        super().execute_at_once(connection, steps)

    def skips_locked_rows(self, connection: Connection) -> bool:
        """Ask the server: old ones have no SKIP LOCKED, and TiDB takes it and ignores it."""
        product = self.product(connection)
        numbers = tuple(int(number) for number in product.version.split(".") if number)
        needed = {"MariaDB": (10, 6), "MySQL": (8, 0)}.get(product.name)
        return needed is not None and numbers[:2] >= needed

    def locks_migrations(self, connection: Connection) -> bool:
        """Take a named lock that the end of the session gives back. Such names are the server's: add the database's."""
        name = func.concat(MIGRATION_LOCK, ":", func.md5(func.database()))
        taken = connection.scalar(func.get_lock(name, 0).select())
        connection.rollback()
        return bool(taken == 1)

    def has_locks_of_nodes(self, connection: Connection) -> bool:
        """Recognize a node of Galera."""
        asked = connection.exec_driver_sql("SHOW VARIABLES LIKE 'wsrep_on'").one_or_none()
        return asked is not None and asked[1] == "ON"

    def risks(self, connection: Connection) -> Sequence[StoreRisk]:
        """Read innodb_flush_log_at_trx_commit, which what only speaks the protocol has not."""
        found = connection.exec_driver_sql("SHOW VARIABLES LIKE 'innodb_flush_log_at_trx_commit'").one_or_none()
        return () if found is None or found[1] in {"1", "3"} else (StoreRisk.CRASH_LOSES_LAST,)

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
        raw: Any = connection.connection.driver_connection
        usual = getattr(raw, "_read_timeout", None)
        raw._read_timeout = seconds + ANSWER_SECONDS  # noqa: SLF001 - the driver has no other way once it is connected
        try:
            yield
        finally:
            raw._read_timeout = usual  # noqa: SLF001
            with suppress(exc.SQLAlchemyError):  # a connection that broke is not given out again
                connection.exec_driver_sql(f"SET SESSION {name} = DEFAULT")

    def is_too_slow(self, error: BaseException) -> bool:
        """Recognize ER_QUERY_TIMEOUT of MySQL and ER_STATEMENT_TIMEOUT of MariaDB."""
        return self.code_of(error) in {"3024", "1969"}

    def starts_with(self, column: Column[Any], prefix: str) -> ColumnElement[bool]:
        """Return LIKE: the order of a collation is not that of characters."""
        return column.startswith(prefix, autoescape=True)

    def code_of(self, error: BaseException) -> str:
        """Return the number of the error."""
        return str(error.args[0]) if error.args and isinstance(error.args[0], int) else ""

    def is_missing_schema(self, error: BaseException) -> bool:
        """Recognize ER_NO_SUCH_TABLE and ER_BAD_FIELD_ERROR."""
        return self.code_of(error) in {"1146", "1054"}

    def is_bad_value(self, error: BaseException) -> bool:
        """Recognize refusals that PyMySQL calls operational: no value, out of range, not of the charset, too long."""
        return self.code_of(error) in {"1048", "1264", "1366", "1406"}

    def is_rolled_back(self, error: BaseException) -> bool:
        """Recognize ER_LOCK_DEADLOCK, ER_LOCK_WAIT_TIMEOUT and TiDB's write conflict."""
        return self.code_of(error) in {"1213", "1205", "9007"}

    def connection_fault(self, error: BaseException) -> ConnectionFault | None:
        """Recognize the refusals of a server, and what `_connect_in_time` says where there is none."""
        if error.args[:1] == (CANNOT_CONNECT,):
            return _UNREACHABLE.get(error.args[-1])
        return _REFUSALS.get(self.code_of(error))

    def is_lost(self, error: BaseException) -> bool:
        """Recognize MariaDB's ER_CONNECTION_KILLED, ER_SERVER_SHUTDOWN, and a server that was the primary once.

        And a Galera node that is not part of its cluster any more: it answers every statement by ER_UNKNOWN_COM_ERROR.
        """
        return self.code_of(error) in {"1927", "1053", "1290", "1836", str(NOT_READY)}


def _connect_in_time(connection: Any, options: dict[str, Any]) -> None:
    """Connect to one host, which must greet in time: one that was stopped takes connections and says nothing."""
    failure = None
    try:
        network = socket.create_connection((options["host"], options["port"]), options["connect_timeout"])
        try:
            network.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            network.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            network.recv(1, socket.MSG_PEEK)
            network.settimeout(None)
        except OSError:
            network.close()
            raise
        connection.connect(network)
    except OSError as error:
        failure = type(error).__name__
    if failure:
        raise connection.OperationalError(CANNOT_CONNECT, failure)


def _kept_alive(connection: Any) -> Any:
    """Have the kernel find out when nobody is at the other end any more."""
    network = connection._sock  # noqa: SLF001 - the driver asks for no more than SO_KEEPALIVE
    if network.family != socket.AF_UNIX:
        for name, value in (
            ("TCP_KEEPIDLE", KEEPALIVE_IDLE_SECONDS),
            ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL_SECONDS),
            ("TCP_KEEPCNT", KEEPALIVE_COUNT),
            ("TCP_USER_TIMEOUT", 1000 * ANSWER_SECONDS),
        ):
            if hasattr(socket, name):  # not every system has all of them
                network.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return connection


def _greeted(connection: Any, *, needs_writes: bool = False) -> Any:
    """Ask a server what it is, and prepare a session of Galera for more than one node.

    Raises:
        OperationalError: It does not take writes just now, and needs to.
    """
    with connection.cursor() as cursor:
        cursor.execute("SHOW VARIABLES WHERE Variable_name IN ('wsrep_on', 'read_only')")
        on = {name for name, value in cursor.fetchall() if value == "ON"}
        is_ready = "read_only" not in on
        if "wsrep_on" in on:
            cursor.execute(f"SET SESSION wsrep_sync_wait = {SEES_EVERY_COMMIT}")
            cursor.execute("SHOW STATUS LIKE 'wsrep_ready'")
            is_ready = is_ready and cursor.fetchone()[1] == "ON"
    if needs_writes and not is_ready:
        connection.close()
        raise connection.OperationalError(NOT_READY)
    return connection
