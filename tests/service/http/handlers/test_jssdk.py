"""`GET /jssdk/config`: the asking page's own address is signed, and no other."""

import hashlib
from urllib.parse import urlencode

import pytest

from service.simulator.faults import Fault
from service.wechat.protocol import Account, AccountKind
from tests.service.http.handlers.h5_browser import PAGE, PAGE_ORIGIN, reply_of

pytestmark = pytest.mark.gen_test

OWN = "https://api.example.com"


@pytest.fixture
def ask(browser):
    async def ask(url=PAGE, *, at=browser, origin=PAGE_ORIGIN, appid=None, **headers):
        query = {"url": url} | ({"appid": appid} if appid else {})
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent |= {"Origin": origin} if origin else {}
        return await at.fetch("/jssdk/config?" + urlencode(query), headers=sent)

    return ask


def is_signed(wechat, reply, url):
    account = next(iter(wechat.accounts))
    return wechat.account_tokens.is_signed(account, url, reply["nonceStr"], str(reply["timestamp"]), reply["signature"])


async def test_the_address_is_signed_without_what_stands_behind_the_hash(ask, wechat, settings, clock):
    response = await ask(PAGE)
    reply = reply_of(response)
    assert response.code == 200
    assert set(reply) == {"appId", "timestamp", "nonceStr", "signature"}
    assert (reply["appId"], reply["timestamp"]) == (settings.appid, clock.now())
    assert is_signed(wechat, reply, PAGE.partition("#")[0])
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Access-Control-Allow-Origin"] == PAGE_ORIGIN


async def test_an_address_is_signed_as_the_browser_has_it(ask, wechat, subtests):
    for rest in ("/", "/a?code=x1&state=0f", "/p?q=1+2%2B3&utm={c}|^", "/%E4%B8%AD?x=%D6%D0&y=100%", "/?a=[1]'"):
        with subtests.test(rest=rest):
            assert is_signed(wechat, reply_of(await ask(PAGE_ORIGIN + rest)), PAGE_ORIGIN + rest)


async def test_each_answer_is_new_and_one_ticket_serves_all(ask, wechat):
    replies = [reply_of(await ask()) for _ in range(3)]
    assert len({reply["nonceStr"] for reply in replies}) == 3
    assert (wechat.calls["stable_token"], wechat.calls["getticket"]) == (1, 1)


@pytest.mark.attack(
    "the account's jsapi ticket",
    "a page",
    "asks for a signature and looks for the ticket or the access token in the answer",
    "neither leaves the server",
)
async def test_the_ticket_stays_on_the_server(ask, wechat, caplog):
    response = await ask()
    told = response.body.decode() + str(response.headers) + caplog.text
    assert wechat.issued_secrets()
    assert not [secret for secret in wechat.issued_secrets() if secret in told]


@pytest.mark.attack(
    "the account's JS-SDK",
    "a page of a foreign origin",
    "asks for a signature of its own address, or of an allowed one",
    "403 `origin`; WeChat is not asked",
)
async def test_a_foreign_page_gets_no_signature(ask, wechat, subtests):
    foreign = "https://evil.example.com"
    for url, origin, headers in (
        (f"{foreign}/", foreign, {}),
        (PAGE, foreign, {}),
        (PAGE, "null", {}),
        (PAGE, None, {"Referer": f"{foreign}/"}),
        (PAGE, None, {"Sec_Fetch_Site": "cross-site"}),
        (PAGE, None, {"Sec_Fetch_Site": "same-origin"}),
        (PAGE, None, {}),
    ):
        with subtests.test(url=url, origin=origin, headers=headers):
            response = await ask(url, origin=origin, **headers)
            assert (response.code, reply_of(response)["error"]) == (403, "origin")
    assert wechat.calls == {}


@pytest.mark.attack(
    "the account's JS-SDK",
    "an allowed page",
    "asks for a signature of an address that is not of its own origin",
    "403 `origin`; WeChat is not asked",
)
async def test_an_allowed_page_gets_no_signature_of_anothers_address(ask, wechat, subtests):
    for url in (
        f"{OWN}/",
        "https://evil.example.com/",
        f"{PAGE_ORIGIN}.evil.com/",
        f"{PAGE_ORIGIN}:8443/",
        f"http{PAGE_ORIGIN.removeprefix('https')}/",
    ):
        with subtests.test(url=url):
            response = await ask(url)
            assert (response.code, reply_of(response)["error"]) == (403, "origin")
    assert wechat.calls == {}


async def test_what_is_no_address_is_refused_by_name(ask, subtests):
    for url in ("", "/shop", "javascript:1", f"{PAGE_ORIGIN}@evil.com/", f" {PAGE}", f"{PAGE_ORIGIN}/{'x' * 2048}"):
        with subtests.test(url=url[:40]):
            response = await ask(url)
            assert (response.code, reply_of(response)["error"]) == (400, "request")
            assert "location.href" in reply_of(response)["errmsg"]


async def test_a_page_of_the_services_own_host_is_known_by_its_referer_or_its_browser(ask, wechat):
    for headers in ({"Referer": f"{OWN}/a"}, {"Sec_Fetch_Site": "same-origin"}):
        reply = reply_of(await ask(f"{OWN}/a?b=1", origin=None, **headers))
        assert is_signed(wechat, reply, f"{OWN}/a?b=1")


async def test_one_address_may_ask_only_so_often(ask, browser_of_changed):
    limited = await browser_of_changed(rate_limit="2/hour")
    assert [(await ask(at=limited)).code for _ in range(3)] == [200, 200, 429]


async def test_a_website_application_has_no_wx_config(ask, browser_of_changed, settings):
    accounts = (Account(settings.appid, settings.secret), Account("wx-site", "secret", kind=AccountKind.WEBSITE))
    browser = await browser_of_changed(appid="", secret="", accounts=accounts)
    assert (await ask(at=browser)).code == 200
    refused = await ask(at=browser, appid="wx-site")
    assert (refused.code, reply_of(refused)["errmsg"]) == (
        400,
        "wx.config is for Official Accounts; this appid is a website application",
    )


async def test_the_signature_is_that_of_wechats_formula(ask, wechat):
    reply = reply_of(await ask(f"{PAGE_ORIGIN}/"))
    tickets = wechat.account_tokens.secrets()
    formula = "jsapi_ticket={}&noncestr={nonceStr}&timestamp={timestamp}&url=https://h5.example.com/"
    signatures = [hashlib.sha1(formula.format(ticket, **reply).encode()).hexdigest() for ticket in tickets]
    assert signatures.count(reply["signature"]) == 1


async def test_without_a_ticket_the_page_is_told_when_to_ask_again(ask, wechat):
    wechat.faults.add(Fault(endpoint="getticket", errcode=-1, times=None))
    response = await ask()
    assert (response.code, reply_of(response)["error"]) == (503, "retry")
    assert int(response.headers["Retry-After"]) >= 1
