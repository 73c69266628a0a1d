"""Asking with `refused`: another token or none, and WeChat is not asked each time somebody asks."""

import asyncio

import pytest

from service.simulator.faults import Breakage, Fault
from service.tokens.manager import NoAuthorization, TokenUnavailable

pytestmark = pytest.mark.gen_test

REFRESH = "refresh_token"
MINUTE = 60
HOURS = 3600
MANY = 20


@pytest.fixture
def ask(service):
    """Ask for a token; give it, or None where there is none just now."""

    async def ask_one(openid, minimum_seconds=300, *, at=service, refused=True):
        try:
            return await at.tokens.get_valid_token(at.settings.appid, openid, minimum_seconds, refused=refused)
        except TokenUnavailable:
            return None

    return ask_one


async def test_a_refused_token_is_refreshed_though_it_should_live(wechat, authorize, ask):
    openid = await authorize()
    assert await ask(openid) is not None
    assert wechat.calls[REFRESH] == 1


@pytest.mark.parametrize("errcode", [-1, 45009, 45011, 40001, 40003, 40013, 40164, 48004, 50002, 99999])
async def test_while_refreshing_fails_a_refused_token_is_not_given_back(service, wechat, authorize, ask, errcode):
    openid = await authorize()
    before = await ask(openid, refused=False)
    wechat.faults.add(Fault(endpoint=REFRESH, errcode=errcode, times=None))
    assert [await ask(openid) for _ in range(MANY)] == [None] * MANY
    assert wechat.calls[REFRESH] == 1
    assert await ask(openid, refused=False) == before


@pytest.mark.parametrize("breakage", [Breakage.HTTP_500, Breakage.HTML, Breakage.HANG])
async def test_while_wechat_is_down_a_refused_token_is_not_given_back(wechat, authorize, ask, breakage):
    openid = await authorize()
    wechat.faults.add(Fault(endpoint=REFRESH, breakage=breakage, times=None))
    assert [await ask(openid) for _ in range(MANY)] == [None] * MANY
    assert wechat.calls[REFRESH] == 1


async def test_once_wechat_is_back_a_refused_token_is_refreshed(wechat, clock, authorize, ask):
    openid = await authorize()
    wechat.faults.add(Fault(endpoint=REFRESH, errcode=-1))
    assert await ask(openid) is None
    clock.advance(MINUTE)
    assert await ask(openid) is not None


async def test_a_token_refreshed_a_moment_ago_is_not_refreshed_again(wechat, clock, authorize, ask):
    openid = await authorize()
    assert await ask(openid) is not None
    assert [await ask(openid) for _ in range(MANY)] == [None] * MANY
    assert wechat.calls[REFRESH] == 1
    clock.advance(MINUTE)
    assert await ask(openid) is not None
    assert wechat.calls[REFRESH] == 2


async def test_callers_who_were_refused_at_the_same_time_share_the_refresh(
    service, wechat, authorize, ask, open_another
):
    openid = await authorize()
    others = [await open_another() for _ in range(2)]
    wechat.faults.add(Fault(endpoint=REFRESH, latency_seconds=0.3))
    tokens = await asyncio.gather(*(ask(openid, at=one) for one in (service, *others) for _ in range(MANY)))
    assert wechat.calls[REFRESH] == 1
    assert tokens.count(tokens[0]) == len(tokens)
    assert tokens[0] is not None


async def test_callers_who_were_refused_at_the_same_time_share_the_failure(
    service, wechat, authorize, ask, open_another
):
    openid = await authorize()
    others = [await open_another() for _ in range(2)]
    wechat.faults.add(Fault(endpoint=REFRESH, errcode=-1, latency_seconds=0.3, times=None))
    tokens = await asyncio.gather(*(ask(openid, at=one) for one in (service, *others) for _ in range(MANY)))
    assert tokens == [None] * len(tokens)
    assert wechat.calls[REFRESH] == 1


async def test_who_was_refused_never_joins_somebody_who_makes_do_with_the_old_token(wechat, clock, authorize, ask):
    openid = await authorize()
    clock.advance(7000)
    wechat.faults.add(Fault(endpoint=REFRESH, errcode=-1, latency_seconds=0.3, times=None))
    content, refused = await asyncio.gather(ask(openid, 600, refused=False), ask(openid, 600))
    assert content.expires_at == clock.now() + 200
    assert refused is None


async def test_a_refused_token_is_not_given_back_while_another_process_refreshes(service, authorize, ask):
    openid = await authorize()
    assert await service.vault.claim(service.settings.appid, openid, 60) is not None
    assert await ask(openid) is None


async def test_a_new_login_takes_the_place_of_a_refused_token_at_once(service, wechat, authorize, ask):
    openid = await authorize()
    refreshed = await ask(openid)
    await authorize()
    granted = await ask(openid, refused=False)
    assert granted.access_token != refreshed.access_token
    assert await ask(openid) is not None
    assert wechat.calls[REFRESH] == 2


async def test_a_minimum_that_no_token_reaches_refreshes_once(service, wechat, authorize, ask):
    openid = await authorize()
    tokens = [await ask(openid, 10**9, refused=False) for _ in range(MANY)]
    assert None not in tokens
    assert wechat.calls[REFRESH] == 1


async def test_a_user_who_must_authorize_again_is_not_asked_for_again(service, wechat, clock, authorize):
    openid = await authorize()
    clock.advance(31 * 24 * HOURS)
    for refused in (False, True, True):
        with pytest.raises(NoAuthorization):
            await service.tokens.get_valid_token(service.settings.appid, openid, refused=refused)
    assert wechat.calls[REFRESH] == 1
