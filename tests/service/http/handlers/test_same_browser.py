"""Who gets the answer to a code again, and who never does: the same browser, told by what it alone can bring."""

import asyncio
from dataclasses import replace
from http.cookies import SimpleCookie
from ipaddress import ip_network

import pytest

from service.authorization.sessions import Session, SessionSigner
from storage.sealing import KeyRing
from tests.service.http.handlers.h5_browser import PAGE_ORIGIN, Browser, reply_of

pytestmark = pytest.mark.gen_test

TRUSTED = (ip_network("127.0.0.1"),)
COOKIE = "__Host-wechat_openid"


@pytest.fixture
def stranger(browser):
    """Another browser, whose user agent is the same, as those of WeChat are."""
    return lambda: Browser(browser.client, browser.url)


def is_used(response):
    return response.code == 400 and reply_of(response)["errcode"] == 40163


@pytest.mark.attack(
    "a visitor's session",
    "who got hold of a code",
    "the code is posted again, from behind the same proxy",
    "40163, and no session",
)
async def test_a_stranger_behind_the_same_proxy_never_gets_the_answer(browser_of_changed, wechat, subtests):
    for public_url, proxies, headers, headers_of_stranger in (
        ("https://api.example.com", TRUSTED, "203.0.113.5:40001", "198.51.100.9:50002"),
        ("https://api.example.com", TRUSTED, None, None),
        ("https://api.example.com", (), None, None),
        ("https://api.example.com", (), "203.0.113.5", "198.51.100.9"),
        ("", (), None, None),
        ("", TRUSTED, "unknown", "unknown"),
    ):
        with subtests.test(public_url=public_url, proxies=proxies, headers=headers):
            first = await browser_of_changed(public_url=public_url, trusted_proxies=proxies)
            second = Browser(first.client, first.url)
            code = wechat.issue_code()
            given = [{"X-Forwarded-For": address} if address else {} for address in (headers, headers_of_stranger)]
            assert (await first.post_code(code, headers=given[0])).code == 200
            response = await second.post_code(code, headers=given[1])
            assert is_used(response)
            assert second.cookies == {}


async def test_visitors_are_told_apart_by_whatever_header_the_proxy_writes(browser, stranger, wechat, subtests):
    for name, form in (
        ("X-Forwarded-For", "{}"),
        ("X-Forwarded-For", "{}:51234"),
        ("X-Real-IP", "{}"),
        ("Forwarded", "for={};proto=https"),
        ("Forwarded", 'proto=https;for="{}:51234"'),
    ):
        with subtests.test(name=name, form=form):
            code = wechat.issue_code()
            mine, another = ({name: form.format(address)} for address in ("203.0.113.5", "198.51.100.9"))
            first, again = [await stranger().post_code(code, headers=mine) for _ in range(2)]
            assert (first.code, again.code) == (200, 200)
            assert reply_of(first) == reply_of(again)
            assert is_used(await stranger().post_code(code, headers=another))


async def test_a_first_cookie_makes_a_browser_known_before_it_posts(browser, stranger, wechat):
    response = await browser.fetch("/session", method="POST", body=b"", headers={"Origin": PAGE_ORIGIN})
    assert (response.code, response.body) == (204, b"")
    assert (await browser.fetch("/session")).code == 401
    first_cookie, code = dict(browser.cookies), wechat.issue_code()
    posts = [Browser(browser.client, browser.url, cookies=dict(first_cookie)) for _ in range(2)]
    first, second = await asyncio.gather(*(one.post_code(code) for one in posts))
    assert (first.code, second.code) == (200, 200)
    assert reply_of(first) == reply_of(second)
    assert is_used(await stranger().post_code(code))
    assert wechat.calls["access_token"] == 1


async def test_a_first_cookie_takes_no_session_away(browser, wechat, openid_for):
    await browser.post_code(wechat.issue_code("li-na"))
    await browser.fetch("/session", method="POST", body=b"")
    assert reply_of(await browser.fetch("/session"))["openid"] == openid_for("li-na")
    assert (
        await browser.fetch("/session", method="POST", body=b"", headers={"Origin": "https://evil.com"})
    ).code == 403


async def test_a_state_makes_its_browser_known(browser, wechat):
    state, code = await browser.begin(), wechat.issue_code()
    began = dict(browser.cookies)
    posts = [Browser(browser.client, browser.url, cookies=dict(began)) for _ in range(2)]
    answers = await asyncio.gather(*(one.post_code(code, state=state) for one in posts))
    assert [answer.code for answer in answers] == [200, 200]
    assert wechat.calls["access_token"] == 1


async def test_each_sign_in_gives_the_browser_a_new_name(browser, wechat, settings, clock):
    signer = SessionSigner(KeyRing.parse(settings.secret_keys), clock, "__Host-")
    names = []
    for _ in range(3):
        await browser.post_code(wechat.issue_code())
        names.append(signer.verify(browser.cookies[COOKIE]).browser_id)
    assert len(set(names)) == 3


@pytest.mark.attack(
    "a visitor's session",
    "who owns a sibling host",
    "a cookie is planted before the visitor signs in",
    "it opens nothing, and stands for no state",
)
async def test_whoever_planted_a_cookie_does_not_become_who_signs_in_with_it(browser, stranger, wechat, openid_for):
    attacker = stranger()
    await attacker.post_code(wechat.issue_code("wang-fang"))
    browser.cookies = dict(attacker.cookies)
    code = wechat.issue_code("li-na")
    assert reply_of(await browser.post_code(code))["openid"] == openid_for("li-na")
    assert is_used(await attacker.post_code(code))
    again = await browser.post_code(code)
    assert reply_of(again)["openid"] == openid_for("li-na")
    later = wechat.issue_code("li-na")
    await browser.post_code(later)
    assert is_used(await attacker.post_code(later))
    assert reply_of(await attacker.fetch("/session"))["openid"] == openid_for("wang-fang")


async def test_the_planted_cookie_is_of_no_use_in_another_process_either(
    browser, stranger, wechat, browser_of_changed, openid_for
):
    await browser.post_code(wechat.issue_code("wang-fang"))
    planted = dict(browser.cookies)
    code = wechat.issue_code("li-na")
    victim = await browser.post_code(code)
    assert reply_of(victim)["openid"] == openid_for("li-na")
    elsewhere = await browser_of_changed()
    elsewhere.cookies = planted
    assert is_used(await elsewhere.post_code(code))
    elsewhere.cookies = dict(browser.cookies)
    assert reply_of(await elsewhere.post_code(code))["openid"] == openid_for("li-na")


async def test_an_older_cookie_is_read_for_a_while_and_replaced(browser, wechat, settings, clock, openid_for):
    before = SessionSigner(KeyRing.parse(settings.secret_keys), clock)
    await browser.post_code(wechat.issue_code("li-na"))
    older = Session.of_user(settings.appid, openid_for("li-na"), clock.now())
    browser.cookies = {"wechat_openid": before.sign(older)}
    assert reply_of(await browser.fetch("/session"))["openid"] == openid_for("li-na")
    response = await browser.fetch("/session", method="DELETE")
    taken_back = {name for line in response.headers.get_list("Set-Cookie") for name in SimpleCookie(line)}
    assert taken_back == {"wechat_openid", COOKIE}


async def test_an_older_cookie_makes_no_browser_known(browser, stranger, wechat, settings, clock, openid_for):
    before = SessionSigner(KeyRing.parse(settings.secret_keys), clock)
    planted = before.sign(replace(Session.new(), appid=settings.appid, openid=openid_for("wang-fang")))
    code = wechat.issue_code("li-na")
    browser.cookies = {"wechat_openid": planted}
    assert (await browser.post_code(code)).code == 200
    attacker = stranger()
    attacker.cookies = {"wechat_openid": planted}
    assert is_used(await attacker.post_code(code))
    browser.cookies["wechat_openid"] = planted  # beside the new one, it says nothing
    assert reply_of(await browser.fetch("/session"))["openid"] == openid_for("li-na")


@pytest.mark.attack(
    "a visitor's session",
    "who owns a sibling host",
    "a cookie is planted before the visitor signs in",
    "it opens nothing, and stands for no state",
)
async def test_a_cookie_of_a_sibling_gets_nobody_past_a_required_state(browser_of_changed, wechat):
    attacker = await browser_of_changed(require_state=True)
    state = await attacker.begin()
    [(name, value)] = attacker.cookies.items()
    assert name.startswith("__Host-")  # a browser takes no such cookie from a sibling
    victim = Browser(attacker.client, attacker.url, cookies={name.removeprefix("__Host-"): value})
    response = await victim.post_code(wechat.issue_code(), state=state)
    assert (response.code, reply_of(response)["error"]) == (400, "reauthorize")
    assert wechat.calls["access_token"] == 0
