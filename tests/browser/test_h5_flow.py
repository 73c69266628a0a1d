"""The authorization as a visitor's Chromium goes through it: page, service and WeChat on ports of their own."""

import json
import re

import pytest

pytestmark = pytest.mark.usefixtures("from_the_beginning")

APPID = "wx51a7ed0000000001"
ENTRY = "/app.html"
WEB_OPENID = "code => getWebOpenId(code).then(reply => reply.result, error => ({error: error.error, ...error}))"


def result(page, selector="#result"):
    """Wait until the page shows something, and return it."""
    page.wait_for_function("selector => document.querySelector(selector)?.textContent", arg=selector)
    text = page.text_content(selector)
    return json.loads(text) if text.startswith("{") else text


def signed_link(stack, page, route="", **fields):
    """Return an address with an answer that this browser waits for, behind what the route is."""
    begun = page.request.get(
        f"{stack.service}/authorize", params={"redirect_uri": f"{stack.allowed}{ENTRY}"}, max_redirects=0
    )
    state = re.search("[?&]state=([0-9a-f]+)", begun.headers["location"])[1]
    address = f"{stack.allowed}{ENTRY}{route}"
    return f"{address}{'&' if '?' in address else '?'}code={stack.issue_code(**fields)}&state={state}"


def consent(page, answer="allow", person=None):
    page.wait_for_selector("button.allow")
    if person:
        page.check(f"input[value={person}]")
    page.click(f"button[value={answer}]")


def test_a_silent_login_gives_the_openid_and_leaves_a_clean_address(stack, page):
    page.goto(f"{stack.allowed}{ENTRY}?id=7")
    reply = result(page)
    assert re.fullmatch("o.{27}", reply["openid"])
    assert reply["scope"] == "snsapi_base"
    assert page.url == f"{stack.allowed}{ENTRY}?id=7"
    assert stack.exchanges() == 1


def test_a_tap_asks_the_visitor_and_shows_the_profile(stack, page):
    page.goto(f"{stack.allowed}{ENTRY}?manual")
    page.click("#profile")
    consent(page, person="li-na")
    # The page takes the answer up by a login of its own.
    page.wait_for_url(f"{stack.allowed}{ENTRY}?manual&code=*")
    page.click("#silent")
    assert result(page)["scope"] == "snsapi_userinfo"
    page.click("#profile")
    page.wait_for_function("document.querySelector('#result').textContent.includes('nickname')")
    profile = json.loads(page.text_content("#result"))
    assert profile["nickname"] == "李娜😀"
    assert page.url == f"{stack.allowed}{ENTRY}?manual"
    assert stack.control("calls")["userinfo"]["calls"] == 1


def test_without_a_tap_the_profile_is_not_asked_for(stack, page):
    page.goto(f"{stack.allowed}{ENTRY}?wide")
    assert result(page)["error"] == "tap_needed"
    assert stack.control("calls") == {}


def test_a_visitor_who_declines_is_told_to_the_page_and_not_asked_again(stack, page):
    page.goto(f"{stack.allowed}{ENTRY}?manual")
    page.click("#profile")
    consent(page, "deny")
    page.wait_for_url(f"{stack.allowed}{ENTRY}?manual&state=*")
    page.click("#silent")
    assert result(page)["error"] == "access_denied"
    assert page.url == f"{stack.allowed}{ENTRY}?manual"
    assert stack.exchanges() == 0


def test_reloads_ask_nobody_again(stack, page):
    page.goto(f"{stack.allowed}{ENTRY}")
    first = result(page)
    for _ in range(3):
        page.reload()
        assert result(page) == first
    assert stack.exchanges() == 1


def test_back_and_forward_lead_to_the_page_and_not_to_wechat(stack, page):
    page.goto(f"{stack.allowed}/away.html")
    page.goto(f"{stack.allowed}{ENTRY}")
    first = result(page)
    page.go_back()
    assert page.url == f"{stack.allowed}/away.html"
    page.go_forward()
    assert page.url == f"{stack.allowed}{ENTRY}"
    assert result(page) == first
    assert stack.exchanges() == 1


def test_a_page_that_comes_back_from_the_cache_still_has_its_visitor(stack, caching_page):
    page = caching_page
    page.goto(f"{stack.allowed}{ENTRY}")
    first = result(page)
    page.click("#away")
    page.wait_for_selector("p#away")
    page.evaluate("history.back()")
    page.wait_for_function("document.querySelector('#shown')?.textContent === 'from the cache'")
    assert result(page) == first
    page.click("#silent")
    assert result(page) == first
    assert stack.exchanges() == 1


def test_who_goes_back_from_the_consent_page_to_a_cached_page_is_told_and_can_ask_again(stack, caching_page):
    page = caching_page
    page.goto(f"{stack.allowed}{ENTRY}?manual")
    page.click("#profile")
    page.wait_for_selector("button.allow")
    page.evaluate("history.back()")
    page.wait_for_function("document.querySelector('#shown')?.textContent === 'from the cache'")
    assert result(page)["error"] == "cancelled"
    page.click("#profile")
    page.wait_for_selector("button.allow")


def test_a_hash_route_is_come_back_to(stack, page):
    page.goto(f"{stack.allowed}{ENTRY}#/cart?item=3")
    assert result(page)["openid"]
    assert page.url == f"{stack.allowed}{ENTRY}#/cart?item=3"


def test_a_code_behind_the_hash_is_found_too(stack, page):
    code = stack.issue_code()
    page.goto(f"{stack.allowed}{ENTRY}?manual#/cart?item=3&code={code}&state=123")
    assert page.evaluate(WEB_OPENID, code)["openid"]
    assert page.url == f"{stack.allowed}{ENTRY}?manual#/cart?item=3"
    link = signed_link(stack, page, "#/cart?item=3")
    page.goto(link)
    page.reload()
    assert result(page)["openid"]
    assert page.url == f"{stack.allowed}{ENTRY}#/cart?item=3"


def test_two_posts_19_ms_apart_are_one_exchange_and_one_answer(stack, page):
    code = stack.issue_code()
    page.goto(f"{stack.allowed}/away.html")
    answers = page.evaluate(
        """async ([service, code]) => {
            const post = () => fetch(service + '/getCode', {
                method: 'POST', credentials: 'include', headers: {'Content-Type': 'application/json'},
                body: JSON.stringify({code})
            }).then(async (response) => [response.status, await response.text()]);
            await fetch(service + '/session', {method: 'POST', credentials: 'include'});
            const first = post();
            await new Promise((resolve) => setTimeout(resolve, 19));
            return Promise.all([first, post()]);
        }""",
        [stack.service, code],
    )
    assert answers[0] == answers[1]
    assert answers[0][0] == 200
    assert stack.exchanges() == 1


def test_the_same_code_from_another_browser_gets_40163(stack, page, open_browser):
    code = stack.issue_code()
    page.goto(f"{stack.allowed}{ENTRY}?manual&code={code}")
    assert page.evaluate(WEB_OPENID, code)["openid"]
    another = open_browser(user_agent="another browser").new_page()
    answer = another.request.post(f"{stack.service}/getCode", data={"code": code})
    assert (answer.status, answer.json()["errcode"]) == (400, 40163)


def test_a_shared_link_with_a_spent_code_signs_in_whoever_opens_it_as_themself(stack, page, open_browser):
    link = signed_link(stack, page, person="li-na")
    page.goto(link)
    first = result(page)
    # The other browser's WeChat is somebody else's: the first person's, where nobody was chosen.
    another = open_browser(user_agent="another browser").new_page()
    another.goto(link)
    assert result(another)["openid"] != first["openid"]
    assert another.url == f"{stack.allowed}{ENTRY}"


@pytest.mark.attack(
    "a visitor's session",
    "who sends a link",
    "the link carries a code of the sender's",
    "the visitor is not signed in as the sender",
)
def test_a_code_that_the_page_did_not_ask_for_signs_nobody_in_as_somebody_else(stack, page):
    code = stack.issue_code(person="li-na")
    for query in (f"?code={code}", f"?code={code}&state=123", f"?code={code}&state={'0' * 64}"):
        page.context.clear_cookies()
        page.goto(f"{stack.allowed}/away.html")
        page.evaluate("sessionStorage.clear()")
        page.goto(f"{stack.allowed}{ENTRY}{query}")
        mine = result(page)["openid"]
        assert mine != page.evaluate(WEB_OPENID, stack.issue_code(person="li-na"))["openid"]


def test_an_authorization_that_goes_on_failing_ends_after_two_rounds(stack, page):
    # Nobody taps. What Playwright evaluates while it waits counts as a tap, and a tap begins the rounds anew.
    page.add_init_script("Object.defineProperty(navigator, 'userActivation', {value: {isActive: false}})")
    stack.control("faults", {"endpoint": "access_token", "errcode": 40029, "times": None})
    page.goto(f"{stack.allowed}{ENTRY}")
    failure = result(page)
    assert (failure["error"], failure["errcode"]) == ("reauthorize", 40029)
    assert failure["authorize_url"].startswith(f"{stack.service}/authorize?")
    assert stack.control("calls")["authorize"]["calls"] == 2


def test_a_page_that_is_not_allowed_gets_nothing(stack, page):
    code = stack.issue_code()
    page.goto(f"{stack.foreign}{ENTRY}?manual&code={code}")
    assert page.evaluate(WEB_OPENID, code)["error"] == "network"
    page.goto(f"{stack.foreign}/away.html")
    outcome = page.evaluate(
        """([service, code]) => fetch(service + '/getCode', {
            method: 'POST', credentials: 'include', headers: {'Content-Type': 'text/plain'},
            body: JSON.stringify({code})
        }).then((response) => response.text(), () => 'blocked')""",
        [stack.service, code],
    )
    assert outcome == "blocked"
    assert stack.exchanges() == 0
    assert page.context.cookies() == []


def test_a_page_that_is_not_allowed_is_not_returned_to(stack, page):
    response = page.goto(f"{stack.service}/authorize?redirect_uri={stack.foreign}/")
    assert response.status == 400
    assert page.url.startswith(stack.service)


@pytest.mark.parametrize("query", ["", "?id=7"])
def test_the_usual_tutorials_page_works_as_it_stands(stack, page, query):
    page.goto(f"{stack.allowed}/tutorial.html{query}")
    assert re.fullmatch("o.{27}", result(page, "#openid"))
    assert "code=" not in page.url
    assert stack.exchanges() == 1


def test_logging_out_ends_the_session_and_every_copy_of_its_cookie(stack, page, open_browser):
    page.goto(f"{stack.allowed}{ENTRY}")
    result(page)
    [copied] = [cookie for cookie in page.context.cookies() if cookie["name"] == "wechat_openid"]
    session = f"{stack.service}/session"
    assert page.context.request.get(session).status == 200
    page.click("#log-out")
    page.wait_for_function("document.querySelector('#result').textContent === '{}'")
    assert "wechat_openid" not in {cookie["name"] for cookie in page.context.cookies()}
    thief = open_browser()
    thief.add_cookies([copied])
    refused = thief.request.get(session)
    assert (refused.status, "openid" in refused.text()) == (401, False)


def test_scripts_cannot_read_the_cookies(stack, page):
    page.goto(f"{stack.allowed}{ENTRY}")
    result(page)
    assert page.evaluate("document.cookie") == ""
    assert all(cookie["httpOnly"] for cookie in page.context.cookies(stack.service))


def test_a_page_without_script_gets_its_visitor_back_signed_in(stack, page):
    page.goto(f"{stack.service}/authorize?flow=callback&redirect_uri={stack.allowed}/away.html")
    page.wait_for_selector("p#away")
    assert page.url.partition("#")[0] == f"{stack.allowed}/away.html"
    session = page.context.request.get(f"{stack.service}/session")
    assert session.json()["appid"] == APPID
