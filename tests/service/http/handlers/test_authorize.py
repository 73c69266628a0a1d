"""`GET /authorize`: the way to WeChat, and nowhere else."""

import re
from ipaddress import ip_network
from urllib.parse import quote, urlencode, urlsplit

import pytest

from service.simulator.authorize.request import read_authorize_request
from tests.service.http.handlers.h5_browser import PAGE, PAGE_ORIGIN, query_of, reply_of

pytestmark = pytest.mark.gen_test


async def test_the_browser_is_sent_to_wechat_with_everything_in_its_order(browser, settings):
    response = await browser.fetch("/authorize?" + urlencode({"redirect_uri": PAGE, "scope": "snsapi_userinfo"}))
    assert response.code == 302
    location = response.headers["Location"]
    state = query_of(location)["state"]
    assert re.fullmatch("[a-zA-Z0-9]{1,128}", state)
    assert location == (
        f"{settings.wechat_authorize_url}?appid={settings.appid}&redirect_uri={quote(PAGE, safe='')}"
        f"&response_type=code&scope=snsapi_userinfo&state={state}#wechat_redirect"
    )


async def test_wechat_accepts_the_address_with_and_without_extras(browser, wechat):
    for extras in ({}, {"forcePopup": "true"}, {"forceSnapShot": "true"}, {"forcePopup": "true", "flow": "callback"}):
        response = await browser.fetch("/authorize?" + urlencode({"redirect_uri": PAGE, **extras}))
        asked = read_authorize_request(urlsplit(response.headers["Location"]).query, wechat.accounts)
        assert asked.extras == {name: value for name, value in extras.items() if name.startswith("force")}


async def test_extras_stand_between_state_and_fragment(browser):
    response = await browser.fetch(
        "/authorize?" + urlencode({"redirect_uri": PAGE, "forcePopup": "true", "forceSnapShot": "true"})
    )
    assert re.search(
        r"&state=[0-9a-f]+&forcePopup=true&forceSnapShot=true#wechat_redirect$", response.headers["Location"]
    )


async def test_the_state_is_bound_to_the_browser_by_a_cookie_that_ends(browser):
    response = await browser.fetch("/authorize?" + urlencode({"redirect_uri": PAGE}))
    [cookie] = response.headers.get_list("Set-Cookie")
    assert cookie.startswith("__Host-wechat_openid_state_")
    for attribute in ("HttpOnly", "Secure", "SameSite=Lax", "Max-Age=600", "Path=/"):
        assert attribute in cookie
    assert response.headers["Cache-Control"] == "no-store"


async def test_what_is_wrong_is_refused_without_a_redirect(browser, subtests):
    for query in [
        {},
        {"redirect_uri": ""},
        {"redirect_uri": "https://evil.com/"},
        {"redirect_uri": "//h5.example.com/"},
        {"redirect_uri": f"{PAGE_ORIGIN}@evil.com/"},
        {"redirect_uri": f"{PAGE_ORIGIN}\\@evil.com/"},
        {"redirect_uri": f" {PAGE}"},
        {"redirect_uri": quote(PAGE, safe="")},
        {"redirect_uri": PAGE, "scope": "snsapi_login"},
        {"redirect_uri": PAGE, "appid": "wx-unknown"},
        {"redirect_uri": PAGE, "flow": "other"},
        {"redirect_uri": PAGE, "forcePopup": "maybe"},
        {"redirect_uri": f"{PAGE_ORIGIN}/{'x' * 1100}", "flow": "callback"},
    ]:
        with subtests.test(query=query):
            response = await browser.fetch("/authorize?" + urlencode(query))
            assert response.code == 400
            assert "Location" not in response.headers
            assert "Set-Cookie" not in response.headers
            assert reply_of(response)["errmsg"]


async def test_of_several_redirect_uris_only_the_one_that_was_checked_is_used(browser):
    for pair in ((PAGE, "https://evil.com/"), ("https://evil.com/", PAGE)):
        response = await browser.fetch("/authorize?" + urlencode([("redirect_uri", uri) for uri in pair]))
        assert "evil.com" not in response.headers.get("Location", "")


async def test_the_answer_to_an_earlier_round_is_left_out_of_the_page_to_return_to(browser):
    for answer in (f"code={'a' * 32}&state=123", f"code={'a' * 32}&state={'0' * 64}", f"state={'0' * 64}"):
        address = f"{PAGE_ORIGIN}/shop/?id=7&{answer}#/cart"
        response = await browser.fetch("/authorize?" + urlencode({"redirect_uri": address}))
        assert query_of(response.headers["Location"])["redirect_uri"] == PAGE


async def test_parameters_of_the_pages_own_that_are_called_like_an_answer_stay(browser, subtests):
    for query in ("state=CA&x=1", "code=PROMO-1&x=1", "code=PROMO-1&state=CA", "code=%E4%B8", "state=100%"):
        with subtests.test(query=query):
            address = f"{PAGE_ORIGIN}/shop/?{query}"
            response = await browser.fetch("/authorize?" + urlencode({"redirect_uri": address}))
            assert query_of(response.headers["Location"])["redirect_uri"] == address


async def test_an_address_as_browsers_leave_it_is_returned_to(browser, subtests):
    for query in ("?utm={campaign}", "?a=x^y|z`", "?a=[1]'", "?a=\\b#\\c{d}", "#/r?q={a}|^`", "?a=1+2", "?q=%D6%D0"):
        for address in (f"{PAGE_ORIGIN}/p{query}", f"{PAGE_ORIGIN}/{{x}}|^`{query}"):
            with subtests.test(address=address):
                response = await browser.fetch("/authorize?" + urlencode({"redirect_uri": address}))
                assert response.code == 302
                assert query_of(response.headers["Location"])["redirect_uri"] == address
                through_callback = await browser.begin(address, flow="callback")
                denied = await browser.fetch(f"/callback?state={through_callback}")
                assert denied.headers["Location"].startswith(f"{PAGE_ORIGIN}/")


async def test_an_address_that_nobody_encoded_is_read_as_browsers_send_it(browser, subtests):
    for sent, address in (
        ("/p?a=1+2", "/p?a=1+2"),
        ("/p?utm={c}|^", "/p?utm={c}|^"),
        ("/p?q=%D6%D0", "/p?q=%D6%D0"),
        ("/%E4%B8%AD", "/%E4%B8%AD"),
        ("/p?a=100%", "/p?a=100%"),
    ):
        with subtests.test(sent=sent):
            response = await browser.fetch(f"/authorize?redirect_uri={PAGE_ORIGIN}{sent}")
            assert response.code == 302
            assert query_of(response.headers["Location"])["redirect_uri"] == PAGE_ORIGIN + address


async def test_a_visitor_never_sees_bare_json(browser, subtests):
    navigation = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    for query in (
        "",
        "redirect_uri=https://evil.com/",
        f"redirect_uri={PAGE_ORIGIN}/%20%22",
        "redirect_uri=%FF",
        f"redirect_uri={quote(PAGE)}&scope=%FF",
        f"redirect_uri={quote(PAGE)}&appid=wx-unknown",
    ):
        with subtests.test(query=query):
            response = await browser.fetch(f"/authorize?{query}", headers=navigation)
            assert response.code == 400
            assert response.headers["Content-Type"].startswith("text/html")
            text = response.body.decode()
            assert "微信授权未完成" in text
            assert "WeChat authorization was not completed" in text
            assert "default-src 'none'" in response.headers["Content-Security-Policy"]


async def test_without_allowed_origins_nothing_is_redirected_to(browser_of_changed):
    browser = await browser_of_changed(public_url="", allowed_origins=())
    response = await browser.fetch("/authorize?" + urlencode({"redirect_uri": f"{browser.url}/"}))
    assert response.code == 400


FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "h5.forwarded.example"}


async def callback_of(browser, headers=None):
    query = urlencode({"redirect_uri": PAGE, "flow": "callback"})
    response = await browser.fetch(f"/authorize?{query}", headers=headers)
    return query_of(response.headers["Location"])["redirect_uri"]


async def test_what_strangers_forward_is_not_believed(browser_of_changed):
    browser = await browser_of_changed(public_url="", trusted_proxies=())
    assert await callback_of(browser, FORWARDED) == f"{browser.url}/callback"


async def test_a_trusted_proxy_says_which_address_the_browser_sees(browser_of_changed):
    trusted = (ip_network("127.0.0.1"),)
    browser = await browser_of_changed(public_url="", trusted_proxies=trusted)
    assert await callback_of(browser, FORWARDED) == "https://h5.forwarded.example/callback"
    chain = {"X-Forwarded-Proto": "http, https", "X-Forwarded-Host": "evil.com, h5.forwarded.example"}
    assert await callback_of(browser, chain) == "https://h5.forwarded.example/callback"


async def test_the_public_address_goes_before_everything(browser):
    assert await callback_of(browser, FORWARDED) == "https://api.example.com/callback"


async def test_a_forwarded_host_that_is_none_is_not_repeated(browser_of_changed):
    browser = await browser_of_changed(public_url="", trusted_proxies=(ip_network("127.0.0.1"),))
    assert await callback_of(browser, {"X-Forwarded-Host": "evil.com/path?"}) == f"{browser.url}/callback"
