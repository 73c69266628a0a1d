"""The page of website apps: everybody is asked, a button plays the scan, and denying leads nowhere."""

import re

import pytest

from tests.service.simulator.test_authorize_page import came_back_with, form, query

pytestmark = pytest.mark.gen_test

PATH = "/connect/qrconnect"
WEBSITE = {"appid": "wx0000000000000004", "redirect_uri": "https://www.example.com/in", "scope": "snsapi_login"}
KEYS = {"appid": "wx0000000000000004", "secret": "fourth-secret"}


def website_query(**changes):
    return query(**{**WEBSITE, **changes})


async def test_the_page_shows_a_code_and_who_could_scan_it(fetch, wechat):
    page = (await fetch(PATH, website_query())).body.decode()
    assert re.search('<img class="code" src="/simulator/static/code.svg[^"]*"', page)
    assert re.findall(r'type="radio" name="person" value="([^"]+)"', page) == ["li-na", "lao-zhang"]
    assert "snapshot" not in page
    assert "扫码并允许" in page
    assert "Scan and allow" in (await fetch(PATH, website_query(lang="en"))).body.decode()
    assert wechat.outcomes["qrconnect"] == {"asked": 2}
    assert "authorize" not in wechat.calls


async def test_a_scan_comes_back_with_a_code_whose_tokens_read_the_profile(fetch, exchange, refresh, userinfo, wechat):
    back = came_back_with(await fetch(PATH, website_query(), **form(person="lao-zhang", answer="allow")))
    assert back["state"] == "abc123"
    grant = await exchange(back["code"], **KEYS)
    assert (grant["scope"], "unionid" in grant) == ("snsapi_login", True)
    assert (await userinfo(grant))["nickname"] == "<b>老张</b>"
    assert (await refresh(grant["refresh_token"], appid=KEYS["appid"]))["scope"] == "snsapi_login,"
    assert wechat.outcomes["qrconnect"] == {"code": 1}


async def test_a_code_of_a_website_is_good_for_ten_minutes(fetch, exchange, wechat):
    codes = [wechat.issue_code(appid=KEYS["appid"], scope="snsapi_login") for _ in range(2)]
    wechat.advance(599)
    assert "openid" in await exchange(codes[0], **KEYS)
    wechat.advance(1)
    assert (await exchange(codes[1], **KEYS))["errcode"] == 40029


async def test_denying_stays_on_the_page(fetch, wechat):
    response = await fetch(PATH, website_query(), **form(person="li-na", answer="deny"))
    assert response.code == 200
    assert 'role="status"' in response.body.decode()
    assert wechat.outcomes["qrconnect"] == {"denied": 1}


async def test_each_page_has_scopes_and_accounts_of_its_own(fetch, subtests):
    for path, changes, number in [
        (PATH, {"scope": "snsapi_base"}, 10005),
        (PATH, {"appid": "wx0000000000000001", "redirect_uri": "https://h5.example.com/"}, 10005),
        (PATH, {"redirect_uri": "https://h5.example.com/"}, 10003),
        ("/connect/oauth2/authorize", {}, 10005),
        ("/connect/oauth2/authorize", {"scope": "snsapi_base"}, 10005),
    ]:
        with subtests.test(path=path, changes=changes):
            assert f"错误码: {number}" in (await fetch(path, website_query(**changes))).body.decode()


def test_codes_are_issued_for_scopes_of_the_kind_only(wechat):
    for appid, scope in ((KEYS["appid"], "snsapi_base"), ("wx0000000000000001", "snsapi_login")):
        with pytest.raises(ValueError, match="scope: expected one of"):
            wechat.issue_code(appid=appid, scope=scope)
