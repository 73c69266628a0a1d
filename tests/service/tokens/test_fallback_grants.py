"""A silent login beside a live profile grant: which token is given, and what a refusal of the wide one ends in."""

import pytest

from service.simulator.faults import Fault
from service.simulator.replies import Quirks
from service.tokens.manager import NoAuthorization, TokenUnavailable
from service.tokens.refresher import RefreshResult
from storage.users import Status

pytestmark = pytest.mark.gen_test

REFRESH = "refresh_token"
BASE, WIDE = "snsapi_base", "snsapi_userinfo"
MINUTE = 60
HOURS = 3600
DAYS = 86_400


@pytest.fixture
def ask(service):
    def ask_one(openid, **options):
        return service.tokens.get_valid_token(service.settings.appid, openid, **options)

    return ask_one


@pytest.fixture
def held(service, row):
    """Open the tokens of both of a user's grants."""

    async def open_both(openid):
        found = await row(openid)
        fallback = found.fallback and service.keys.open_tokens(found.appid, openid, found.fallback.tokens)
        return service.vault.open(found), fallback

    return open_both


async def test_a_silent_login_leaves_the_profile_readable(service, authorize, ask, held):
    openid = await authorize(scope=WIDE)
    wide, _ = await held(openid)
    await authorize()
    first, second = await held(openid)
    assert first == wide
    assert second not in {None, wide}
    assert (await ask(openid)).scope == WIDE
    assert (await service.profiles.of(service.settings.appid, openid)).openid == openid


@pytest.mark.parametrize("errcode", [40030, 42002, 42007, 50001, 40001, 40014, 42001])
async def test_when_the_wide_token_is_refused_the_newer_grant_gives_the_token(
    wechat, authorize, ask, held, row, errcode
):
    openid = await authorize(scope=WIDE)
    await authorize()
    _, silent = await held(openid)
    wechat.faults.add(Fault(endpoint=REFRESH, errcode=errcode))
    token = await ask(openid, refused=True)
    assert (token.access_token, token.scope) == (silent.access_token, BASE)
    stored = await row(openid)
    assert (stored.status, stored.fallback, stored.refresh_failures) == (Status.ACTIVE, None, 0)
    assert wechat.calls[REFRESH] == 1


async def test_a_newer_grant_whose_access_token_has_expired_is_refreshed_as_it_takes_over(
    wechat, clock, authorize, ask, held
):
    openid = await authorize(scope=WIDE)
    await authorize()
    clock.advance(3 * HOURS)
    wechat.faults.add(Fault(endpoint=REFRESH, errcode=40030))
    token = await ask(openid)
    assert (token.scope, token.expires_at) == (BASE, clock.now() + 7200)
    assert wechat.calls[REFRESH] == 2


async def test_the_thirty_days_of_the_wide_grant_end_before_those_of_the_newer(wechat, clock, authorize, ask, row):
    openid = await authorize(scope=WIDE)
    clock.advance(20 * DAYS)
    await authorize()
    clock.advance(11 * DAYS)
    assert (await ask(openid)).scope == BASE
    assert wechat.outcomes[REFRESH] == {"42002": 1, "ok": 1}
    assert (await row(openid)).refresh_expires_at == clock.now() + 19 * DAYS
    clock.advance(20 * DAYS)
    with pytest.raises(NoAuthorization):
        await ask(openid)


@pytest.mark.parametrize("quirks", [Quirks(), Quirks(silent_login_takes_over=True), Quirks(keep_older_tokens=True)])
async def test_whatever_a_silent_login_does_to_the_profile_grant_the_user_stays_alive(
    service, wechat, clock, authorize, ask, row, quirks
):
    wechat.quirks = quirks
    openid = await authorize(scope=WIDE)
    await ask(openid, refused=True)
    await authorize()
    for _ in range(3):
        clock.advance(3 * HOURS)
        token = await ask(openid)
        assert wechat.auth(access_token=token.access_token, openid=openid) == {"errcode": 0, "errmsg": "ok"}
        assert token.expires_at == clock.now() + 7200
    assert (await row(openid)).status is Status.ACTIVE


async def test_the_schedule_takes_the_newer_grant_and_refreshes_it_in_the_same_pass(
    service, wechat, clock, authorize, row
):
    openid = await authorize(scope=WIDE)
    await authorize()
    clock.advance(3 * HOURS)
    wechat.faults.add(Fault(endpoint=REFRESH, errcode=40030))
    report = await service.scheduler.run_pass()
    assert report.results == {RefreshResult.FELL_BACK: 1, RefreshResult.REFRESHED: 1}
    stored = await row(openid)
    assert (stored.scope, stored.expires_at) == (BASE, clock.now() + 7200)


async def test_a_passing_failure_does_not_give_the_wide_grant_up(wechat, clock, authorize, ask, row):
    openid = await authorize(scope=WIDE)
    await authorize()
    clock.advance(3 * HOURS)
    wechat.faults.add(Fault(endpoint=REFRESH, errcode=-1))
    with pytest.raises(TokenUnavailable):
        await ask(openid)
    stored = await row(openid)
    assert stored.scope == WIDE
    assert stored.fallback is not None
    clock.advance(MINUTE)
    assert (await ask(openid)).scope == WIDE


async def test_without_a_newer_grant_a_stale_token_is_tried_again_and_ends_nothing(wechat, clock, authorize, ask, row):
    openid = await authorize(scope=WIDE)
    clock.advance(3 * HOURS)
    wechat.faults.add(Fault(endpoint=REFRESH, errcode=40001))
    with pytest.raises(TokenUnavailable):
        await ask(openid)
    assert (await row(openid)).status is Status.ACTIVE


async def test_a_wide_grant_that_arrives_later_removes_the_one_that_is_held(wechat, authorize, ask, row):
    openid = await authorize(scope=WIDE)
    await authorize()
    await authorize(scope=WIDE)
    assert (await row(openid)).fallback is None


async def test_a_login_right_after_a_refresh_is_no_reason_to_wait_with_the_next_one(wechat, authorize, ask):
    openid = await authorize(scope=WIDE)
    await ask(openid, refused=True)
    await authorize()
    await ask(openid, refused=True)
    assert wechat.calls[REFRESH] == 2
