"""What operators may have done about a user, and how each says that it ended."""

import pytest

from service.authorization.exchange import Browser
from service.runtime.admin_bridge.user_actions import REFRESH_RESULTS, STATUS_RESULTS, UNAVAILABLE_RESULTS
from service.simulator.faults import Fault
from service.tokens.refresher import RefreshResult
from service.tokens.unavailable import UnavailableReason
from service.wechat.endpoints import Endpoint
from service.wechat.errors import WeChatRefusal
from storage.sql.work.jobs import JobAction
from storage.users import Status
from tests.service.harness import ACCOUNT

pytestmark = pytest.mark.gen_test
APPID = ACCOUNT.appid
ACTIONS = (JobAction.REFRESH, JobAction.CHECK, JobAction.PROFILE)


@pytest.fixture
def authorize(service, wechat):
    async def one(scope="snsapi_userinfo", **options):
        code = wechat.issue_code(scope=scope, **options)
        return (await service.exchange.exchange(ACCOUNT, code, Browser(b"b" * 32))).openid

    return one


@pytest.fixture
def act(service):
    async def one(action, openid):
        outcome = await service.dashboard.users.perform(action, APPID, openid)
        return outcome.succeeded, outcome.result, outcome.errcode

    return one


async def test_a_refresh_renews_a_token_that_would_live_on(act, authorize, service, clock):
    openid = await authorize()
    clock.advance(60)
    assert await act(JobAction.REFRESH, openid) == (True, "refreshed", None)
    assert (await service.vault.get(APPID, openid)).refreshed_at == clock.now()


async def test_a_failed_refresh_says_why_and_is_counted(act, authorize, service, wechat):
    openid = await authorize()
    wechat.faults.add(Fault(endpoint="refresh_token", errcode=-1, times=1))
    assert await act(JobAction.REFRESH, openid) == (False, "failed", -1)
    assert (await service.vault.get(APPID, openid)).refresh_failures == 1
    assert await act(JobAction.REFRESH, openid) == (True, "refreshed", None), (
        "an operator need not wait for the schedule"
    )


async def test_a_refresh_token_that_wechat_refuses_is_marked(act, authorize, service, wechat):
    openid = await authorize()
    wechat.faults.add(Fault(endpoint="refresh_token", errcode=42002, times=1))
    assert await act(JobAction.REFRESH, openid) == (False, "refresh_token_refused", 42002)
    assert await act(JobAction.REFRESH, openid) == (False, "reauthorization_required", None)


async def test_a_refresh_that_somebody_else_is_at_is_not_begun(act, authorize, service, wechat):
    openid = await authorize()
    assert await service.vault.claim(APPID, openid, 15)
    assert await act(JobAction.REFRESH, openid) == (False, "refresh_in_progress", None)
    assert wechat.calls["refresh_token"] == 0


async def test_a_check_asks_wechat_and_changes_nothing(act, authorize, service, clock, wechat):
    openid = await authorize()
    before = await service.vault.get(APPID, openid)
    assert await act(JobAction.CHECK, openid) == (True, "valid", None)
    clock.advance(7201)
    assert await act(JobAction.CHECK, openid) == (True, "invalid", None)
    assert await service.vault.get(APPID, openid) == before


async def test_a_check_that_cannot_be_asked_is_no_answer(act, authorize, wechat):
    openid = await authorize()
    wechat.faults.add(Fault(endpoint="auth", errcode=-1, times=1))
    assert await act(JobAction.CHECK, openid) == (False, "failed", -1)


async def test_a_profile_is_fetched_anew_although_one_is_kept(act, authorize, service, wechat):
    openid = await authorize()
    assert await act(JobAction.PROFILE, openid) == (True, "fetched", None)
    assert await act(JobAction.PROFILE, openid) == (True, "fetched", None)
    assert wechat.calls["userinfo"] == 2
    assert (await service.vault.get(APPID, openid)).nickname


async def test_a_profile_needs_the_users_consent_and_a_person(act, authorize):
    assert await act(JobAction.PROFILE, await authorize("snsapi_base")) == (False, "profile_not_granted", None)
    assert await act(JobAction.PROFILE, await authorize(snapshot=True)) == (False, "snapshot_user", None)


@pytest.mark.parametrize("action", ACTIONS)
async def test_a_user_who_is_unknown_or_revoked_is_said_to_be(act, authorize, service, action):
    assert await act(action, "nobody") == (False, "unknown_user", None)
    openid = await authorize()
    await service.vault.revoke(APPID, openid)
    assert await act(action, openid) == (False, "already_revoked", None)


@pytest.mark.parametrize(
    ("action", "endpoint"),
    [(JobAction.REFRESH, Endpoint.REFRESH), (JobAction.CHECK, Endpoint.AUTH), (JobAction.PROFILE, Endpoint.USERINFO)],
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
    outcomes = [await service.dashboard.users.perform(action, APPID, openid) for action in ACTIONS]
    wechat.faults.add(Fault(endpoint="refresh_token", errcode=40030))
    outcomes.append(await service.dashboard.users.perform(JobAction.REFRESH, APPID, openid))
    assert not [secret for secret in wechat.issued_secrets() if secret in repr(outcomes)]


async def test_the_dashboard_knows_accounts_without_their_secrets(service):
    assert [account.appid for account in service.dashboard.accounts.summaries] == [APPID]
    assert ACCOUNT.secret not in repr(service.dashboard.accounts.summaries)


async def test_a_profile_that_waits_for_a_token_says_why_it_waits(act, authorize, service, clock, wechat):
    openid = await authorize()
    clock.advance(7300)
    wechat.faults.add(Fault(endpoint="refresh_token", errcode=-1, times=1))
    first = await service.dashboard.users.perform(JobAction.PROFILE, APPID, openid)
    assert (first.succeeded, first.result, first.errcode) == (False, "refresh_failed", -1)
    assert first.next_try_at > clock.now()
    second = await service.dashboard.users.perform(JobAction.PROFILE, APPID, openid)
    assert (second.succeeded, second.result, second.errcode) == (False, "waiting_after_failure", -1)
    assert second.next_try_at > clock.now()
    clock.advance(second.next_try_at - clock.now())
    assert await act(JobAction.PROFILE, openid) == (True, "fetched", None)


async def test_a_profile_that_waits_for_another_refresh_says_so(act, authorize, service, clock, wechat):
    openid = await authorize()
    clock.advance(7300)
    assert await service.vault.claim(APPID, openid, 15)
    outcome = await service.dashboard.users.perform(JobAction.PROFILE, APPID, openid)
    assert (outcome.succeeded, outcome.result, outcome.next_try_at) == (False, "refresh_in_progress", None)


async def test_a_paused_account_says_since_which_errcode_and_until_when(authorize, service, clock, wechat):
    openid = await authorize()
    clock.advance(7300)
    wechat.faults.add(Fault(endpoint="refresh_token", errcode=40125, times=1))
    for action in (JobAction.REFRESH, JobAction.REFRESH, JobAction.PROFILE):
        outcome = await service.dashboard.users.perform(action, APPID, openid)
        assert (outcome.succeeded, outcome.result) == (False, "paused"), action
        assert outcome.next_try_at > clock.now()
    assert wechat.calls["refresh_token"] == 1


async def test_a_newer_authorization_that_takes_over_is_told(act, authorize, wechat):
    openid = await authorize()
    await authorize("snsapi_base")
    wechat.faults.add(Fault(endpoint="refresh_token", errcode=40030, times=1))
    assert await act(JobAction.REFRESH, openid) == (False, "fell_back", 40030)
    assert await act(JobAction.REFRESH, openid) == (True, "refreshed", None)


async def test_a_failed_refresh_says_when_it_is_tried_again(authorize, service, clock, wechat):
    openid = await authorize()
    wechat.faults.add(Fault(endpoint="refresh_token", errcode=-1, times=1))
    outcome = await service.dashboard.users.perform(JobAction.REFRESH, APPID, openid)
    assert outcome.next_try_at == (await service.vault.get(APPID, openid)).next_refresh_at


async def test_a_user_is_revoked_once(act, authorize):
    openid = await authorize()
    assert await act(JobAction.REVOKE, openid) == (True, "revoked", None)
    assert await act(JobAction.REVOKE, openid) == (True, "already_revoked", None)
    assert await act(JobAction.ERASE, openid) == (True, "erased", None)
    assert await act(JobAction.REVOKE, openid) == (False, "unknown_user", None)
    assert await act(JobAction.ERASE, openid) == (False, "unknown_user", None)


def test_every_way_a_refresh_ends_has_a_result():
    assert set(REFRESH_RESULTS) == set(RefreshResult) - {RefreshResult.PAUSED}  # which the pause tells
    assert set(UNAVAILABLE_RESULTS) == set(UnavailableReason)
    assert set(STATUS_RESULTS) == {None, *Status} - {Status.ACTIVE}
