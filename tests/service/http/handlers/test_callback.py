"""`GET /callback`: the flow of pages without script, with no way to anywhere else and no loop."""

from urllib.parse import urlencode

import pytest

from service.simulator.faults import Fault
from tests.service.http.handlers.h5_browser import PAGE, PAGE_ORIGIN, query_of, reply_of

pytestmark = pytest.mark.gen_test

EXCHANGE = "access_token"
BAD_CODE = "0" * 32


async def come_back(browser, code, state):
    query = {"state": state} if code is None else {"code": code, "state": state}
    return await browser.fetch("/callback?" + urlencode(query))


async def test_the_visitor_arrives_at_the_page_signed_in(browser, wechat, openid_for):
    state = await browser.begin(flow="callback")
    response = await come_back(browser, wechat.issue_code("li-na"), state)
    assert (response.code, response.headers["Location"]) == (302, PAGE)
    assert response.body == b""
    session = await browser.fetch("/session")
    assert reply_of(session)["openid"] == openid_for("li-na")


async def test_a_declined_authorization_arrives_as_a_readable_error(browser):
    state = await browser.begin(flow="callback")
    response = await come_back(browser, None, state)
    location = response.headers["Location"]
    assert location.startswith(f"{PAGE_ORIGIN}/shop/?id=7&error=access_denied")
    assert location.endswith("#/cart")
    assert query_of(location)["error_description"] == "the user declined"
    assert (await browser.fetch("/session")).code == 401


async def test_a_code_that_says_declined_is_the_visitors_refusal_and_spends_the_state(browser, wechat):
    state = await browser.begin(flow="callback")
    # WeChat's clients ask twice; no number of rounds ends in another error.
    for code in ("authdeny", "authdeny", "AuthDeny", "AUTHDENY"):
        response = await come_back(browser, code, state)
        assert response.code == 302
        assert query_of(response.headers["Location"])["error"] == "access_denied"
    assert (await come_back(browser, wechat.issue_code(), state)).code == 400
    stranger = await come_back(browser, "authdeny", "0" * 64)
    assert (stranger.code, "Location" in stranger.headers) == (400, False)
    assert wechat.calls[EXCHANGE] == 0


async def test_a_refusal_of_wechat_arrives_as_a_readable_error(browser):
    response = await come_back(browser, BAD_CODE, await browser.begin(flow="callback"))
    arrived = query_of(response.headers["Location"])
    assert (arrived["error"], arrived["errcode"]) == ("reauthorize", "40029")
    assert arrived["request_id"] == response.headers["X-Request-Id"]
    assert "Retry-After" not in response.headers


async def test_after_two_failed_rounds_the_visitor_is_told_in_both_languages(browser):
    first = await come_back(browser, BAD_CODE, await browser.begin(flow="callback"))
    assert first.code == 302
    second = await come_back(browser, BAD_CODE, await browser.begin(first.headers["Location"], flow="callback"))
    assert second.code == 400
    assert "Location" not in second.headers
    assert second.headers["Content-Type"].startswith("text/html")
    text = second.body.decode()
    assert "本次授权已失效" in text
    assert "This authorization is no longer good" in text
    assert "40029" in text
    assert second.headers["X-Request-Id"] in text


async def test_a_success_forgets_the_failed_round(browser, wechat):
    await come_back(browser, BAD_CODE, await browser.begin(flow="callback"))
    await come_back(browser, wechat.issue_code(), await browser.begin(flow="callback"))
    response = await come_back(browser, BAD_CODE, await browser.begin(flow="callback"))
    assert response.code == 302


async def test_the_error_of_an_earlier_round_is_taken_out_of_the_address(browser, wechat):
    failed = await come_back(browser, BAD_CODE, await browser.begin(flow="callback"))
    state = await browser.begin(failed.headers["Location"], flow="callback")
    response = await come_back(browser, wechat.issue_code(), state)
    assert response.headers["Location"] == PAGE


async def test_a_busy_wechat_arrives_at_the_page_too(browser, wechat):
    wechat.faults.add(Fault(endpoint=EXCHANGE, errcode=-1))
    response = await come_back(browser, wechat.issue_code(), await browser.begin(flow="callback"))
    assert query_of(response.headers["Location"])["error"] == "retry"


async def test_the_same_answer_twice_leads_to_the_page_twice(browser, wechat):
    state, code = await browser.begin(flow="callback"), wechat.issue_code()
    locations = [(await come_back(browser, code, state)).headers["Location"] for _ in range(2)]
    assert locations == [PAGE, PAGE]
    assert wechat.calls[EXCHANGE] == 1


async def test_an_answer_that_this_browser_did_not_ask_for_goes_nowhere(browser, another_browser, wechat):
    state = await browser.begin(flow="callback")
    for wrong in (state, "", "123", "0" * 64, state[:-1]):
        response = await come_back(another_browser, wechat.issue_code(), wrong)
        assert response.code == 400
        assert "Location" not in response.headers
        assert "本次授权已失效" in response.body.decode()
    assert another_browser.cookies == {}
    assert wechat.calls[EXCHANGE] == 0


async def test_a_state_begun_for_the_page_itself_is_not_taken(browser, wechat):
    response = await come_back(browser, wechat.issue_code(), await browser.begin())
    assert response.code == 400
    assert wechat.calls[EXCHANGE] == 0


async def test_a_replayed_state_and_an_expired_one_are_refused(browser, wechat, clock):
    state = await browser.begin(flow="callback")
    await come_back(browser, wechat.issue_code(), state)
    assert (await come_back(browser, wechat.issue_code(), state)).code == 400
    late = await browser.begin(flow="callback")
    clock.advance(600)
    assert (await come_back(browser, wechat.issue_code(), late)).code == 400
    assert wechat.calls[EXCHANGE] == 1


async def test_an_origin_that_is_no_longer_allowed_is_not_returned_to(browser, wechat, browser_of_changed):
    state = await browser.begin(flow="callback")
    stricter = await browser_of_changed(allowed_origins=())
    stricter.cookies = dict(browser.cookies)
    assert (await come_back(stricter, wechat.issue_code(), state)).code == 400


async def test_the_page_that_explains_runs_no_script(browser):
    response = await come_back(browser, "<script>", "<script>")
    assert "<script>" not in response.body.decode()
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
