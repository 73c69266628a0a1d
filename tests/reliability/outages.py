"""Outages of real stores under a steady flow of visitors: what each does to the codes that they bring.

A fault is begun and ended while visitors come at a rate that does not depend on how they are answered. WeChat's
simulator knows which codes were spent; those whose visitors were not answered with their openid were spent in vain.
"""

import asyncio
import shutil
import sqlite3
import subprocess
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import create_engine, make_url
from tornado.httpclient import AsyncHTTPClient

from service.settings import Settings, load_settings
from service.simulator.server import start_simulator
from service.simulator.wechat import SimulatedWeChat
from storage.base.clock import SystemClock
from storage.sealing import generate_key
from storage.sql.core.engine import Database
from storage.sql.core.migrations import upgrade
from tests.clusters.redis_servers import PASSWORD, RedisServer
from tests.engine_processes import folder_of_its_own
from tests.mariadb_server import DATABASE, mariadb_of_its_own
from tests.network_path import network_path_to
from tests.postgresql_cluster import cluster_of_its_own
from tests.servers import none_answers
from tests.service.harness import ACCOUNT, Page, RunningServer
from tests.waiting import until

#: Answers that show that the store works, before a fault and after it.
ENOUGH = 30
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


@dataclass
class Visitors:
    """Who came, and what became of their codes."""

    answers: dict[str, int] = field(default_factory=dict)
    waiting: int = 0
    waiting_at_most: int = 0

    @property
    def answered(self) -> int:
        return sum(status == 200 for status in self.answers.values())


@dataclass
class Outcome:
    """What a fault did.

    Attributes:
        visitors: How many came while it lasted.
        waiting_before: How many were being answered at once, at most, before it began.
        in_vain: Codes that were spent without an answer of 200.
        answered_later: Of these, how many gave their result when the same browser posted them again.
        statuses: What visitors were answered, over all of the trial.
        log_lines: Lines that the service logged from its begin on.
    """

    visitors: int
    waiting_before: int
    in_vain: int
    answered_later: int
    statuses: Counter[int]
    log_lines: int


async def try_fault(fault: Fault, *, per_second: float, seconds: float, workers: int = 1) -> Outcome:
    """Let visitors come, begin the fault, end it after some seconds, and count when visitors are answered again."""
    with ExitStack() as places, tempfile.TemporaryDirectory() as folder:
        place = await asyncio.to_thread(places.enter_context, fault.place())
        wechat = SimulatedWeChat(SystemClock())
        async with _service(wechat, place.settings, Path(folder), workers) as (server, http):
            visitors = Visitors()
            coming = asyncio.ensure_future(_come(visitors, wechat, Page(http, server.url), per_second))
            await until(lambda: visitors.answered >= ENOUGH)
            waiting_before, before = visitors.waiting_at_most, len(visitors.answers)
            lines_before = _lines(server)
            await asyncio.to_thread(place.begin)
            await asyncio.sleep(seconds)
            during = len(visitors.answers) - before
            await until(lambda: _is_unready(http, server))
            await asyncio.to_thread(place.end)
            wanted = visitors.answered + ENOUGH
            await until(lambda: visitors.answered >= wanted)
            coming.cancel()
            await asyncio.wait((coming,))
            await until(lambda: visitors.waiting == 0)
            lost = [code for code, status in visitors.answers.items() if status != 200 and _is_spent(wechat, code)]
            again = [(await Page(http, server.url).post_code(code)).code for code in lost]
            return Outcome(
                visitors=during,
                waiting_before=waiting_before,
                in_vain=len(lost),
                answered_later=again.count(200),
                statuses=Counter(visitors.answers.values()),
                log_lines=_lines(server) - lines_before,
            )


async def _come(visitors: Visitors, wechat: SimulatedWeChat, page: Page, per_second: float) -> None:
    """Have visitors come, each with a code of their own."""
    loop = asyncio.get_running_loop()
    began_at, tasks = loop.time(), set()

    async def visit(code: str) -> None:
        visitors.waiting += 1
        visitors.waiting_at_most = max(visitors.waiting_at_most, visitors.waiting)
        try:
            visitors.answers[code] = (await Page(page.client, page.url).post_code(code)).code
        finally:
            visitors.waiting -= 1

    for number in range(1_000_000):
        await asyncio.sleep(began_at + number / per_second - loop.time())
        task = asyncio.ensure_future(visit(wechat.issue_code(wechat.invent_person().id)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


def _lines(server: RunningServer) -> int:
    return len(server.log.read_text().splitlines())


def _is_spent(wechat: SimulatedWeChat, code: str) -> bool:
    """Tell whether WeChat takes a code no more."""
    found = wechat._issued.find_code(code)
    return found is not None and found.used


async def _is_unready(http: AsyncHTTPClient, server: RunningServer) -> bool:
    return (await http.fetch(f"{server.admin_url}/readyz", raise_error=False)).code == 503


@asynccontextmanager
async def _service(
    wechat: SimulatedWeChat, given: dict[str, str], folder: Path, workers: int
) -> AsyncIterator[tuple[RunningServer, AsyncHTTPClient]]:
    simulator = await start_simulator(wechat)
    http = AsyncHTTPClient(force_instance=True, max_clients=2000)
    settings: Settings = replace(
        load_settings(environment={}),
        appid=ACCOUNT.appid,
        secret=ACCOUNT.secret,
        secret_keys=generate_key(),
        database_url=f"sqlite:///{folder}/accounts.db",
        wechat_api_url=simulator.url,
        wechat_authorize_url=simulator.authorize_url,
    )
    own = {f"WECHAT_OPENID_{name}": value for name, value in {**given, "WORKERS": str(workers)}.items()}
    server = RunningServer(settings, folder / "log", **own)
    try:
        yield await server.answers(http), http
    finally:
        server.kill()
        http.close()
        await simulator.stop()


def _migrate(url: str) -> None:
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
        _migrate(cluster.url)
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
        _migrate(cluster.url)
        try:
            yield Place({"DATABASE_URL": cluster.url}, cluster.pause, cluster.resume)
        finally:
            cluster.resume()


@contextmanager
def postgresql_silent() -> Iterator[Place]:
    """Hold back what is sent between the service and the server, of old connections and of new ones."""
    with cluster_of_its_own() as cluster:
        _migrate(cluster.url)
        address = make_url(cluster.url)
        with network_path_to("127.0.0.1", address.port) as path:
            url = address.set(port=path.port).render_as_string(hide_password=False)
            yield Place({"DATABASE_URL": url}, path.go_silent, path.go_on)


@contextmanager
def mariadb_read_only() -> Iterator[Place]:
    """Make the server read only, for all but its administrators."""
    with mariadb_of_its_own() as server:
        _migrate(server.url)
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
            _migrate(url)

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
    _migrate(url)
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
