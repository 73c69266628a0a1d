"""Live tokens on use: one refresh for everybody, leases, fences, and what each kind of failure does to the row."""

import asyncio

import pytest

from service.simulator.faults import Breakage, Fault
from service.simulator.replies import Quirks
from service.tokens.manager import NoAuthorization, TokenUnavailable
from service.tokens.refresher import RefreshResult
from storage.base.errors import SealError
from storage.sealing import KeyRing, generate_key
from storage.users import Status
from tests.waiting import until

pytestmark = pytest.mark.gen_test

REFRESH = "refresh_token"
HOURS = 3600
DAYS = 86_400
GRANTS = [("xiao-ming", "snsapi_base"), ("li-na", "snsapi_userinfo")]


async def test_a_token_that_lives_long_enough_is_returned_without_asking_wechat(service, wechat, authorize):
    openid = await authorize()
    fresh = await service.tokens.get_valid_token(service.settings.appid, openid)
    assert fresh.access_token in wechat.issued_secrets()
    assert fresh.expires_at == service.clock.now() + 7200
    assert wechat.calls[REFRESH] == 0


async def test_an_expired_token_is_refreshed_and_the_new_one_stored(service, wechat, clock, authorize, row):
    openid = await authorize()
    before = await service.tokens.get_valid_token(service.settings.appid, openid)
    clock.advance(3 * HOURS)
    after = await service.tokens.get_valid_token(service.settings.appid, openid)
    assert after.access_token != before.access_token
    assert after.expires_at == clock.now() + 7200
    stored = await row(openid)
    assert service.vault.open(stored).access_token == after.access_token
    assert stored.refreshed_at == clock.now()


async def test_a_token_refreshed_early_stays_the_same_and_lives_longer(service, clock, authorize):
    openid = await authorize()
    before = await service.tokens.get_valid_token(service.settings.appid, openid)
    clock.advance(7000)
    after = await service.tokens.get_valid_token(service.settings.appid, openid, minimum_seconds=600)
    assert after.access_token == before.access_token
    assert after.expires_at > before.expires_at


async def test_a_refresh_keeps_the_scope_of_the_exchange_whatever_its_reply_lists(service, clock, authorize, row):
    silent, wide = [await authorize(person, scope=scope) for person, scope in GRANTS]
    clock.advance(3 * HOURS)
    scopes = [(await service.tokens.get_valid_token(service.settings.appid, openid)).scope for openid in (silent, wide)]
    assert scopes == ["snsapi_base", "snsapi_userinfo"]
    assert [(await row(openid)).scope for openid in (silent, wide)] == scopes


async def test_a_silent_login_after_a_refresh_brings_its_own_tokens(service, clock, authorize, row):
    openid = await authorize()
    earlier = service.vault.open(await row(openid))
    clock.advance(3 * HOURS)
    await service.tokens.get_valid_token(service.settings.appid, openid)
    await authorize()
    assert service.vault.open(await row(openid)).refresh_token != earlier.refresh_token


async def test_many_callers_share_one_refresh(service, wechat, clock, authorize):
    openid = await authorize()
    clock.advance(3 * HOURS)
    tokens = await asyncio.gather(*(service.tokens.get_valid_token(service.settings.appid, openid) for _ in range(100)))
    assert len({token.access_token for token in tokens}) == 1
    assert wechat.calls[REFRESH] == 1


async def test_instances_share_one_refresh(service, wechat, clock, authorize, open_another):
    openid = await authorize()
    others = [await open_another() for _ in range(3)]
    clock.advance(3 * HOURS)
    wechat.faults.add(Fault(endpoint=REFRESH, latency_seconds=0.3))
    tokens = await asyncio.gather(
        *(
            instance.tokens.get_valid_token(service.settings.appid, openid)
            for instance in (service, *others)
            for _ in range(20)
        )
    )
    assert len({token.access_token for token in tokens}) == 1
    assert wechat.calls[REFRESH] == 1


async def test_a_cancelled_caller_does_not_end_the_others_refresh(service, wechat, clock, authorize):
    openid = await authorize()
    clock.advance(3 * HOURS)
    wechat.faults.add(Fault(endpoint=REFRESH, latency_seconds=0.2))
    first = asyncio.ensure_future(service.tokens.get_valid_token(service.settings.appid, openid))
    second = asyncio.ensure_future(service.tokens.get_valid_token(service.settings.appid, openid))
    await until(lambda: wechat.calls[REFRESH])
    first.cancel()
    assert (await second).expires_at == clock.now() + 7200
    assert wechat.calls[REFRESH] == 1


async def test_a_dead_holder_is_succeeded_after_its_lease_and_its_late_write_changes_nothing(
    service, wechat, clock, authorize, row
):
    openid = await authorize()
    clock.advance(3 * HOURS)
    abandoned = await service.vault.claim(service.settings.appid, openid, 1)
    assert abandoned is not None
    fresh = await service.tokens.get_valid_token(service.settings.appid, openid)
    assert wechat.calls[REFRESH] == 1
    tokens = service.vault.seal(service.settings.appid, openid, service.vault.open(abandoned.authorization))
    late = abandoned.refreshed(
        tokens, scope="late", refreshed_at=1, expires_at=1, refresh_expires_at=1, next_refresh_at=None
    )
    assert await service.vault.settle(late) is False
    stored = await row(openid)
    assert stored.scope == "snsapi_base"
    assert service.vault.open(stored).access_token == fresh.access_token


async def test_while_another_holds_the_lease_a_token_that_still_lives_is_returned(service, wechat, clock, authorize):
    openid = await authorize()
    clock.advance(7000)
    assert await service.vault.claim(service.settings.appid, openid, 60) is not None
    fresh = await service.tokens.get_valid_token(service.settings.appid, openid, minimum_seconds=600)
    assert fresh.expires_at == clock.now() + 200
    assert wechat.calls[REFRESH] == 0


async def test_while_another_holds_the_lease_an_expired_token_is_never_refreshed_without_it(
    service, wechat, clock, authorize
):
    openid = await authorize()
    clock.advance(3 * HOURS)
    assert await service.vault.claim(service.settings.appid, openid, 60) is not None
    with pytest.raises(TokenUnavailable) as refused:
        await service.tokens.get_valid_token(service.settings.appid, openid)
    assert refused.value.retry_after >= 1
    assert wechat.calls[REFRESH] == 0


async def test_a_new_exchange_during_a_refresh_wins(service, wechat, clock, authorize, row):
    openid = await authorize()
    clock.advance(3 * HOURS)
    wechat.faults.add(Fault(endpoint=REFRESH, latency_seconds=0.3))
    refreshing = asyncio.ensure_future(service.tokens.get_valid_token(service.settings.appid, openid))
    await until(lambda: wechat.calls[REFRESH])
    await authorize()
    granted = service.vault.open(await row(openid)).access_token
    assert (await refreshing).access_token == granted
    assert service.vault.open(await row(openid)).access_token == granted


async def test_erasing_during_a_refresh_leaves_nothing_behind(service, wechat, clock, authorize, row):
    openid = await authorize()
    clock.advance(3 * HOURS)
    wechat.faults.add(Fault(endpoint=REFRESH, latency_seconds=0.3))
    refreshing = asyncio.ensure_future(service.tokens.get_valid_token(service.settings.appid, openid))
    await until(lambda: wechat.calls[REFRESH])
    assert await service.vault.erase(service.settings.appid, openid)
    with pytest.raises(NoAuthorization):
        await refreshing
    assert await row(openid) is None


async def test_after_thirty_days_the_user_must_authorize_again_and_then_is_well(service, wechat, clock, authorize, row):
    openid = await authorize()
    clock.advance(31 * DAYS)
    with pytest.raises(NoAuthorization) as refused:
        await service.tokens.get_valid_token(service.settings.appid, openid)
    assert refused.value.status is Status.REAUTHORIZATION_REQUIRED
    stored = await row(openid)
    assert (stored.status, stored.last_error_code, stored.last_error_kind) == (
        Status.REAUTHORIZATION_REQUIRED,
        42002,
        "reauthorize",
    )
    with pytest.raises(NoAuthorization):
        await service.tokens.get_valid_token(service.settings.appid, openid)
    assert wechat.calls[REFRESH] == 1
    await authorize()
    assert (await row(openid)).status is Status.ACTIVE
    assert (await service.tokens.get_valid_token(service.settings.appid, openid)).expires_at == clock.now() + 7200


async def test_the_thirty_days_are_not_extended_by_refreshing(service, clock, authorize, row):
    openid = await authorize()
    ends = (await row(openid)).refresh_expires_at
    clock.advance(3 * DAYS)
    await service.tokens.get_valid_token(service.settings.appid, openid)
    assert (await row(openid)).refresh_expires_at == ends


async def test_a_reply_without_a_refresh_token_keeps_the_old_one(service, wechat, clock, authorize, row):
    openid = await authorize()
    old = service.vault.open(await row(openid)).refresh_token
    wechat.quirks = Quirks(omit_refresh_token=True)
    clock.advance(3 * HOURS)
    await service.tokens.get_valid_token(service.settings.appid, openid)
    assert service.vault.open(await row(openid)).refresh_token == old


async def test_a_failure_is_counted_and_the_next_try_waits(service, wechat, clock, authorize, row):
    openid = await authorize()
    clock.advance(3 * HOURS)
    wechat.faults.add(Fault(endpoint=REFRESH, errcode=-1, times=None))
    for _ in range(3):
        with pytest.raises(TokenUnavailable) as refused:
            await service.tokens.get_valid_token(service.settings.appid, openid)
        assert refused.value.retry_after >= 1
    assert wechat.calls[REFRESH] == 1
    stored = await row(openid)
    assert (stored.refresh_failures, stored.last_error_code, stored.last_error_kind) == (1, -1, "retry")
    assert stored.status is Status.ACTIVE
    clock.advance(61)
    with pytest.raises(TokenUnavailable):
        await service.tokens.get_valid_token(service.settings.appid, openid)
    assert wechat.calls[REFRESH] == 2
    assert (await row(openid)).refresh_failures == 2
    wechat.faults.clear()
    clock.advance(61)
    await service.tokens.get_valid_token(service.settings.appid, openid)
    stored = await row(openid)
    assert (stored.refresh_failures, stored.last_error_code) == (0, None)


async def test_the_wait_after_a_failure_survives_a_restart(service, wechat, clock, authorize, open_another):
    openid = await authorize()
    clock.advance(3 * HOURS)
    wechat.faults.add(Fault(endpoint=REFRESH, breakage=Breakage.HTTP_500))
    with pytest.raises(TokenUnavailable):
        await service.tokens.get_valid_token(service.settings.appid, openid)
    restarted = await open_another()
    with pytest.raises(TokenUnavailable):
        await restarted.tokens.get_valid_token(service.settings.appid, openid)
    assert wechat.calls[REFRESH] == 1


async def test_a_failed_early_refresh_falls_back_on_the_token_that_lives(service, wechat, clock, authorize):
    openid = await authorize()
    clock.advance(7000)
    wechat.faults.add(Fault(endpoint=REFRESH, errcode=-1))
    fresh = await service.tokens.get_valid_token(service.settings.appid, openid, minimum_seconds=600)
    assert fresh.expires_at == clock.now() + 200


@pytest.mark.parametrize("errcode", [40013, 40125, 40164, 48017])
async def test_a_configuration_error_touches_no_row_and_pauses_the_account(
    service, wechat, clock, authorize, row, errcode
):
    first, second, *_ = wechat.people
    openids = [await authorize(first), await authorize(second)]
    clock.advance(3 * HOURS)
    wechat.faults.add(Fault(endpoint=REFRESH, errcode=errcode, times=None))
    for openid in openids:
        with pytest.raises(TokenUnavailable):
            await service.tokens.get_valid_token(service.settings.appid, openid)
    assert wechat.calls[REFRESH] == 1
    for openid in openids:
        stored = await row(openid)
        assert (stored.status, stored.refresh_failures, stored.last_error_code) == (Status.ACTIVE, 0, None)


async def test_an_unknown_user_is_told_apart_from_one_who_must_authorize_again(service):
    with pytest.raises(NoAuthorization) as refused:
        await service.tokens.get_valid_token(service.settings.appid, "nobody")
    assert refused.value.status is None


async def test_a_revoked_user_gets_no_token(service, authorize):
    openid = await authorize()
    assert await service.vault.revoke(service.settings.appid, openid)
    with pytest.raises(NoAuthorization) as refused:
        await service.tokens.get_valid_token(service.settings.appid, openid)
    assert refused.value.status is Status.REVOKED


async def test_tokens_that_do_not_open_change_nothing(service, clock, authorize, row):
    openid = await authorize()
    clock.advance(3 * HOURS)
    before = await row(openid)
    service.vault._keys = KeyRing.parse(generate_key())
    with pytest.raises(SealError):
        await service.tokens.get_valid_token(service.settings.appid, openid)
    after = await row(openid)
    assert (after.tokens, after.status, after.refresh_failures) == (before.tokens, before.status, 0)


async def test_a_use_puts_a_token_on_schedule_again(service, wechat, clock, authorize, row):
    openid = await authorize()
    clock.advance(8 * DAYS)
    report = await service.scheduler.run_pass()
    assert report.results[RefreshResult.LEFT_TO_USE] == 1
    assert (await row(openid)).next_refresh_at is None
    await service.tokens.get_valid_token(service.settings.appid, openid)
    stored = await row(openid)
    assert stored.last_used_at == clock.now()
    assert clock.now() < stored.next_refresh_at < stored.expires_at


async def test_a_token_from_before_the_clock_was_set_back_is_refreshed(service, wechat, clock, authorize):
    openid = await authorize()
    clock.set_by(-6 * HOURS)
    fresh = await service.tokens.get_valid_token(service.settings.appid, openid)
    assert fresh.expires_at == clock.now() + 7200
    await service.tokens.get_valid_token(service.settings.appid, openid)
    assert wechat.calls[REFRESH] == 1


async def test_a_failure_from_before_the_clock_was_set_back_makes_nobody_wait(service, wechat, clock, authorize):
    openid = await authorize()
    clock.advance(3 * HOURS)
    wechat.faults.add(Fault(endpoint=REFRESH, errcode=-1, times=1))
    with pytest.raises(TokenUnavailable):
        await service.tokens.get_valid_token(service.settings.appid, openid)
    clock.set_by(-6 * HOURS)
    fresh = await service.tokens.get_valid_token(service.settings.appid, openid)
    assert fresh.expires_at == clock.now() + 7200
