"""Notices: shown once, to the session they are for, and never what a browser made up."""

import base64
import json
from urllib.parse import quote

import pytest
from tornado.web import create_signed_value

from admin.labels.users import RESULT_LABELS
from admin.services import ActionOutcome, ActionResult
from admin.web.i18n import load_languages
from admin.web.notices import Notice, sign_notice, sign_outcome, verify_notice
from storage.sql.accounts.operators import Role
from tests.admin.operator_browser import text_of

COOKIE = "wechat_openid_notice"
SECRET = "the secret of a session"


def unsigned(content):
    return base64.urlsafe_b64encode(content if isinstance(content, bytes) else json.dumps(content).encode()).decode()


def signed(content, secret=SECRET):
    return create_signed_value(secret, "notice", content if isinstance(content, str) else json.dumps(content)).decode()


MADE_UP = [
    "x",
    "2|1:0|10:1|6:notice|4:W10=|" + "0" * 64,
    unsigned([True, "%1000000000d", 1]),
    unsigned([True, "%.5000000f", 1]),
    unsigned([True, "%*d", 10**9, 1]),
    unsigned([True, "%c", -1]),
    unsigned(b"[" * 30_000),
    unsigned(["notice", "SESSION_ENDED", ""]),
    signed(["notice", "SESSION_ENDED", ""]),
    "%s" * 1000,
    "é\\" * 500,
]


@pytest.mark.parametrize("cookie", MADE_UP, ids=range(len(MADE_UP)))
@pytest.mark.gen_test
@pytest.mark.attack(
    "availability",
    "whoever can set a cookie",
    "a planted notice, as a format string",
    "it is not shown, and nothing is formatted",
)
async def test_a_notice_that_a_browser_made_up_is_not_shown(signed_in, browser, cookie):
    viewer = signed_in(Role.VIEWER)
    for who, path in ((viewer, "/admin/me"), (browser, "/admin/sign-in")):
        without = await who.get(path)
        who.cookies[COOKIE] = quote(cookie) if not cookie.isascii() else cookie
        shown = await who.get(path)
        assert shown.code == 200
        assert len(shown.body) <= len(without.body)
        assert 'role="status"' not in text_of(shown)


@pytest.mark.gen_test
async def test_a_notice_is_shown_once_and_to_its_own_session(signed_in):
    mine, other = signed_in(Role.VIEWER), signed_in(Role.VIEWER)
    response = await mine.post("/admin/me/sessions/end", id="")
    other.cookies[COOKIE] = mine.cookies[COOKIE]
    assert await other.notice(response) == ""
    assert await mine.notice(response) == "This session has already ended."
    assert await mine.notice(response) == ""


@pytest.mark.parametrize(
    "content",
    [
        "[" * 1500,
        "{",
        [],
        ["notice"],
        ["notice", "no such notice", ""],
        ["notice", "value", ""],
        ["notice", "SESSION_ENDED", 1],
        ["notice", ["SESSION_ENDED"], ""],
        ["outcome", "no such result", True, None, None],
        ["outcome", "failed", True, "40029", None],
        ["outcome", "failed", True, None, 10**18],
        ["outcome", "failed", True, None, -1],
        ["outcome", "failed", True, None, 1.5],
        {"notice": "SESSION_ENDED"},
    ],
)
def test_what_is_signed_and_not_on_the_list_is_no_notice(content):
    assert verify_notice(SECRET, signed(content)) is None


@pytest.mark.attack(
    "availability",
    "whoever can set a cookie",
    "a planted notice, as a format string",
    "it is not shown, and nothing is formatted",
)
def test_a_name_is_shown_and_never_formatted():
    found = verify_notice(SECRET, sign_notice(SECRET, Notice.OPERATOR_DISABLED, "%s%1000000000d{}"))
    assert found.text % found.name == "%s%1000000000d{} can no longer sign in."


def test_a_name_is_cut_to_the_length_of_a_name():
    assert len(verify_notice(SECRET, sign_notice(SECRET, Notice.OPERATOR_DISABLED, "n" * 10_000)).name) == 64


def test_an_old_notice_is_not_shown(monkeypatch):
    cookie = create_signed_value(SECRET, "notice", '["notice", "SESSION_ENDED", ""]', clock=lambda: 1_000_000).decode()
    assert verify_notice(SECRET, cookie) is None


def test_every_notice_can_be_shown_in_every_language():
    for language in load_languages().values():
        for notice in Notice:
            found = verify_notice(SECRET, sign_notice(SECRET, notice, "ada"))
            text = language.translate(found.text)
            assert ("ada" in (text % found.name if "%s" in text else text)) == ("%s" in notice.value[1])


def test_every_result_has_a_label_and_a_notice():
    assert set(RESULT_LABELS) == set(ActionResult)
    for result in ActionResult:
        found = verify_notice(SECRET, sign_outcome(SECRET, ActionOutcome(True, result, 40029, 1_800_000_000)))
        assert (found.text, found.errcode, found.next_try_at) == (RESULT_LABELS[result], 40029, 1_800_000_000)


def test_two_results_never_share_a_label():
    assert len(set(RESULT_LABELS.values())) == len(RESULT_LABELS)
