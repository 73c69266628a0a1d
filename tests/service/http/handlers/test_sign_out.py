"""The end of a visitor's session: with it ends every copy of its cookie, in every process."""

import pytest

from storage.sql.work.jobs import JobAction
from tests.service.http.handlers.h5_browser import Browser, reply_of

pytestmark = [
    pytest.mark.gen_test,
    pytest.mark.attack(
        "a visitor's session", "who copied its cookie", "it is used after the visitor signed out", "it has ended"
    ),
]

DAY = 86_400


@pytest.fixture
def sign_in(browser, wechat):
    async def sign_in(person="li-na", *, at=browser):
        response = await at.post_code(wechat.issue_code(person))
        assert response.code == 200
        return reply_of(response)["openid"]

    return sign_in


def copy_of(browser):
    return Browser(browser.client, browser.url, browser.user_agent, dict(browser.cookies))


async def is_signed_in(browser):
    """Return whether the service shows somebody to this browser, wherever it would."""
    before = dict(browser.cookies)
    replies = []
    for path in ("/session", "/userinfo"):
        browser.cookies = dict(before)
        replies.append(await browser.fetch(path))
    codes = {response.code for response in replies}
    assert codes in ({401}, {200, 403}), codes  # a silent login shows no profile
    if codes == {401}:
        assert all("openid" not in response.body.decode() for response in replies)
    return codes != {401}


async def test_no_copy_of_the_cookie_outlives_the_sign_out(browser, sign_in, clock):
    await sign_in()
    copies = [copy_of(browser)]
    clock.advance(5)
    await sign_in()  # another sign-in of the same user, with a session of its own
    copies.append(copy_of(browser))
    assert [await is_signed_in(copy) for copy in copies] == [True, True]
    assert (await browser.fetch("/session", method="DELETE")).code == 204
    assert browser.cookies == {}
    assert [await is_signed_in(copy) for copy in copies] == [False, False]


async def test_it_ends_in_every_process_at_once(browser, sign_in, browser_of_changed):
    await sign_in()
    elsewhere = await browser_of_changed()
    elsewhere.cookies = dict(browser.cookies)
    assert await is_signed_in(elsewhere)
    await browser.fetch("/session", method="DELETE")
    assert not await is_signed_in(elsewhere)


async def test_who_signs_in_again_is_signed_in_even_within_the_same_second(browser, sign_in, clock):
    openid = await sign_in()
    copy = copy_of(browser)
    for seconds in (0, 0, 1, 60):
        await browser.fetch("/session", method="DELETE")
        await sign_in()
        assert reply_of(await browser.fetch("/session"))["openid"] == openid
        assert not await is_signed_in(copy)
        clock.advance(seconds)


async def test_others_stay_signed_in(browser, another_browser, sign_in):
    await sign_in()
    await sign_in("xiao-ming", at=another_browser)
    await browser.fetch("/session", method="DELETE")
    assert await is_signed_in(another_browser)


async def test_a_cookie_whose_session_has_ended_signs_nobody_out(browser, sign_in, clock):
    await sign_in()
    copy = copy_of(browser)
    await browser.fetch("/session", method="DELETE")
    clock.advance(5)
    await sign_in()
    assert (await copy.fetch("/session", method="DELETE")).code == 204
    assert await is_signed_in(browser)


async def test_a_cookie_whose_session_has_ended_repeats_no_code(browser, sign_in, wechat, another_browser, clock):
    await sign_in()
    copy = copy_of(browser)
    await browser.fetch("/session", method="DELETE")
    clock.advance(5)
    code = wechat.issue_code("li-na")
    assert (await another_browser.post_code(code)).code == 200
    repeated = await copy.post_code(code)
    assert (repeated.code, reply_of(repeated)["errcode"]) == (400, 40163)


@pytest.mark.parametrize("action", [JobAction.REVOKE, JobAction.ERASE])
async def test_revoking_and_erasing_end_all_sessions_of_the_user_for_good(
    browser, another_browser, sign_in, service, settings, clock, action
):
    openid = await sign_in()
    await sign_in(at=another_browser)
    outcome = await service.dashboard.users.perform(action, settings.appid, openid)
    assert outcome.succeeded
    copies = [copy_of(browser), copy_of(another_browser)]
    assert [await is_signed_in(copy) for copy in copies] == [False, False]
    for seconds in (0, 5):
        clock.advance(seconds)
        await sign_in()
        assert await is_signed_in(browser)
        assert [await is_signed_in(copy) for copy in copies] == [False, False]


async def test_no_code_costs_a_look_at_who_has_signed_out(browser, sign_in, service, wechat, serve, monkeypatch):
    """What ends sessions is read where one is shown, and nowhere on the way of a code."""
    asked = []
    monkeypatch.setattr(type(service.visitor_sessions._ends), "not_before", lambda *user: asked.append(user) or 0)
    await sign_in()
    await sign_in()
    assert asked == []
    await browser.fetch("/session")
    assert len(asked) == 1


async def test_a_session_that_is_used_is_renewed_once_a_day_and_the_renewed_one_ends_too(browser, sign_in, clock):
    await sign_in()
    first = copy_of(browser)
    assert "Set-Cookie" not in (await browser.fetch("/session")).headers
    clock.advance(6 * DAY)
    assert "Set-Cookie" in (await browser.fetch("/session")).headers
    assert "Set-Cookie" not in (await browser.fetch("/session")).headers
    clock.advance(2 * DAY)
    assert not await is_signed_in(first)  # it was not used for more than a week
    assert await is_signed_in(browser)
    renewed = copy_of(browser)
    await browser.fetch("/session", method="DELETE")
    assert not await is_signed_in(renewed)


async def test_a_sign_out_that_cannot_be_noted_is_not_said_to_be_done(
    browser, sign_in, service, serve, settings, tmp_path
):
    await sign_in()
    ends = service.visitor_sessions._ends
    ends._database.write(lambda connection: connection.exec_driver_sql("ALTER TABLE session_ends RENAME TO gone"))
    response = await browser.fetch("/session", method="DELETE")
    assert response.code == 503
    assert browser.cookies  # so that the page may try again
    ends._database.write(lambda connection: connection.exec_driver_sql("ALTER TABLE gone RENAME TO session_ends"))
    assert (await browser.fetch("/session", method="DELETE")).code == 204
