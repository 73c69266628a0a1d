"""`GET /userinfo`: the session's own profile, by a live token, kept for a while."""

import asyncio

import pytest

from service.simulator.faults import Fault
from tests.service.http.handlers.h5_browser import PAGE_ORIGIN, query_of, reply_of
from tests.waiting import until

pytestmark = pytest.mark.gen_test

USERINFO = "userinfo"
REFRESH = "refresh_token"
WIDE = "snsapi_userinfo"
DAY = 86_400


@pytest.fixture
def sign_in(browser, wechat):
    async def sign_in(person="li-na", scope=WIDE, *, at=browser, **options):
        response = await at.post_code(wechat.issue_code(person, scope=scope, **options))
        assert response.code == 200
        return reply_of(response)["openid"]

    return sign_in


async def test_the_profile_is_the_sessions_own(browser, wechat, sign_in):
    openid = await sign_in()
    person = wechat.find_person("li-na")
    reply = reply_of(await browser.fetch("/userinfo"))
    assert (reply["openid"], reply["nickname"], reply["headimgurl"]) == (openid, person.nickname, person.picture)
    assert reply["unionid"].startswith("o")
    assert set(reply) == {"openid", "nickname", "headimgurl", "unionid"}


async def test_nobody_can_read_anothers(browser, another_browser, sign_in):
    openid = await sign_in("li-na")
    other = await sign_in("xiao-ming", at=another_browser)
    for argument in ("openid", "user", "appid"):
        reply = reply_of(await another_browser.fetch(f"/userinfo?{argument}={openid}"))
        assert reply["openid"] == other


async def test_without_a_session_there_is_nobody_to_show(browser):
    response = await browser.fetch("/userinfo", headers={"Origin": PAGE_ORIGIN})
    assert response.code == 401
    assert reply_of(response)["error"] == "reauthorize"
    assert "/authorize?" in reply_of(response)["authorize_url"]


async def test_the_profile_is_stored_and_kept_for_the_configured_time(browser, wechat, clock, service, sign_in):
    openid = await sign_in()
    first = await browser.fetch("/userinfo")
    clock.advance(DAY - 1)
    assert (await browser.fetch("/userinfo?lang=en")).body == first.body
    assert wechat.calls[USERINFO] == 1
    stored = await service.vault.get(service.settings.appid, openid)
    assert stored.nickname == wechat.find_person("li-na").nickname
    clock.advance(1)
    assert (await browser.fetch("/userinfo")).body == first.body
    assert wechat.calls[USERINFO] == 2


async def test_an_expired_token_is_refreshed_on_use(browser, wechat, clock, sign_in):
    await sign_in()
    clock.advance(3 * 3600)
    assert (await browser.fetch("/userinfo")).code == 200
    assert wechat.calls[REFRESH] == 1


@pytest.mark.parametrize("errcode", [40001, 42001, 40014])
async def test_a_token_that_wechat_refuses_is_refreshed_once(browser, wechat, sign_in, errcode):
    await sign_in()
    wechat.faults.add(Fault(endpoint=USERINFO, errcode=errcode))
    assert (await browser.fetch("/userinfo")).code == 200
    assert (wechat.calls[USERINFO], wechat.calls[REFRESH]) == (2, 1)


async def test_a_token_that_is_refused_again_is_not_tried_for_ever(browser, wechat, sign_in):
    await sign_in()
    wechat.faults.add(Fault(endpoint=USERINFO, errcode=40001, times=10))
    assert (await browser.fetch("/userinfo")).code == 502
    assert (wechat.calls[USERINFO], wechat.calls[REFRESH]) == (2, 1)


async def test_a_token_stored_meanwhile_is_used_before_refreshing(browser, wechat, service, sign_in):
    await sign_in()
    wechat.faults.add(Fault(endpoint=USERINFO, errcode=40001, latency_seconds=0.4))
    slow = asyncio.ensure_future(browser.fetch("/userinfo"))
    await until(lambda: wechat.calls[USERINFO])
    await sign_in()
    assert (await slow).code == 200
    assert wechat.calls[REFRESH] == 0


async def test_a_silent_user_is_told_where_to_be_asked(browser, wechat, sign_in):
    await sign_in(scope="snsapi_base")
    response = await browser.fetch("/userinfo", headers={"Origin": PAGE_ORIGIN})
    assert (response.code, reply_of(response)["error"]) == (403, "upgrade_scope")
    url = reply_of(response)["authorize_url"]
    asked = await browser.fetch(url.removeprefix("https://api.example.com"))
    assert query_of(asked.headers["Location"])["scope"] == WIDE
    assert wechat.calls[USERINFO] == 0


async def test_wechats_own_word_about_the_scope_is_passed_on(browser, wechat, sign_in):
    await sign_in()
    wechat.faults.add(Fault(endpoint=USERINFO, errcode=48001))
    reply = reply_of(await browser.fetch("/userinfo"))
    assert (reply["error"], reply["errcode"]) == ("upgrade_scope", 48001)
    assert "scope=snsapi_userinfo" in reply["authorize_url"]


async def test_a_snapshot_user_is_refused_with_the_reason(browser, wechat, sign_in):
    await sign_in(snapshot=True)
    response = await browser.fetch("/userinfo")
    assert (response.code, reply_of(response)["error"]) == (403, "snapshot_user")
    assert "snapshot" in reply_of(response)["errmsg"]
    assert wechat.calls[USERINFO] == 0


async def test_an_erased_user_must_authorize_again(browser, service, sign_in):
    openid = await sign_in()
    await service.vault.erase(service.settings.appid, openid)
    response = await browser.fetch("/userinfo")
    assert response.code == 401
    assert reply_of(response)["error"] == "reauthorize"


async def test_a_user_who_was_revoked_is_signed_out(browser, service, sign_in):
    openid = await sign_in()
    await service.vault.revoke(service.settings.appid, openid)
    response = await browser.fetch("/userinfo")
    assert (response.code, reply_of(response)["error"]) == (401, "reauthorize")
    assert "authorize_url" in reply_of(response)


async def test_a_user_whose_refresh_token_wechat_refuses_must_authorize_again(browser, wechat, clock, sign_in):
    await sign_in()
    clock.advance(3 * 3600)
    wechat.faults.add(Fault(endpoint=REFRESH, errcode=42002))
    await browser.fetch("/userinfo")
    response = await browser.fetch("/userinfo")
    assert (response.code, reply_of(response)["error"]) == (409, "reauthorize")
    assert "authorize_url" in reply_of(response)


async def test_a_user_erased_while_wechat_is_asked_is_not_shown(browser, wechat, service, sign_in):
    openid = await sign_in()
    wechat.faults.add(Fault(endpoint=USERINFO, latency_seconds=0.3))
    slow = asyncio.ensure_future(browser.fetch("/userinfo"))
    await until(lambda: wechat.calls[USERINFO])
    await service.vault.erase(service.settings.appid, openid)
    response = await slow
    assert response.code == 401
    assert "nickname" not in reply_of(response)


async def test_many_requests_at_once_ask_wechat_once(browser, wechat, sign_in):
    await sign_in()
    replies = await asyncio.gather(*(browser.fetch("/userinfo") for _ in range(20)))
    assert {response.code for response in replies} == {200}
    assert wechat.calls[USERINFO] == 1


async def test_an_unknown_language_is_refused(browser, sign_in):
    await sign_in()
    assert (await browser.fetch("/userinfo?lang=fr")).code == 400
    for lang in ("zh_CN", "zh_TW", "en"):
        assert (await browser.fetch(f"/userinfo?lang={lang}")).code == 200


async def test_a_spent_quota_pauses_the_questions(browser, wechat, sign_in):
    await sign_in()
    wechat.faults.add(Fault(endpoint=USERINFO, errcode=45011))
    assert [(await browser.fetch("/userinfo")).code for _ in range(2)] == [503, 503]
    assert wechat.calls[USERINFO] == 1


@pytest.mark.attack(
    "WeChat's quota",
    "a visitor",
    "a profile that WeChat refuses is asked for again and again",
    "WeChat is asked once in a while",
)
@pytest.mark.parametrize("errcode", [-1, 50002, 48004, 40003, 40001])
async def test_wechat_is_not_asked_again_at_once_for_a_profile_that_it_refuses(
    browser, wechat, sign_in, clock, errcode
):
    await sign_in()
    wechat.faults.add(Fault(endpoint=USERINFO, errcode=errcode, times=None))
    first = await browser.fetch("/userinfo")
    asked = wechat.calls[USERINFO]
    replies = [await browser.fetch("/userinfo") for _ in range(20)]
    assert {response.code for response in replies} == {first.code}
    assert {reply_of(response)["error"] for response in replies} == {reply_of(first)["error"]}
    assert wechat.calls[USERINFO] == asked
    clock.advance(10)
    await browser.fetch("/userinfo")
    assert wechat.calls[USERINFO] > asked


async def test_a_failure_is_forgotten_when_the_user_authorizes_anew(browser, wechat, sign_in):
    await sign_in()
    wechat.faults.add(Fault(endpoint=USERINFO, errcode=50002))
    assert (await browser.fetch("/userinfo")).code == 403
    assert (await browser.fetch("/userinfo")).code == 403
    await sign_in()
    assert (await browser.fetch("/userinfo")).code == 200


async def test_profiles_are_limited_by_address_and_by_user(browser_of_changed, wechat, sign_in):
    browser = await browser_of_changed(rate_limit="20/minute", profile_cache_seconds=0)
    await sign_in(at=browser)
    codes = [(await browser.fetch("/userinfo")).code for _ in range(3)]
    assert codes == [200, 200, 429]
    await sign_in("xiao-ming", at=browser)
    codes = [(await browser.fetch("/userinfo")).code for _ in range(3)]
    assert codes == [200, 200, 429]
    assert wechat.calls[USERINFO] == 4
    browser.cookies.clear()
    codes = [(await browser.fetch("/userinfo")).code for _ in range(20)]
    assert codes == [401] * 14 + [429] * 6
