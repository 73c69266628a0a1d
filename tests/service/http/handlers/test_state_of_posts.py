"""`POST /getCode` and the state: verified where it was issued here, required where that is asked for."""

import pytest

from tests.service.http.handlers.h5_browser import PAGE_ORIGIN, reply_of

pytestmark = pytest.mark.gen_test

EXCHANGE = "access_token"


def is_refused(response):
    return response.code == 400 and reply_of(response)["error"] == "reauthorize"


async def test_a_code_with_the_state_of_this_browser_is_exchanged(browser, wechat):
    state = await browser.begin()
    assert (await browser.post_code(wechat.issue_code(), state=state)).code == 200


async def test_the_plain_sample_works_where_states_are_not_required(browser, wechat):
    for fields in ({}, {"state": "123"}, {"state": ""}, {"state": None}):
        assert (await browser.post_code(wechat.issue_code(), **fields)).code == 200


async def test_a_forged_truncated_or_foreign_state_is_refused_and_the_code_not_spent(browser, another_browser, wechat):
    state = await browser.begin()
    await another_browser.begin()
    forged = state[:-1] + ("0" if state[-1] != "0" else "1")
    code = wechat.issue_code()
    for wrong in ("0" * 64, forged, state[:-1], state[:10], "123", "", None):
        assert is_refused(await browser.post_code(code, state=wrong)), wrong
    assert is_refused(await another_browser.post_code(code, state=state))
    assert wechat.calls[EXCHANGE] == 0
    assert (await browser.post_code(code, state=state)).code == 200


async def test_a_foreign_state_is_refused_in_a_browser_without_cookies(browser, another_browser, wechat):
    state = await browser.begin()
    assert is_refused(await another_browser.post_code(wechat.issue_code(), state=state))


async def test_an_expired_state_is_refused(browser, wechat, clock):
    state = await browser.begin()
    clock.advance(600)
    assert is_refused(await browser.post_code(wechat.issue_code(), state=state))


async def test_a_state_replayed_with_another_code_is_refused(browser, wechat):
    state = await browser.begin()
    kept = dict(browser.cookies)
    await browser.post_code(wechat.issue_code(), state=state)
    assert is_refused(await browser.post_code(wechat.issue_code(), state=state))
    browser.cookies = kept
    assert is_refused(await browser.post_code(wechat.issue_code(), state=state))
    assert wechat.calls[EXCHANGE] == 1


async def test_the_same_code_and_state_twice_give_the_same_answer(browser, wechat):
    state, code = await browser.begin(), wechat.issue_code()
    first, second = [await browser.post_code(code, state=state) for _ in range(2)]
    assert first.body == second.body
    assert wechat.calls[EXCHANGE] == 1


async def test_after_a_failed_round_the_next_one_succeeds(browser, wechat):
    assert is_refused(await browser.post_code("0" * 32, state=await browser.begin()))
    assert (await browser.post_code(wechat.issue_code(), state=await browser.begin())).code == 200


async def test_another_page_of_the_browser_may_still_be_a_plain_sample(browser, wechat):
    await browser.begin()
    elsewhere = {"Origin": "https://api.example.com"}
    here = {"Origin": PAGE_ORIGIN}
    assert (await browser.post_code(wechat.issue_code(), state="123", headers=elsewhere)).code == 200
    assert is_refused(await browser.post_code(wechat.issue_code(), state="123", headers=here))


async def test_a_page_of_another_allowed_origin_cannot_spend_a_state(browser, wechat, subtests):
    state = await browser.begin()
    for headers in (
        {"Origin": "https://api.example.com"},
        {"Referer": "https://api.example.com/page"},
    ):
        with subtests.test(headers=headers):
            assert is_refused(await browser.post_code(wechat.issue_code(), state=state, headers=headers))
    assert wechat.calls[EXCHANGE] == 0
    here = {"Origin": PAGE_ORIGIN}
    assert (await browser.post_code(wechat.issue_code(), state=state, headers=here)).code == 200


async def test_a_state_of_the_callback_is_not_taken_from_a_page(browser, wechat):
    state = await browser.begin(flow="callback")
    assert is_refused(await browser.post_code(wechat.issue_code(), state=state))
    response = await browser.fetch(f"/callback?code={wechat.issue_code()}&state={state}")
    assert (response.code, wechat.calls[EXCHANGE]) == (302, 1)


async def test_where_states_are_required_nothing_else_is_taken(browser_of_changed, wechat):
    browser = await browser_of_changed(require_state=True)
    for fields in ({}, {"state": "123"}, {"state": "0" * 64}):
        assert is_refused(await browser.post_code(wechat.issue_code(), **fields))
    assert wechat.calls[EXCHANGE] == 0
    assert (await browser.post_code(wechat.issue_code(), state=await browser.begin())).code == 200


async def test_a_refused_state_says_where_to_authorize_again(browser, wechat):
    refused = await browser.post_code(wechat.issue_code(), state="0" * 64, headers={"Origin": PAGE_ORIGIN})
    url = reply_of(refused)["authorize_url"]
    assert url.startswith("https://api.example.com/authorize?redirect_uri=https%3A%2F%2Fh5.example.com%2F&")
    again = await browser.fetch(url.removeprefix("https://api.example.com"))
    assert again.code == 302


async def test_a_used_code_says_where_to_authorize_again_and_returns_to_the_page(browser, another_browser, wechat):
    code = wechat.issue_code()
    await browser.post_code(code)
    headers = {"Origin": PAGE_ORIGIN, "Referer": f"{PAGE_ORIGIN}/shop/?code={code}&state=y&id=7"}
    reply = reply_of(await another_browser.post_code(code, headers=headers))
    assert (reply["errcode"], reply["error"]) == (40163, "reauthorize")
    assert "redirect_uri=https%3A%2F%2Fh5.example.com%2Fshop%2F%3Fid%3D7&" in reply["authorize_url"]


async def test_a_foreign_referer_is_not_returned_to(browser):
    reply = reply_of(await browser.post_code("0" * 32, headers={"Referer": "https://evil.com/"}))
    assert "evil.com" not in reply["authorize_url"]
