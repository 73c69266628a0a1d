"""Addresses of pages as browsers really have them: the page's own parameters stay, and nobody is left before JSON."""

import re

import pytest

from tests.browser.test_h5_flow import ENTRY, WEB_OPENID, consent, result

pytestmark = pytest.mark.usefixtures("from_the_beginning")


def test_a_page_comes_back_to_the_address_that_it_had(stack, page, subtests):
    for own in (
        "?utm={campaign}",
        "?a=x^y|z`&b=[1]'",
        "?a=C:\\temp",
        "?q=1+2%2B3",
        "?state=CA&x=1",
        "?code=PROMO-1&x=1",
        "?code=PROMO-1&state=CA",
        "?state=100%",
        "?code=%E4%B8&x=%",
        "?x=1#/cart?code=PROMO-1&state=%E4",
        "?x=1#/{route}|^?q={y}",
    ):
        with subtests.test(own=own):
            page.context.clear_cookies()
            page.goto(f"{stack.allowed}/away.html")
            page.evaluate("sessionStorage.clear()")
            as_the_browser_has_it = page.evaluate("address => new URL(address).href", f"{stack.allowed}{ENTRY}{own}")
            page.goto(f"{stack.allowed}{ENTRY}{own}")
            assert result(page)["openid"]
            assert page.url == as_the_browser_has_it


def test_a_visitor_who_declines_by_a_code_is_told_to_the_page_and_not_asked_again(stack, page):
    stack.control("quirks", {"authdeny": True})
    page.goto(f"{stack.allowed}{ENTRY}?manual&code=PROMO-1")
    page.click("#profile")
    consent(page, "deny")
    page.wait_for_url(re.compile("&code=authdeny&state="))
    with page.expect_response(f"{stack.service}/getCode") as told:
        page.click("#silent")
    assert result(page)["error"] == "access_denied"
    assert page.url == f"{stack.allowed}{ENTRY}?manual&code=PROMO-1"
    assert told.value.status == 403
    assert stack.exchanges() == 0
    for code in ("authdeny", "AuthDeny"):
        assert page.evaluate(WEB_OPENID, code)["error"] == "access_denied"
    assert stack.exchanges() == 0


def test_a_declined_page_without_script_gets_its_visitor_back_with_the_reason(stack, page):
    stack.control("quirks", {"authdeny": True})
    page.goto(f"{stack.service}/authorize?flow=callback&scope=snsapi_userinfo&redirect_uri={stack.allowed}/away.html")
    consent(page, "deny")
    page.wait_for_url(re.compile("error=access_denied"))
    assert stack.exchanges() == 0


@pytest.mark.parametrize(
    "redirect_uri", ["", "{foreign}/", "{allowed}/a%20b", "{allowed}/%3Cx%3E", "%FF", "javascript:1"]
)
def test_a_visitor_never_stands_before_json(stack, page, redirect_uri):
    address = redirect_uri.format(foreign=stack.foreign, allowed=stack.allowed)
    response = page.goto(f"{stack.service}/authorize?redirect_uri={address}")
    assert response.status == 400
    assert page.text_content("h1") == "微信授权未完成"
    assert page.text_content("[lang=en] h1") == "WeChat authorization was not completed"


def test_an_address_that_nobody_encoded_works_too(stack, page):
    page.goto(f"{stack.service}/authorize?redirect_uri={stack.allowed}{ENTRY}?utm={{campaign}}|a^b")
    assert result(page)["openid"]
    assert page.url == f"{stack.allowed}{ENTRY}?utm={{campaign}}|a^b"
