"""Website applications (网站应用): their own page at WeChat, the rest as for Official Accounts."""

import re
from dataclasses import replace
from urllib.parse import quote, urlencode

import pytest

from service.simulator.people import DEFAULT_ACCOUNT, DEFAULT_WEBSITE, openid_of
from service.simulator.wechat import SimulatedWeChat
from service.tokens.account_credentials import UnknownAccount
from service.wechat.protocol import Account, AccountKind
from tests.service.http.handlers.h5_browser import PAGE, PAGE_ORIGIN, query_of, reply_of

pytestmark = pytest.mark.gen_test

WEBSITE = DEFAULT_WEBSITE.appid
OFFICIAL = DEFAULT_ACCOUNT.appid
CHROME = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0",
    "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
    "Sec-Fetch-Dest": "document",
}


@pytest.fixture
def wechat(clock):
    return SimulatedWeChat(clock, accounts=[DEFAULT_ACCOUNT, DEFAULT_WEBSITE])


@pytest.fixture
def settings(settings, simulator):
    return replace(
        settings,
        appid="",
        secret="",
        wechat_qrconnect_url=simulator.qrconnect_url,
        accounts=(
            Account(OFFICIAL, DEFAULT_ACCOUNT.secret, outside_wechat=WEBSITE),
            Account(WEBSITE, DEFAULT_WEBSITE.secret, kind=AccountKind.WEBSITE),
        ),
    )


@pytest.fixture
def scan(http):
    """Play the scan on WeChat's page, and return the address to which the browser is sent."""

    async def scan(location, person="li-na", answer="allow"):
        body = urlencode({"person": person, "answer": answer})
        return await http.fetch(
            location.partition("#")[0], method="POST", body=body, follow_redirects=False, raise_error=False
        )

    return scan


def authorize(**arguments):
    return "/authorize?" + urlencode({"redirect_uri": PAGE, **arguments})


async def test_the_browser_is_sent_to_the_page_with_the_code_to_scan(browser, settings):
    for arguments in ({}, {"scope": "snsapi_login"}):
        response = await browser.fetch(authorize(appid=WEBSITE, **arguments), headers=CHROME)
        location = response.headers["Location"]
        assert location == (
            f"{settings.wechat_qrconnect_url}?appid={WEBSITE}&redirect_uri={quote(PAGE, safe='')}"
            f"&response_type=code&scope=snsapi_login&state={query_of(location)['state']}#wechat_redirect"
        )


async def test_who_scans_is_signed_in_with_the_profile(browser, wechat, scan, clock, service):
    sent = await browser.fetch(authorize(appid=WEBSITE), headers=CHROME)
    answer = query_of((await scan(sent.headers["Location"])).headers["Location"])
    response = await browser.post_code(answer["code"], state=answer["state"], appid=WEBSITE)
    person = wechat.find_person("li-na")
    reply = reply_of(response)
    assert reply["openid"] == openid_of(person, WEBSITE)
    assert reply["scope"] == "snsapi_login"
    assert reply["unionid"]
    assert "appid" not in reply
    profile = reply_of(await browser.fetch("/userinfo"))
    assert (profile["openid"], profile["nickname"]) == (reply["openid"], person.nickname)
    clock.advance(7200)
    token = await service.tokens.get_valid_token(WEBSITE, reply["openid"])
    assert (token.scope, wechat.outcomes["refresh_token"]) == ("snsapi_login", {"ok": 1})


async def test_a_page_without_script_gets_its_visitor_back_signed_in(browser, scan, wechat):
    sent = await browser.fetch(authorize(appid=WEBSITE, flow="callback"), headers=CHROME)
    back = (await scan(sent.headers["Location"])).headers["Location"]
    assert back.startswith("https://api.example.com/callback?code=")
    response = await browser.fetch("/callback?" + back.partition("?")[2])
    assert response.headers["Location"] == PAGE
    session = reply_of(await browser.fetch("/session"))
    assert session["openid"] == openid_of(wechat.find_person("li-na"), WEBSITE)


async def test_a_scope_of_the_other_kind_is_refused_by_name(browser, wechat):
    for appid, scope, choices in (
        (WEBSITE, "snsapi_base", "snsapi_login for this account: its kind is website"),
        (WEBSITE, "snsapi_userinfo", "snsapi_login for this account: its kind is website"),
        (OFFICIAL, "snsapi_login", "snsapi_base or snsapi_userinfo for this account: its kind is official"),
    ):
        response = await browser.fetch(authorize(appid=appid, scope=scope))
        assert response.code == 400
        assert reply_of(response)["errmsg"] == f"scope must be {choices}"
        assert "Set-Cookie" not in response.headers
    assert wechat.calls == {}


async def test_outside_of_wechat_the_website_stands_in_for_the_official_account(browser, scan, wechat, settings):
    sent = await browser.fetch(authorize(scope="snsapi_userinfo", forcePopup="true"), headers=CHROME)
    location = sent.headers["Location"]
    assert location.startswith(f"{settings.wechat_qrconnect_url}?appid={WEBSITE}&")
    assert "forcePopup" not in location
    answer = query_of((await scan(location)).headers["Location"])
    reply = reply_of(await browser.post_code(answer["code"], state=answer["state"], id_token=False))
    assert reply["openid"] == openid_of(wechat.find_person("li-na"), WEBSITE)
    assert reply["appid"] == WEBSITE  # the page asked for the other account, and must learn whose openid this is
    again = reply_of(await browser.post_code(answer["code"], state=answer["state"], appid=OFFICIAL))
    assert again == reply
    assert wechat.calls["access_token"] == 1


async def test_inside_of_wechat_the_official_account_is_asked(browser, settings):
    agent = {**CHROME, "User-Agent": f"{CHROME['User-Agent']} MicroMessenger/8.0.50"}
    response = await browser.fetch(authorize(), headers=agent)
    assert response.headers["Location"].startswith(f"{settings.wechat_authorize_url}?appid={OFFICIAL}&")


async def test_a_state_of_the_official_account_is_not_good_for_the_website(browser, wechat):
    state = await browser.begin(appid=OFFICIAL)
    code = wechat.issue_code(scope="snsapi_login", appid=WEBSITE)
    response = await browser.post_code(code, state=state, appid=WEBSITE)
    assert (response.code, reply_of(response)["error"]) == (400, "reauthorize")
    assert "access_token" not in wechat.calls


async def test_a_session_of_a_website_is_told_to_authorize_there_again(browser, wechat, service):
    code = wechat.issue_code("li-na", appid=WEBSITE, scope="snsapi_login")
    openid = reply_of(await browser.post_code(code, appid=WEBSITE))["openid"]
    await service.vault.revoke(WEBSITE, openid)
    response = await browser.fetch("/userinfo", headers={"Origin": PAGE_ORIGIN})
    assert response.code == 401
    assert re.search(f"scope=snsapi_login&appid={WEBSITE}$", reply_of(response)["authorize_url"])


async def test_a_code_without_a_state_and_a_reply_without_a_scope_count_as_the_kinds_own(browser, wechat, service):
    code = wechat.issue_code("li-na", appid=WEBSITE, scope="snsapi_login")
    openid = reply_of(await browser.post_code(code, appid=WEBSITE))["openid"]
    assert (await service.vault.get(WEBSITE, openid)).scope == "snsapi_login"


EXPLAINED = "请在微信中打开"


@pytest.fixture
def browser_told_to_explain(browser_of_changed, settings):
    async def open_browser(**changes):
        accounts = tuple(replace(account, outside_wechat="") for account in settings.accounts)
        return await browser_of_changed(**{"accounts": accounts, "outside_wechat": "explain", **changes})

    return open_browser


async def test_outside_of_wechat_a_visitor_is_shown_the_address_to_open_there(browser_told_to_explain, wechat):
    browser = await browser_told_to_explain()
    answer = f"code={'a' * 32}&state={'0' * 64}"
    page = f"{PAGE_ORIGIN}/shop/?id=7&{answer}#/<b>".replace("<", "%3C").replace(">", "%3E")
    query = {"redirect_uri": page, "scope": "snsapi_userinfo", "flow": "callback", "utm": "x", "forcePopup": "true"}
    response = await browser.fetch("/authorize?" + urlencode(query), headers=CHROME)
    text = response.body.decode()
    assert response.code == 200
    assert EXPLAINED in text
    assert "Open this in WeChat" in text
    assert "Set-Cookie" not in response.headers  # the state will belong to the browser of WeChat
    assert response.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
    shown = re.search(r'<p class="address">(.*?)</p>', text)[1].replace("&amp;", "&")
    assert shown.startswith("https://api.example.com/authorize?redirect_uri=https://h5.example.com/shop/")
    assert query_of(shown) == {
        "redirect_uri": f"{PAGE_ORIGIN}/shop/?id=7#/%3Cb%3E",
        "scope": "snsapi_userinfo",
        "appid": OFFICIAL,
        "flow": "callback",
        "forcePopup": "true",
    }
    assert 'src="data:image/svg+xml' in text
    assert wechat.calls == {}


async def test_an_address_too_long_for_a_picture_is_shown_to_copy(browser_told_to_explain):
    browser = await browser_told_to_explain()
    text = (await browser.fetch(authorize(redirect_uri=f"{PAGE_ORIGIN}/?{'x' * 1500}"), headers=CHROME)).body.decode()
    assert EXPLAINED in text
    assert "<img" not in text
    assert "x" * 1500 in text


async def test_what_is_wrong_is_told_outside_of_wechat_too(browser_told_to_explain):
    browser = await browser_told_to_explain()
    response = await browser.fetch(authorize(redirect_uri="https://evil.com/"), headers=CHROME)
    assert response.code == 400
    assert EXPLAINED not in response.body.decode()


async def test_the_setting_lets_everybody_pass(browser_of_changed, settings):
    browser = await browser_of_changed(outside_wechat="pass")
    response = await browser.fetch(authorize(), headers=CHROME)
    assert response.headers["Location"].startswith(settings.wechat_authorize_url)


async def test_head_is_answered_as_get_without_a_body(browser, browser_told_to_explain):
    sent = await browser.fetch(authorize(), method="HEAD")
    assert (sent.code, sent.body) == (302, b"")
    assert sent.headers["Location"].endswith("#wechat_redirect")
    explained = await (await browser_told_to_explain()).fetch(authorize(), method="HEAD", headers=CHROME)
    assert (explained.code, explained.body) == (200, b"")


async def test_a_website_has_no_access_token_of_its_own(service, wechat):
    with pytest.raises(UnknownAccount):
        await service.credentials.access_token(WEBSITE)
    assert (await service.credentials.access_token(OFFICIAL)).value
    assert wechat.calls["stable_token"] == 1
