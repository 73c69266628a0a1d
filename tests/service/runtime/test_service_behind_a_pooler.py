"""The service whose sessions of PostgreSQL are PgBouncer's, another one for each transaction."""

import asyncio
import time
from dataclasses import replace

import pytest

from service.authorization.exchange import Browser
from storage.base.clock import ManualClock
from storage.sql.core.engine import Database
from storage.sql.core.migrations import upgrade
from tests.pooler import pgbouncer_of_its_own
from tests.servers import database_of_its_own, postgresql_server
from tests.service.harness import ACCOUNT
from tests.service.posting import Load
from tests.waiting import until

CLIENTS = 20
EXCHANGES = 240
USERS = 40


@pytest.fixture
def settings(settings):
    with database_of_its_own(postgresql_server()) as url:
        database = Database.open(url)
        upgrade(database.engine)
        database.close()
        with pgbouncer_of_its_own(url) as pooled:
            yield replace(settings, database_url=pooled)


@pytest.fixture
def clock():
    """Three hours ago: what is authorized now is due for instances that look at the machine's clock."""
    return ManualClock(int(time.time()) - 3 * 3600)


@pytest.mark.timeout(150)
@pytest.mark.gen_test
async def test_every_exchange_is_stored_and_every_token_refreshed(service, wechat, http, start_server, page_at):
    for _ in range(USERS):
        await service.exchange.exchange(ACCOUNT, wechat.issue_code(wechat.invent_person().id), Browser(b"b" * 32))
    server = await start_server(WECHAT_OPENID_WORKERS="2", WECHAT_OPENID_REFRESH_EVERY_SECONDS="1").answers(http)
    load = Load()
    tasks = [asyncio.ensure_future(load.run(wechat, lambda: page_at(server))) for _ in range(CLIENTS)]
    try:
        await load.stores(EXCHANGES)
        await until(lambda: wechat.calls["refresh_token"] >= USERS)
    finally:
        await load.finish(tasks)
    assert load.refused == []
    assert load.others == []
    assert wechat.calls["refresh_token"] == USERS
