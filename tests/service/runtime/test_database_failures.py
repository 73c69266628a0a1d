"""The database goes away under load, and comes back: nothing that was answered is lost, and nothing needs a person."""

import asyncio
import time

import pytest
from sqlalchemy import create_engine, make_url, text

from storage.sql.core.engine import Database
from storage.sql.core.migrations import upgrade
from storage.sql.tokens.store import SqlTokenStore
from tests.postgresql_cluster import cluster_of_its_own
from tests.servers import database_of_its_own, mysql_server
from tests.service.posting import Load
from tests.waiting import until

CLIENTS = 8
ENOUGH = 40
#: The service promises 5 seconds; a machine that runs other tests is given more.
RECOVERY_SECONDS = 20


@pytest.fixture
def load(wechat, page_at):
    """Start the load on a server; it ends with the test."""
    running = []

    def start(server):
        load = Load()
        running.append(load)
        tasks = [asyncio.ensure_future(load.run(wechat, lambda: page_at(server))) for _ in range(CLIENTS)]
        return load, tasks

    yield start
    for load in running:
        load.stopping = True


def migrated(url):
    database = Database.open(url)
    upgrade(database.engine)
    return database


async def spent_codes(load, server, page_at):
    """Return which of the refused codes WeChat does not take any more."""
    replies = [(await page_at(server).post_code(code)).code for code in load.refused]
    assert set(replies) <= {200, 400}
    return [code for code, status in zip(load.refused, replies, strict=True) if status == 400]


def outages_of(server):
    return server.log.read_text().count("the store is down; exchanges are refused")


def assert_all_are_stored(load, database, appid):
    store = SqlTokenStore(database)
    assert {openid for openid in load.stored if store.get(appid, openid) is None} == set()


@pytest.mark.timeout(150)
@pytest.mark.gen_test
@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_postgresql_is_stopped_and_started_under_load(settings, http, start_server, page_at, load, mode):
    with cluster_of_its_own() as cluster:
        database = migrated(cluster.url)
        server = await start_server(WECHAT_OPENID_DATABASE_URL=cluster.url).answers(http)
        posting, tasks = load(server)
        await posting.stores(ENOUGH)
        await asyncio.to_thread(cluster.stop, mode)
        await posting.is_refused(ENOUGH)
        await asyncio.to_thread(cluster.start)
        back_at = time.monotonic()
        await posting.stores(1)
        assert time.monotonic() - back_at < RECOVERY_SECONDS
        await posting.stores(ENOUGH)
        await posting.finish(tasks)
        assert posting.others == []
        # Each browser had one code under way at most when the database went.
        spent = await spent_codes(posting, server, page_at)
        assert len(posting.refused) >= ENOUGH
        assert len(spent) <= CLIENTS * outages_of(server)
        assert_all_are_stored(posting, database, settings.appid)
        database.close()


def kill_connections(url):
    """Kill every connection to a MySQL or MariaDB database but this one."""
    server = create_engine(make_url(url).set(database="mysql"))
    with server.connect() as connection:
        ids = text("SELECT id FROM information_schema.processlist WHERE db = :name")
        killed = 0
        for number in connection.scalars(ids, {"name": make_url(url).database}).all():
            try:
                connection.exec_driver_sql(f"KILL {number}")
                killed += 1
            except Exception:  # noqa: BLE001 - it was closed meanwhile
                continue
    server.dispose()
    return killed


@pytest.mark.timeout(150)
@pytest.mark.gen_test
async def test_connections_to_mariadb_are_killed_under_load(settings, http, start_server, page_at, load):
    with database_of_its_own(mysql_server()) as url:
        database = migrated(url)
        server = await start_server(WECHAT_OPENID_DATABASE_URL=url).answers(http)
        posting, tasks = load(server)
        await posting.stores(ENOUGH)
        killed = 0
        while killed < ENOUGH:
            killed += await asyncio.to_thread(kill_connections, url)
            await asyncio.sleep(0.02)
        back_at = time.monotonic()
        await posting.stores(1)
        assert time.monotonic() - back_at < RECOVERY_SECONDS
        await posting.stores(ENOUGH)
        await posting.finish(tasks)
        assert posting.others == []
        spent = await spent_codes(posting, server, page_at)
        assert len(spent) <= CLIENTS * outages_of(server)
        assert_all_are_stored(posting, database, settings.appid)
        database.close()


@pytest.mark.gen_test
async def test_readiness_follows_the_database(settings, http, start_server, page_at):
    with cluster_of_its_own() as cluster:
        migrated(cluster.url).close()
        server = await start_server(WECHAT_OPENID_DATABASE_URL=cluster.url).answers(http)

        async def ready():
            return (await http.fetch(f"{server.admin_url}/readyz", raise_error=False)).code == 200

        async def not_ready():
            return not await ready()

        assert await ready()
        await asyncio.to_thread(cluster.stop)
        await until(not_ready)
        await asyncio.to_thread(cluster.start)
        await until(ready)
