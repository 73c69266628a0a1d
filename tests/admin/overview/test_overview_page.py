import re
from html import unescape

import pytest

from service.authorization.exchange import Browser
from service.simulator.faults import Fault
from service.simulator.people import DEFAULT_ACCOUNT
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


@pytest.fixture
def break_account(service, wechat):
    """Have the account's secret refused, and somebody try to log in."""

    async def one():
        wechat.faults.add(Fault(endpoint="access_token", errcode=40125, times=None))
        account = service.settings.all_accounts()[0]
        with pytest.raises(WeChatError) as refused:
            await service.exchange.exchange(account, wechat.issue_code(), Browser(b"binding"), request_id="the-request")
        await service.calls.flush()
        await service.activity.flush()
        return refused.value

    return one


@pytest.mark.gen_test
@pytest.mark.parametrize("later", [0, 10 * 60, 7 * HOUR])
async def test_an_account_is_broken_until_it_works_however_late_it_is(
    signed_in, service, wechat, clock, break_account, later
):
    await break_account()
    clock.advance(later)
    shown = text_of(await signed_in(Role.VIEWER).get("/admin/overview"))
    assert '<h2 id="verdict-heading">Nobody can log in</h2>' in shown
    assert "broken since" in shown
    assert "Check the AppSecret in the settings." in shown
    wechat.faults.clear()
    account = service.settings.all_accounts()[0]
    clock.advance(60)
    await service.exchange.exchange(account, wechat.issue_code(), Browser(b"binding"))
    await service.calls.flush()
    shown = text_of(await signed_in(Role.VIEWER).get("/admin/overview"))
    assert "broken since" not in shown


@pytest.mark.gen_test
async def test_another_process_knows_it_and_a_check_that_was_good_ends_it_for_all(
    signed_in, service, wechat, break_account, open_another
):
    await break_account()
    another = await open_another()
    stored = another.dashboard.call_outcomes.outcomes()
    assert [one.errcode for one in stored if one.failing_since is not None] == [40125]
    wechat.faults.clear()
    await another.dashboard.accounts.check(service.settings.appid)
    assert "broken since" not in text_of(await signed_in().get("/admin/overview"))


@pytest.mark.gen_test
async def test_a_number_of_failures_leads_to_the_calls_with_rid_and_request(signed_in, service, break_account):
    error = await break_account()
    viewer = signed_in(Role.VIEWER)
    shown = text_of(await viewer.get("/admin/overview"))
    (path,) = set(re.findall(r'href="(/admin/failures[^"]+appid=[^"]+|/admin/failures[?]appid=[^"]+)"', shown))
    listed = text_of(await viewer.get(unescape(path)))
    assert error.rid in listed
    assert "the-request" in listed
    assert "the-request" not in text_of(await viewer.get("/admin/failures?errcode=40164"))
    for odd in ("errcode=x", "errcode=" + "9" * 30, "appid=" + "x" * 300):
        assert (await viewer.get("/admin/failures?" + odd)).code == 400


@pytest.mark.gen_test
async def test_only_an_owner_is_offered_to_check_an_account(signed_in, break_account):
    await break_account()
    check = f'action="/admin/accounts/{DEFAULT_ACCOUNT.appid}/check"'
    assert check in text_of(await signed_in(Role.OWNER).get("/admin/overview"))
    assert check not in text_of(await signed_in(Role.OPERATOR).get("/admin/overview"))
