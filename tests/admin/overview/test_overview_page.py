import re

import pytest

from service.authorization.exchange import Browser
from service.simulator.faults import Fault
from service.wechat.errors import WeChatError
from storage.activity import Activity, ActivityKind
from storage.pauses import AccountPause
from storage.sql.accounts.operators import Role
from storage.sql.work.instances import Instance
from tests.admin.operator_browser import text_of

HOUR = 3600


@pytest.mark.gen_test
async def test_the_overview_tells_what_happened_and_what_to_do(signed_in, service, clock):
    hour = clock.now() - clock.now() % HOUR
    appid = service.settings.appid
    await service.vault.record(
        [
            Activity(hour, appid, ActivityKind.AUTHORIZED, 0, 12_345),
            Activity(hour - 3 * HOUR, appid, ActivityKind.EXCHANGE_FAILED, 40163, 67),
            Activity(hour - 40 * HOUR, appid, ActivityKind.REFRESHED, 0, 89),
        ]
    )
    page = text_of(await signed_in(Role.VIEWER).get("/admin/overview"))
    assert "12,345" in page
    assert "40163" in page
    assert "The page must post each code once" in page
    assert ">89<" not in page
    assert ">89<" in text_of(await signed_in(Role.VIEWER).get("/admin/overview?span=days"))


@pytest.mark.gen_test
async def test_refused_exchanges_are_counted_in_the_overview(signed_in, service):
    account = service.settings.all_accounts()[0]
    for _ in range(3):
        with pytest.raises(WeChatError):
            await service.exchange.exchange(account, "never-issued-by-wechat", Browser(b"binding"))
    await service.activity.flush()
    assert re.search(
        r"40029.*?Login \(code exchange\).*?>3<", text_of(await signed_in().get("/admin/overview")), re.DOTALL
    )


@pytest.mark.gen_test
async def test_an_exchange_that_met_a_busy_wechat_is_not_said_to_be_tried_again(signed_in, service, wechat):
    wechat.faults.add(Fault(endpoint="access_token", errcode=-1))
    account = service.settings.all_accounts()[0]
    with pytest.raises(WeChatError):
        await service.exchange.exchange(account, "busy-busy-busy", Browser(b"binding"))
    await service.activity.flush()
    shown = text_of(await signed_in().get("/admin/overview"))
    assert "send the user through the authorize page again" in shown
    assert "by itself" not in shown


@pytest.mark.gen_test
async def test_processes_and_their_pauses_are_shown(signed_in, dashboard, service, clock):
    pause = AccountPause(service.settings.appid, "refresh_token", "configuration", 40125, clock.now() + 30)
    dashboard.instances.heartbeat(Instance("host:1:ab", "0.1.0", clock.now(), clock.now(), (pause,)))
    shown = text_of(await signed_in().get("/admin/overview"))
    assert "host:1:ab" in shown
    assert "calls are paused until" in shown
    assert "Check the AppSecret in the settings." in shown


@pytest.mark.gen_test
async def test_a_service_says_that_it_is_alive(service, dashboard, clock):
    await service.heartbeat.send()
    assert [one.name for one in dashboard.instances.live(clock.now())] == [service.vault.instance]
