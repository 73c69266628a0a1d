"""`POST /getCode`, over HTTP against a simulated WeChat and a real SQLite file."""

import asyncio
import json
from dataclasses import replace

import pytest

from service.authorization.exchange import CodeExchange
from service.authorization.exchange_budget import ExchangeBudget
from service.runtime.app import make_public_app
from service.simulator.faults import Breakage, Fault
from service.simulator.people import Account as SimulatedAccount
from service.simulator.people import openid_of
from service.simulator.replies import Quirks
from service.simulator.server import start_simulator
from service.simulator.wechat import SimulatedWeChat
from service.tokens.refresh_policy import RefreshPolicy
from service.wechat.protocol import Account
from tests.waiting import until

pytestmark = pytest.mark.gen_test

EXCHANGE = "access_token"


def reply_of(response):
    return json.loads(response.body)


async def test_a_code_gives_the_openid_and_never_a_token(page, wechat, openid_for):
    person = next(iter(wechat.people))
    response = await page.post_code(wechat.issue_code(person))
    assert response.code == 200
    assert reply_of(response) == {"openid": openid_for(person), "scope": "snsapi_base", "is_snapshotuser": False}
    assert "HttpOnly" in response.headers["Set-Cookie"]
    assert "SameSite=Lax" in response.headers["Set-Cookie"]


async def test_a_form_is_as_good_as_json(page, wechat):
    response = await page.post_form(code=wechat.issue_code(), state="123")
    assert response.code == 200


async def test_json_is_understood_whatever_the_content_type_says(page, wechat):
    body = json.dumps({"code": wechat.issue_code()}).encode()
    for content_type in ("text/plain", "application/x-www-form-urlencoded"):
        response = await page.post(body, content_type)
        assert response.code == 200, content_type


async def test_the_profile_scope_gives_the_unionid(page, wechat):
    response = await page.post_code(wechat.issue_code(scope="snsapi_userinfo"))
    assert reply_of(response)["scope"] == "snsapi_userinfo"
    assert reply_of(response)["unionid"].startswith("o")


async def test_a_snapshot_user_is_flagged(page, wechat, service):
    response = await page.post_code(wechat.issue_code(scope="snsapi_userinfo", snapshot=True))
    reply = reply_of(response)
    assert reply["is_snapshotuser"] is True
    stored = await service.vault.get(service.settings.appid, reply["openid"])
    assert stored.is_snapshotuser is True


async def test_the_answer_comes_after_the_authorization_is_stored(page, wechat, service):
    reply = reply_of(await page.post_code(wechat.issue_code()))
    stored = await service.vault.get(service.settings.appid, reply["openid"])
    tokens = service.vault.open(stored)
    assert tokens.access_token in wechat.issued_secrets()
    assert tokens.refresh_token in wechat.issued_secrets()
    assert tokens.access_token.encode() not in stored.tokens.access_token


async def test_a_bad_request_is_refused_without_asking_wechat(page, wechat, subtests):
    for body, content_type, errcode in [
        (b"", "application/json", 41008),
        (b"{}", "application/json", 41008),
        (b'{"code": ""}', "application/json", 41008),
        (b'{"code": null}', "application/json", 41008),
        (b"code=", "application/x-www-form-urlencoded", 41008),
        (b"other=1", "application/x-www-form-urlencoded", 41008),
        (b'{"code": "with space"}', "application/json", 40029),
        ('{"code": "中文"}'.encode(), "application/json", 40029),
        (b'{"code": "' + b"x" * 129 + b'"}', "application/json", 40029),
        (b'{"code": 123}', "application/json", None),
        (b"[1]", "application/json", None),
        (b"{", "application/json", None),
        (b"\xff\xfe", "text/plain", None),
        (b'{"code": "abc", "appid": "unknown"}', "application/json", None),
    ]:
        with subtests.test(body=body, content_type=content_type, errcode=errcode):
            response = await page.post(body, content_type)
            reply = reply_of(response)
            assert response.code == 400
            assert reply.get("errcode") == errcode
            assert reply["errmsg"]
            assert reply["request_id"] == response.headers["X-Request-Id"]
            assert wechat.calls[EXCHANGE] == 0


async def test_second_post_of_the_same_code_gets_the_same_openid(page, wechat):
    code = wechat.issue_code()
    first, second = await asyncio.gather(page.post_code(code), page.post_code(code))
    assert (first.code, second.code) == (200, 200)
    assert first.body == second.body
    assert wechat.calls[EXCHANGE] == 1


async def test_a_reload_with_the_new_cookie_gets_the_same_openid(page, wechat):
    code = wechat.issue_code()
    first = await page.post_code(code)
    again = await page.post_code(code)
    assert page.cookie
    assert first.body == again.body
    assert wechat.calls[EXCHANGE] == 1


async def test_another_browser_gets_40163_for_a_used_code(page, another_page, wechat):
    code = wechat.issue_code()
    await page.post_code(code)
    response = await another_page.post_code(code)
    assert response.code == 400
    assert reply_of(response)["errcode"] == 40163
    assert "openid" not in reply_of(response)
    assert another_page.cookie is None


async def test_another_browser_with_a_session_of_its_own_gets_40163(page, another_page, wechat):
    first, second, *_ = wechat.people
    await another_page.post_code(wechat.issue_code(second))
    code = wechat.issue_code(first)
    await page.post_code(code)
    response = await another_page.post_code(code)
    assert reply_of(response)["errcode"] == 40163


async def test_the_same_code_is_not_answered_from_memory_after_a_minute(page, wechat, clock):
    code = wechat.issue_code()
    await page.post_code(code)
    clock.advance(61)
    response = await page.post_code(code)
    assert reply_of(response)["errcode"] == 40163
    assert wechat.calls[EXCHANGE] == 2


async def test_another_process_answers_the_same_browser_from_the_store(page, wechat, open_another, serve):
    code = wechat.issue_code()
    await page.post_code(wechat.issue_code())
    other = replace(page, url=await serve(make_public_app(await open_another())))
    first = await page.post_code(code)
    again = await other.post_code(code)
    assert first.body == again.body
    assert wechat.calls["access_token"] == 3


async def test_another_process_refuses_another_browser(page, another_page, wechat, open_another, serve):
    code = wechat.issue_code()
    await page.post_code(code)
    another_page.url = await serve(make_public_app(await open_another()))
    assert reply_of(await another_page.post_code(code))["errcode"] == 40163


async def test_a_process_waits_for_the_other_one_that_is_exchanging_the_code(page, wechat, open_another, serve):
    code = wechat.issue_code()
    other = replace(page, url=await serve(make_public_app(await open_another())))
    # The first call is slow on its way back: the second is refused by WeChat before the first one's row is there.
    wechat.faults.add(Fault(endpoint=EXCHANGE, latency_seconds=0.3, performed=True))
    first = asyncio.ensure_future(page.post_code(code))
    await until(lambda: wechat.calls[EXCHANGE])
    second = await other.post_code(code)
    assert second.body == (await first).body


async def test_an_exchange_that_takes_too_long_goes_on_and_answers_the_next_post(page, wechat, service, serve):
    exchange = CodeExchange(
        service.vault,
        service.exchange._client,
        service.breaker,
        service.clock,
        RefreshPolicy(),
        budget=ExchangeBudget(0, service.counters, service.clock),
        is_signed_in=service.visitor_sessions.is_good,
        answer_seconds=0.2,
    )
    page.url = await serve(make_public_app(replace(service, exchange=exchange)))
    wechat.faults.add(Fault(endpoint=EXCHANGE, latency_seconds=0.5))
    code = wechat.issue_code()
    late = await page.post_code(code)
    assert (late.code, reply_of(late)["error"], late.headers["Retry-After"]) == (504, "retry", "1")
    while (again := await page.post_code(code)).code == 504:
        pass
    assert again.code == 200
    assert wechat.calls[EXCHANGE] == 1


async def test_behind_a_proxy_that_nobody_named_no_browser_passes_for_another(page, wechat, http):
    code = wechat.issue_code()

    async def post_from(address):
        headers = {"X-Forwarded-For": address, "User-Agent": "MicroMessenger/8.0"}
        body = json.dumps({"code": code}).encode()
        url = f"{page.url}/getCode"
        return await http.fetch(url, method="POST", body=body, headers=headers, raise_error=False)

    assert (await post_from("203.0.113.1")).code == 200
    assert reply_of(await post_from("203.0.113.2"))["errcode"] == 40163


async def test_a_repeat_in_another_process_tells_no_unionid_that_the_code_did_not_give(
    page, wechat, open_another, serve
):
    await page.post_code(wechat.issue_code(scope="snsapi_userinfo"))
    code = wechat.issue_code()
    other = replace(page, url=await serve(make_public_app(await open_another())))
    first = await page.post_code(code)
    again = await other.post_code(code)
    assert first.body == again.body
    assert "unionid" not in reply_of(again)


async def test_a_repeat_in_another_process_tells_the_unionid_of_a_silent_exchange(page, wechat, open_another, serve):
    wechat.quirks = Quirks(silent_unionid=True)
    other = replace(page, url=await serve(make_public_app(await open_another())))
    for wide_before in (False, True):
        if wide_before:
            await page.post_code(wechat.issue_code(scope="snsapi_userinfo"))
        code = wechat.issue_code()
        first = await page.post_code(code)
        again = await other.post_code(code)
        assert first.body == again.body
        assert reply_of(again)["unionid"].startswith("o")


async def test_an_expired_and_an_unknown_code_ask_for_a_new_authorization(page, wechat, clock):
    code = wechat.issue_code()
    clock.advance(301)
    expired = await page.post_code(code)
    unknown = await page.post_code("0" * 32)
    assert (expired.code, reply_of(expired)["error"], reply_of(expired)["errcode"]) == (400, "reauthorize", 40029)
    assert (unknown.code, reply_of(unknown)["error"], reply_of(unknown)["errcode"]) == (400, "reauthorize", 40029)


async def test_a_wrong_secret_says_nothing_to_the_page_and_is_not_tried_again_and_again(
    page, wechat, open_another, serve, caplog
):
    page.url = await serve(make_public_app(await open_another(secret="wrong")))
    replies = [await page.post_code(wechat.issue_code()) for _ in range(3)]
    assert {response.code for response in replies} == {500}
    assert all(reply_of(response)["error"] == "configuration" for response in replies)
    assert all("errcode" not in reply_of(response) for response in replies)
    assert wechat.calls[EXCHANGE] == 1
    assert "40125" in caplog.text


async def test_a_spent_quota_pauses_the_account_until_the_next_minute(page, wechat, clock):
    wechat.faults.add(Fault(endpoint=EXCHANGE, errcode=45011))
    first = await page.post_code(wechat.issue_code())
    second = await page.post_code(wechat.issue_code())
    assert (first.code, second.code) == (503, 503)
    assert 1 <= int(second.headers["Retry-After"]) <= 60
    assert wechat.calls[EXCHANGE] == 1
    clock.advance(60)
    assert (await page.post_code(wechat.issue_code())).code == 200


@pytest.mark.parametrize(
    ("breakage", "status"),
    [
        (Breakage.DROP, 503),
        (Breakage.HALF, 503),
        (Breakage.HANG, 504),
        (Breakage.HTML, 502),
        (Breakage.HTTP_500, 502),
        (Breakage.TRUNCATED, 502),
        (Breakage.HUGE, 502),
    ],
)
@pytest.mark.parametrize("transport", ["curl", "requests"])
async def test_an_upstream_that_misbehaves_gives_a_clear_error_and_the_next_request_works(
    page, wechat, open_another, serve, breakage, status, transport
):
    # Short only where the time runs out on purpose: elsewhere a slow machine must not make another error of it.
    patience = 0.5 if breakage is Breakage.HANG else 4.0
    instance = await open_another(wechat_transport=transport, wechat_timeout_seconds=patience)
    page.url = await serve(make_public_app(instance))
    # Two: a call that ended before any byte of a reply is tried once more.
    wechat.faults.add(Fault(endpoint=EXCHANGE, breakage=breakage, times=2 if breakage is Breakage.DROP else 1))
    started = asyncio.get_running_loop().time()
    response = await page.post_code(wechat.issue_code())
    assert asyncio.get_running_loop().time() - started < 5
    assert response.code == status
    assert reply_of(response)["error"] == "retry"
    assert reply_of(response)["errmsg"]
    assert (await page.post_code(wechat.issue_code())).code == 200


async def test_a_call_that_was_dropped_before_any_byte_is_tried_once_more(page, wechat):
    wechat.faults.add(Fault(endpoint=EXCHANGE, breakage=Breakage.DROP))
    assert (await page.post_code(wechat.issue_code())).code == 200
    assert wechat.calls[EXCHANGE] == 2


async def test_several_accounts_are_told_apart_by_appid(page, simulator, wechat, open_another, serve, clock):
    shops = [SimulatedAccount("wx-shop-1", "secret-1"), SimulatedAccount("wx-shop-2", "secret-2")]
    two = SimulatedWeChat(clock, accounts=shops)
    running = await start_simulator(two)
    try:
        accounts = tuple(Account(shop.appid, shop.secret) for shop in shops)
        instance = await open_another(appid="", secret="", accounts=accounts, wechat_api_url=running.url)
        page.url = await serve(make_public_app(instance))
        person = two.find_person(None)
        for shop in shops:
            response = await page.post_code(two.issue_code(appid=shop.appid), appid=shop.appid)
            assert reply_of(response)["openid"] == openid_of(person, shop.appid)
        default = await page.post_code(two.issue_code(appid="wx-shop-1"))
        assert reply_of(default)["openid"] == openid_of(person, "wx-shop-1")
    finally:
        await running.stop()


async def test_a_silent_login_does_not_take_the_profile_scope_away(page, wechat, service):
    reply = reply_of(await page.post_code(wechat.issue_code(scope="snsapi_userinfo")))
    wide = await service.vault.get(service.settings.appid, reply["openid"])
    silent = reply_of(await page.post_code(wechat.issue_code(scope="snsapi_base")))
    stored = await service.vault.get(service.settings.appid, reply["openid"])
    assert silent["scope"] == "snsapi_base"
    assert stored.scope == "snsapi_userinfo"
    assert stored.tokens == wide.tokens


async def test_one_address_may_ask_only_so_often(page, wechat, open_another, serve):
    page.url = await serve(make_public_app(await open_another(rate_limit="2/hour")))
    statuses = [(await page.post_code(wechat.issue_code())).code for _ in range(3)]
    refused = await page.post_code(wechat.issue_code())
    assert statuses == [200, 200, 429]
    assert int(refused.headers["Retry-After"]) >= 1
    assert wechat.calls[EXCHANGE] == 2


async def test_other_methods_and_addresses_are_refused_in_json(page, http):
    wrong_method = await http.fetch(f"{page.url}/getCode", raise_error=False)
    nowhere = await http.fetch(f"{page.url}/nothing?code=abc", raise_error=False)
    assert (wrong_method.code, reply_of(wrong_method)["error"]) == (405, "request")
    assert (nowhere.code, reply_of(nowhere)["error"]) == (404, "not_found")
