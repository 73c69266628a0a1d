"""Faults of real stores: how each is begun and ended."""

import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, make_url

from storage.sql.core.engine import Database
from storage.sql.core.migrations import upgrade
from tests.clusters.redis_servers import PASSWORD, RedisServer
from tests.engine_processes import folder_of_its_own
from tests.mariadb_server import DATABASE, mariadb_of_its_own
from tests.network_path import network_path_to
from tests.postgresql_cluster import cluster_of_its_own
from tests.servers import none_answers

SMALL_DISK = "4m"


@dataclass
class Place:
    """A store that a fault can befall.

    Attributes:
        settings: The settings by which the service reaches it.
        begin: Begins the fault.
        end: Ends it.
    """

    settings: dict[str, str]
    begin: Callable[[], object]
    end: Callable[[], object]


@dataclass(frozen=True)
class Fault:
    """A way in which a store fails.

    Attributes:
        name: What the table calls it.
        place: Gives a store, and how to begin and end the fault.
        hangs: Whether the store holds up writes without a word, rather than refusing them. MariaDB does both: it
            refuses new transactions, and has those under way wait at their commit.
    """

    name: str
    place: Callable[[], "contextmanager[Place]"]
    hangs: bool


def migrate(url: str) -> None:
    database = Database.open(url)
    upgrade(database.engine)
    database.close()


def _execute(url: str, *statements: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


@contextmanager
def postgresql_without_sequences() -> Iterator[Place]:
    """Take from the service's role what an INSERT of a new user needs, and nothing else."""
    with cluster_of_its_own() as cluster:
        migrate(cluster.url)
        tables = "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public"
        _execute(cluster.url, "CREATE ROLE visitor LOGIN", f"GRANT {tables} TO visitor")

        def may_use_sequences(verb: str, word: str) -> None:
            _execute(cluster.url, f"{verb} USAGE ON ALL SEQUENCES IN SCHEMA public {word} visitor")

        may_use_sequences("GRANT", "TO")
        url = make_url(cluster.url).set(username="visitor").render_as_string(hide_password=False)
        yield Place(
            {"DATABASE_URL": url},
            lambda: may_use_sequences("REVOKE", "FROM"),
            lambda: may_use_sequences("GRANT", "TO"),
        )


@contextmanager
def postgresql_stopped() -> Iterator[Place]:
    """Stop all processes of the server by SIGSTOP."""
    with cluster_of_its_own() as cluster:
        migrate(cluster.url)
        try:
            yield Place({"DATABASE_URL": cluster.url}, cluster.pause, cluster.resume)
        finally:
            cluster.resume()


@contextmanager
def postgresql_silent() -> Iterator[Place]:
    """Hold back what is sent between the service and the server, of old connections and of new ones."""
    with cluster_of_its_own() as cluster:
        migrate(cluster.url)
        address = make_url(cluster.url)
        with network_path_to("127.0.0.1", address.port) as path:
            url = address.set(port=path.port).render_as_string(hide_password=False)
            yield Place({"DATABASE_URL": url}, path.go_silent, path.go_on)


@contextmanager
def mariadb_read_only() -> Iterator[Place]:
    """Make the server read only, for all but its administrators."""
    with mariadb_of_its_own() as server:
        migrate(server.url)
        server.ask("CREATE USER visitor@'127.0.0.1'")
        server.ask(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {DATABASE}.* TO visitor@'127.0.0.1'")
        yield Place(
            {"DATABASE_URL": server.url.replace("root", "visitor")},
            lambda: server.ask("SET GLOBAL read_only = 1"),
            lambda: server.ask("SET GLOBAL read_only = 0"),
        )


@contextmanager
def redis_full() -> Iterator[Place]:
    """Lower the limit of the memory below what is in use."""
    with folder_of_its_own("redis") as folder:
        server = RedisServer(folder / "server", requirepass=PASSWORD)
        server.begin()

        def limit(size: str) -> None:
            with server.client() as client:
                client.config_set("maxmemory", size)

        try:
            url = f"redis://:{PASSWORD}@{server.address}/0"
            yield Place({"TOKEN_STORE": "redis", "TOKEN_STORE_URL": url}, lambda: limit("1mb"), lambda: limit("0"))
        finally:
            server.kill()


@contextmanager
def sqlite_on_a_full_disk() -> Iterator[Place]:
    """Fill the disk that the file is on, to the last page but a few."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            options = ["-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", folder]
            subprocess.run(["mount", *options], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            none_answers("disk to fill", error)
        url, filler = f"sqlite:///{folder}/users.db", Path(folder) / "filler"
        try:
            migrate(url)

            def fill() -> None:
                with suppress(OSError), filler.open("wb", buffering=0) as file:
                    while True:
                        file.write(bytes(4096))

            yield Place({"DATABASE_URL": url}, fill, filler.unlink)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def sqlite_locked() -> Iterator[Place]:
    """Begin a transaction that writes, as a copying or an inspecting program may, and do not end it."""
    folder = tempfile.mkdtemp()
    url = f"sqlite:///{folder}/users.db"
    migrate(url)
    with closing(sqlite3.connect(f"{folder}/users.db", isolation_level=None, check_same_thread=False)) as other:
        yield Place({"DATABASE_URL": url}, lambda: other.execute("BEGIN IMMEDIATE"), lambda: other.execute("ROLLBACK"))
    shutil.rmtree(folder)


FAULTS = (
    Fault("PostgreSQL, no right to use the sequences", postgresql_without_sequences, hangs=False),
    Fault("PostgreSQL, stopped (SIGSTOP)", postgresql_stopped, hangs=True),
    Fault("PostgreSQL, the path goes silent", postgresql_silent, hangs=True),
    Fault("MariaDB, read only", mariadb_read_only, hangs=True),
    Fault("Redis, full", redis_full, hangs=False),
    Fault("SQLite, the disk is full", sqlite_on_a_full_disk, hangs=False),
    Fault("SQLite, locked by somebody else", sqlite_locked, hangs=True),
)
