"""Three instances of the service on one database server refresh what is due between them, each token once."""

import asyncio
import time
from dataclasses import replace

import pytest

from service.authorization.exchange import Browser
from service.wechat.protocol import Account
from storage.activity import ActivityKind
from storage.base.clock import ManualClock
from storage.sql.core.engine import Database
from storage.sql.core.migrations import upgrade
from tests.servers import database_of_its_own, mysql_server, postgresql_server
from tests.waiting import until

INSTANCES = 3
USERS = 150
#: How many of them come when the others are done.
LATER = 5
REFRESH = "refresh_token"


@pytest.fixture(params=[postgresql_server, mysql_server])
def database_url(request):
    with database_of_its_own(request.param()) as url:
        database = Database.open(url)
        upgrade(database.engine)
        database.close()
        yield url


@pytest.fixture
def settings(settings, database_url):
    return replace(settings, database_url=database_url)


@pytest.fixture
def clock():
    """Three hours ago: what is authorized now is due for instances that look at the machine's clock."""
    return ManualClock(int(time.time()) - 3 * 3600)


@pytest.mark.timeout(120)
@pytest.mark.gen_test
async def test_three_instances_refresh_each_due_token_once(settings, service, wechat, http, start_server):
    account = Account(settings.appid, settings.secret)

    async def authorize_somebody():
        await service.exchange.exchange(account, wechat.issue_code(wechat.invent_person().id), Browser(b"b" * 32))

    for _ in range(USERS - LATER):
        await authorize_somebody()
    # At most so many at a time, so that none of them can take everything before the others are there.
    pace = {"WECHAT_OPENID_REFRESH_EVERY_SECONDS": "0.2", "WECHAT_OPENID_REFRESH_MAX_PER_SECOND": "10"}
    instances = [start_server(**pace) for _ in range(INSTANCES)]
    await asyncio.gather(*(instance.answers(http) for instance in instances))
    await until(lambda: wechat.calls[REFRESH] >= USERS - LATER)
    # Those who come later need more passes, in which a token that was refreshed is not due any more.
    for number in range(LATER):
        await authorize_somebody()
        await until(lambda number=number: wechat.calls[REFRESH] > USERS - LATER + number)

    async def shares():
        return [refreshes_in((await http.fetch(f"{one.admin_url}/metrics")).body.decode()) for one in instances]

    async def counted():
        return sum(one.count for one in await service.vault.activity(0) if one.kind is ActivityKind.REFRESHED)

    async def all_are_settled():
        return sum(await shares()) >= USERS and await counted() >= USERS

    # An instance counts a call when WeChat has answered, and a refresh when its row is written.
    await until(all_are_settled)
    assert wechat.calls[REFRESH] == sum(await shares()) == await counted() == USERS
    assert len([share for share in await shares() if share]) > 1


def refreshes_in(metrics):
    """Return how many calls of WeChat's refresh succeeded, by an instance's metrics."""
    wanted = f'wechat_openid_wechat_calls_total{{endpoint="{REFRESH}",outcome="ok"}}'
    return sum(int(float(line.split()[-1])) for line in metrics.splitlines() if line.startswith(wanted))
