from html import escape

import pytest

from storage.sql.accounts.audit import AuditQuery
from storage.sql.accounts.operators import Role
from tests.admin.conftest import PASSWORD
from tests.admin.operator_browser import text_of

pytestmark = pytest.mark.gen_test
ANOTHER = "another long password"


async def change(browser, current=PASSWORD, new=ANOTHER, again=None):
    response = await browser.post("/admin/me/password", current=current, new=new, again=new if again is None else again)
    return await browser.notice(response)


async def test_an_operator_changes_the_password(signed_in, browser):
    viewer = signed_in(Role.VIEWER)
    assert await change(viewer) == "Your password has been changed. Your other sessions have ended."
    assert (await browser.sign_in("the-viewer", PASSWORD)).code == 401
    assert (await browser.sign_in("the-viewer", ANOTHER)).code == 303


async def test_a_changed_password_ends_the_other_sessions(signed_in):
    here, there = signed_in(Role.VIEWER), signed_in(Role.VIEWER)
    await change(here)
    assert (await here.get("/admin/me")).code == 200
    assert (await there.get("/admin/me")).code == 303


@pytest.mark.parametrize(
    ("fields", "notice"),
    [
        ({"current": "a wrong password"}, "The current password is wrong."),
        ({"again": "a different password"}, "The two new passwords differ."),
        ({"new": "eleven char"}, "A password has 12 to 256 characters."),
        ({"new": "x" * 257}, "A password has 12 to 256 characters."),
        ({"new": "password1234"}, "This password is too easy to guess: choose one that is not made of common words, "),
        ({"new": "the-viewer-2027"}, "A password must not be made of the user name."),
    ],
)
async def test_a_password_is_changed_only_by_who_knows_it_and_to_a_good_one(signed_in, browser, fields, notice):
    viewer = signed_in(Role.VIEWER)
    assert (await change(viewer, **fields)).startswith(notice)
    assert (await browser.sign_in("the-viewer", PASSWORD)).code == 303


async def test_the_present_password_cannot_be_guessed_in_a_session(signed_in, hashes):
    viewer = signed_in(Role.VIEWER)
    for _ in range(10):
        await change(viewer, current="a wrong password")
    before = hashes.checked
    assert await change(viewer) == "Too many attempts. Try again later."
    assert hashes.checked == before


async def test_a_change_of_password_is_written_down_without_it(signed_in, dashboard):
    viewer = signed_in(Role.VIEWER)
    await change(viewer, current="a wrong password")
    await change(viewer)
    entries = dashboard.audit.page(AuditQuery(action="password_change")).entries
    assert [(entry.operator, entry.result) for entry in entries] == [
        ("the-viewer", "success"),
        ("the-viewer", "refused"),
    ]
    assert ANOTHER not in repr(entries)


async def test_sessions_are_listed_with_address_and_browser_as_text(signed_in, dashboard, clock):
    viewer = signed_in(Role.VIEWER)
    markup = "<img src=x onerror=alert(1)>"
    operator = dashboard.operators.find("the-viewer")[0]
    dashboard.sessions.begin(operator.id, clock.now(), "203.0.113.9", markup)
    page = text_of(await viewer.get("/admin/me"))
    assert "203.0.113.9" in page
    assert escape(markup) in page
    assert markup not in page


async def test_one_session_is_ended(signed_in, dashboard, clock):
    here, there = signed_in(Role.VIEWER), signed_in(Role.VIEWER)
    operator = dashboard.operators.find("the-viewer")[0]
    _, second = sorted(session.id for session in dashboard.sessions.list(operator.id, clock.now()))
    assert await here.notice(await here.post("/admin/me/sessions/end", id=second)) == "The session has ended."
    assert (await there.get("/admin/me")).code == 303
    assert (await here.get("/admin/me")).code == 200
    again = await here.post("/admin/me/sessions/end", id=second)
    assert await here.notice(again) == "This session has already ended."


async def test_nobody_ends_the_session_of_somebody_else(signed_in, dashboard, clock):
    viewer, owner = signed_in(Role.VIEWER), signed_in(Role.OWNER)
    [session] = dashboard.sessions.list(dashboard.operators.find("the-owner")[0].id, clock.now())
    await viewer.post("/admin/me/sessions/end", id=session.id)
    assert (await owner.get("/admin/me")).code == 200


@pytest.mark.parametrize("number", ["-1", "x", "9" * 40, "9" * 5000, "١", "1_0"])
async def test_what_is_no_id_of_a_session_is_refused(signed_in, number):
    assert (await signed_in(Role.VIEWER).post("/admin/me/sessions/end", id=number)).code == 400


@pytest.mark.parametrize("number", ["", "0", "999999999999999999"])
async def test_a_session_that_does_not_exist_cannot_be_ended(signed_in, number):
    viewer = signed_in(Role.VIEWER)
    response = await viewer.post("/admin/me/sessions/end", id=number)
    assert await viewer.notice(response) == "This session has already ended."


async def test_all_other_sessions_are_ended(signed_in):
    here, *others = (signed_in(Role.VIEWER) for _ in range(3))
    await here.post("/admin/me/sessions/end-others")
    assert [(await one.get("/admin/me")).code for one in (here, *others)] == [200, 303, 303]
