"""What operators may have done about a user, and how each says that it ended."""

import pytest

from service.authorization.exchange import Browser
from service.simulator.faults import Fault
from service.wechat.endpoints import Endpoint
from service.wechat.errors import WeChatRefusal
from storage.users import Status
from tests.service.harness import ACCOUNT

pytestmark = pytest.mark.gen_test
APPID = ACCOUNT.appid
ACTIONS = ("refresh_now", "check_token", "fetch_profile")


@pytest.fixture
def authorize(service, wechat):
    async def one(scope="snsapi_userinfo", **options):
        code = wechat.issue_code(scope=scope, **options)
        return (await service.exchange.exchange(ACCOUNT, code, Browser(b"b" * 32))).openid

    return one


@pytest.fixture
def act(service):
    async def one(action, openid):
        outcome = await getattr(service.dashboard, action)(APPID, openid)
        return outcome.succeeded, outcome.result, outcome.errcode

    return one


async def test_a_refresh_renews_a_token_that_would_live_on(act, authorize, service, clock):
    openid = await authorize()
    clock.advance(60)
    assert await act("refresh_now", openid) == (True, "refreshed", None)
    assert (await service.vault.get(APPID, openid)).refreshed_at == clock.now()


async def test_a_failed_refresh_says_why_and_is_counted(act, authorize, service, wechat):
    openid = await authorize()
    wechat.faults.add(Fault(endpoint="refresh_token", errcode=-1, times=1))
    assert await act("refresh_now", openid) == (False, "failed", -1)
    assert (await service.vault.get(APPID, openid)).refresh_failures == 1
    assert await act("refresh_now", openid) == (True, "refreshed", None), "an operator need not wait for the schedule"


async def test_a_refresh_token_that_wechat_refuses_is_marked(act, authorize, service, wechat):
    openid = await authorize()
    wechat.faults.add(Fault(endpoint="refresh_token", errcode=42002, times=1))
    assert await act("refresh_now", openid) == (False, "reauthorization_needed", 42002)
    assert await act("refresh_now", openid) == (False, "needs_reauthorization", None)


async def test_a_refresh_that_somebody_else_is_at_is_not_begun(act, authorize, service, wechat):
    openid = await authorize()
    assert await service.vault.claim(APPID, openid, 15)
    assert await act("refresh_now", openid) == (False, "try_later", None)
    assert wechat.calls["refresh_token"] == 0


async def test_a_check_asks_wechat_and_changes_nothing(act, authorize, service, clock, wechat):
    openid = await authorize()
    before = await service.vault.get(APPID, openid)
    assert await act("check_token", openid) == (True, "valid", None)
    clock.advance(7201)
    assert await act("check_token", openid) == (True, "invalid", None)
    assert await service.vault.get(APPID, openid) == before


async def test_a_check_that_cannot_be_asked_is_no_answer(act, authorize, wechat):
    openid = await authorize()
    wechat.faults.add(Fault(endpoint="auth", errcode=-1, times=1))
    assert await act("check_token", openid) == (False, "failed", -1)


async def test_a_profile_is_fetched_anew_although_one_is_kept(act, authorize, service, wechat):
    openid = await authorize()
    assert await act("fetch_profile", openid) == (True, "fetched", None)
    assert await act("fetch_profile", openid) == (True, "fetched", None)
    assert wechat.calls["userinfo"] == 2
    assert (await service.vault.get(APPID, openid)).nickname


async def test_a_profile_needs_the_users_consent_and_a_person(act, authorize):
    assert await act("fetch_profile", await authorize("snsapi_base")) == (False, "profile_not_granted", None)
    assert await act("fetch_profile", await authorize(snapshot=True)) == (False, "snapshot_user", None)


@pytest.mark.parametrize("action", ACTIONS)
async def test_a_user_who_is_unknown_or_revoked_is_said_to_be(act, authorize, service, action):
    assert await act(action, "nobody") == (False, "unknown_user", None)
    openid = await authorize()
    await service.vault.revoke(APPID, openid)
    assert await act(action, openid) == (False, Status.REVOKED, None)


@pytest.mark.parametrize(
    ("action", "endpoint"),
    [("refresh_now", Endpoint.REFRESH), ("check_token", Endpoint.AUTH), ("fetch_profile", Endpoint.USERINFO)],
)
async def test_a_paused_account_is_not_asked(act, authorize, service, wechat, action, endpoint):
    openid = await authorize()
    calls = wechat.calls.copy()
    service.breaker.note(WeChatRefusal(endpoint, APPID, 45009, "reach max api daily quota limit"))
    succeeded, result, _ = await act(action, openid)
    assert (succeeded, result) == (False, "paused")
    assert wechat.calls == calls


async def test_no_outcome_holds_a_token(authorize, service, wechat):
    openid = await authorize()
    outcomes = [await getattr(service.dashboard, action)(APPID, openid) for action in ACTIONS]
    wechat.faults.add(Fault(endpoint="refresh_token", errcode=40030))
    outcomes.append(await service.dashboard.refresh_now(APPID, openid))
    assert not [secret for secret in wechat.issued_secrets() if secret in repr(outcomes)]


async def test_the_dashboard_knows_accounts_without_their_secrets(service):
    assert [account.appid for account in service.dashboard.accounts] == [APPID]
    assert ACCOUNT.secret not in repr(service.dashboard.accounts)
