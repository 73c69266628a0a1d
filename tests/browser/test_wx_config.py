"""`wx.config` on pages with routes: each platform's rule about the address that must be signed."""

import json
from urllib.parse import quote

import pytest

pytestmark = pytest.mark.usefixtures("counted_from_zero")

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 MicroMessenger/8.0.50"
ANDROID = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0.0.0 Mobile MicroMessenger/8.0.50"
PAGE = "/share.html"
SHARED = "updateAppMessageShareData:ok"
CONFIG = "wx.config"


@pytest.fixture
def counted_from_zero(stack):
    """Forget calls and quirks, but not the ticket that the service has got."""
    stack.control("quirks", {"landing_signed_everywhere": False})
    stack.control("calls", method="DELETE")


@pytest.fixture(params=[IPHONE, ANDROID], ids=["iphone", "android"])
def phone(request, open_browser):
    return open_browser(user_agent=request.param).new_page()


def verdicts(stack):
    return stack.control("calls")[CONFIG]["outcomes"]


def arrive(page, stack, rest=""):
    """Come back from WeChat with an answer, and log in, which takes the answer out of the address."""
    page.goto(f"{stack.service}/authorize?redirect_uri={quote(f'{stack.allowed}{PAGE}{rest}', safe='')}")
    page.wait_for_url("**code=**")
    page.evaluate("WechatOpenid.login()")
    assert "code=" not in page.url


@pytest.mark.parametrize("route", ["", "#/cart", "#/cart?a=1"])
def test_after_a_login_the_right_address_is_signed_at_once(stack, phone, route):
    arrive(phone, stack, f"?id=7{route}")
    assert phone.evaluate("configure()") == SHARED
    assert verdicts(stack) == {"ok": 1}


def test_after_a_change_of_route_the_right_address_is_signed_at_once(stack, phone):
    for change in ("history.pushState(null, '', '/shop/7?a=1')", "location.hash = '#/elsewhere'"):
        stack.control("calls", method="DELETE")
        arrive(phone, stack)
        phone.evaluate(change)
        assert phone.evaluate("configure()") == SHARED
        assert verdicts(stack) == {"ok": 1}


def test_a_page_that_does_not_log_in_is_configured_too(stack, phone):
    phone.goto(f"{stack.allowed}{PAGE}?id=7#/r")
    assert phone.evaluate("configure()") == SHARED


def test_a_page_is_configured_again_for_each_of_its_addresses(stack, phone):
    arrive(phone, stack)
    for number in range(3):
        phone.evaluate("number => history.pushState(null, '', '/shop/' + number)", number)
        assert phone.evaluate("configure()") == SHARED
    assert verdicts(stack) == {"ok": 3}


def test_where_the_other_address_counts_it_is_tried_once(stack, open_browser):
    page = open_browser(user_agent=ANDROID).new_page()
    stack.control("quirks", {"landing_signed_everywhere": True})
    arrive(page, stack)
    assert page.evaluate("configure()") == SHARED
    assert verdicts(stack) == {"invalid signature": 1, "ok": 1}


def test_a_signature_that_is_refused_for_both_addresses_is_told(stack, open_browser):
    page = open_browser(user_agent=ANDROID).new_page()
    page.route("**/jssdk/config?*", lambda route: route.fulfill(json=forged(stack), headers=readable(stack)))
    arrive(page, stack)
    assert page.evaluate("configure()") == "config config:invalid signature"
    assert verdicts(stack) == {"invalid signature": 2}


def forged(stack):
    return {"appId": "wx51a7ed0000000001", "timestamp": 1, "nonceStr": "n", "signature": "0" * 40}


def readable(stack):
    return {"Access-Control-Allow-Origin": stack.allowed, "Access-Control-Allow-Credentials": "true"}


def test_calls_that_were_not_asked_for_are_not_allowed(stack, phone):
    phone.goto(f"{stack.allowed}{PAGE}")
    assert phone.evaluate("configure({jsApiList: ['scanQRCode']})") == "updateAppMessageShareData:permission denied"


def test_nothing_is_loaded_unless_asked_for(stack, phone):
    asked = []
    phone.on("request", lambda request: asked.append(request.url))
    phone.goto(f"{stack.allowed}{PAGE}")
    phone.evaluate("configure({load: false})")
    assert not [url for url in asked if "jweixin" in url]
    assert phone.evaluate("configure()") == SHARED
    assert len([url for url in asked if "jweixin" in url]) == 1


def test_a_foreign_page_is_refused(stack, phone):
    phone.goto(f"{stack.foreign}{PAGE}")
    with phone.expect_event("requestfailed", lambda request: "/jssdk/config" in request.url):
        assert phone.evaluate("configure()").startswith("network ")
    assert CONFIG not in stack.control("calls")


def test_the_address_of_another_page_is_refused(stack, phone):
    phone.goto(f"{stack.allowed}{PAGE}")
    for url in (f"{stack.foreign}/", f"{stack.service}/", "https://evil.example.com/"):
        text = phone.evaluate(
            "url => fetch(url).then(reply => reply.text())", f"{stack.service}/jssdk/config?url={url}"
        )
        assert json.loads(text)["error"] == "origin"


def test_the_errors_of_wx_are_told_as_by_wechat(stack, phone):
    phone.goto(f"{stack.allowed}{PAGE}")
    told = phone.evaluate(
        """async given => {
            const told = [];
            await new Promise(resolve => {
                const script = document.createElement('script');
                script.src = sdk;
                script.onload = resolve;
                document.head.appendChild(script);
            });
            await new Promise(resolve => {
                wx.config(given);
                wx.error(result => told.push(result.errMsg));
                wx.ready(() => { told.push('ready'); resolve(); });
            });
            return told;
        }""",
        forged(stack) | {"jsApiList": []},
    )
    assert told == ["config:invalid signature", "ready"]
