"""What the service notes of its calls to a WeChat that takes its requests, refuses them or is not there."""

import pytest

from service.authorization.exchange import Browser, FailedExchange
from service.runtime.background.call_log import CallLog
from service.simulator.faults import Fault
from service.tokens.breaker import AccountPaused
from service.wechat.endpoints import Endpoint
from service.wechat.errors import WeChatError
from storage.base.clock import ManualClock
from storage.base.errors import StoreUnavailable
from storage.call_outcomes import CallFailures, CallOutcome
from tests.waiting import until

pytestmark = pytest.mark.gen_test


@pytest.fixture
def stored(service):
    return service.dashboard.call_outcomes


@pytest.fixture
def log_in(service, wechat):
    async def one(code=None, *, request_id=""):
        code = code or wechat.issue_code(scope="snsapi_userinfo")
        account = service.settings.all_accounts()[0]
        return await service.exchange.exchange(account, code, Browser(b"b" * 32), request_id=request_id)

    return one


async def test_an_account_is_broken_from_the_first_failure_to_the_next_success(log_in, service, wechat, stored, clock):
    await log_in()
    began = clock.now()
    wechat.faults.add(Fault(endpoint="access_token", breakage="drop", times=None))
    for _ in range(3):
        clock.advance(60)
        with pytest.raises(WeChatError):
            await log_in()
    await service.calls.flush()
    (outcome,) = stored.outcomes()
    assert (outcome.endpoint, outcome.last_success_at, outcome.errcode) == ("access_token", began, None)
    assert (outcome.failing_since, outcome.last_failure_at) == (began + 60, began + 180)
    wechat.faults.clear()
    clock.advance(60)
    await log_in()
    await service.calls.flush()
    assert stored.outcomes()[0].failing_since is None


async def test_a_code_that_is_no_good_breaks_no_account_and_shows_that_none_is_broken(log_in, service, wechat, stored):
    wechat.faults.add(Fault(endpoint="access_token", errcode=-1))
    for code in (None, "never-issued-by-wechat"):
        with pytest.raises(WeChatError):
            await log_in(code)
    await service.calls.flush()
    (outcome,) = stored.outcomes()
    assert (outcome.errcode, outcome.failing_since, outcome.last_success_at) == (-1, None, None)
    assert [one.errcode for one in stored.failures(0)] == [-1, 40029]


async def test_failed_logins_are_listed_by_request_also_while_calls_pause(log_in, service, wechat, stored):
    wechat.faults.add(Fault(endpoint="access_token", errcode=45009))
    for request_id, error in (("first", WeChatError), ("second", AccountPaused)):
        with pytest.raises(error):
            await log_in(request_id=request_id)
    await service.calls.flush()
    await service.activity.flush()
    (failed,) = stored.failures(0)
    assert {call.request_id: bool(call.rid) for call in failed.latest} == {"first": True, "second": False}
    (counted,) = await service.vault.activity(0)
    assert (counted.errcode, counted.count) == (45009, 2)


async def test_a_failed_refresh_is_noted_and_an_answer_to_a_check_ends_what_was_broken(log_in, service, wechat, stored):
    appid = service.settings.appid
    openid = (await log_in()).openid
    wechat.faults.add(Fault(endpoint="refresh_token", errcode=-1))
    await service.tokens.refresh_now(appid, openid)
    wechat.faults.add(Fault(endpoint="access_token", errcode=40164))
    with pytest.raises(WeChatError):
        await log_in()
    await service.calls.flush()
    assert {one.endpoint: one.errcode for one in stored.outcomes() if one.failing_since} == {
        "access_token": 40164,
        "refresh_token": -1,
    }
    await service.dashboard.accounts.check(appid)
    assert [one.endpoint for one in stored.outcomes() if one.failing_since] == ["refresh_token"]


class Down:
    """A table that is out of reach as often as it is told to be."""

    def __init__(self, times):
        self.times = times
        self.added = []

    def add(self, outcomes, failures):
        if self.times:
            self.times -= 1
            raise StoreUnavailable("down")
        self.added.append((list(outcomes), list(failures)))


async def test_what_could_not_be_stored_is_kept_for_the_next_time():
    clock, table = ManualClock(1_800_000_000), Down(times=2)
    log = CallLog(table, clock, every_seconds=0.001)
    log.ended(Endpoint.EXCHANGE, "wx", None)
    log.refused(FailedExchange("wx", 40029, None, "q1"))
    await log.flush()
    clock.advance(5)
    log.refused(FailedExchange("wx", 40029, None, "q2"))
    log.start()
    await until(lambda: table.added)
    await log.stop()
    ((outcomes, failures),) = table.added
    assert outcomes == [CallOutcome("wx", "access_token", clock.now() - 5, clock.now() - 5)]
    (failed,) = failures
    assert isinstance(failed, CallFailures)
    assert (failed.first_at, failed.last_at) == (clock.now() - 5, clock.now())
    assert [call.request_id for call in failed.latest] == ["q2", "q1"]
