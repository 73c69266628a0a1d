"""The dashboard's own pages in Chromium: both languages, with and without script, on a phone and at a desk."""

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

from service.simulator.people import DEFAULT_ACCOUNT
from storage.call_outcomes import CallFailures, FailedCall
from storage.sql.core.engine import Database
from storage.sql.tokens.user_search import SqlUserSearch
from storage.sql.work.call_outcomes import CallOutcomes
from storage.sql.work.jobs import JobAction, Jobs, JobTarget
from storage.user_search import CappedCount, UserQuery
from tests.admin.every_page import every_page
from tests.browser.operators import (
    DESK,
    PASSWORD,
    PHONE,
    complaints_of,
    faults_of_accessibility,
    width_of,
)
from tests.browser.sample_users import put_users

pytestmark = pytest.mark.timeout(300)

NOWHERE = "/admin/nothing"
ACCOUNT = f"/admin/accounts/{DEFAULT_ACCOUNT.appid}"
TITLES = {"/admin/audit": {"en": "Audit log", "zh-CN": "审计日志"}, "/admin/operators": {"en": "Team", "zh-CN": "成员"}}


@pytest.fixture(scope="module")
def pages(dashboard):
    """Addresses of every page, each with something on it."""
    url, now = dashboard.environment["WECHAT_OPENID_DATABASE_URL"], int(time.time())
    put_users(url, [DEFAULT_ACCOUNT.appid], 60, now)
    database = Database.open(url)
    try:
        [user, *_] = SqlUserSearch(database).page(UserQuery()).users
        job_id = Jobs(database).add(
            JobAction.CHECK,
            JobTarget(users=((user.appid, user.openid),)),
            operator="owner",
            request_id="0" * 16,
            at=now,
            expected=CappedCount(1),
            until_id=0,
        )
        call = FailedCall(now, rid="0-1", request_id="0" * 16)
        failures = [CallFailures(user.appid, "access_token", errcode, now, now, (call,)) for errcode in (40029, None)]
        CallOutcomes(database).add([], failures)
    finally:
        database.close()
    return every_page(user.appid, user.openid, job_id)


@pytest.mark.parametrize(
    ("language", "viewport", "scheme"),
    [
        pytest.param("en-GB", PHONE, "light", id="English, phone, light"),
        pytest.param("en-GB", DESK, "dark", id="English, desk, dark"),
        pytest.param("zh-CN", PHONE, "dark", id="Chinese, phone, dark"),
        pytest.param("zh-CN", DESK, "light", id="Chinese, desk, light"),
    ],
)
def test_every_page_is_whole(dashboard, pages, chromium, language, viewport, scheme):
    with dashboard.open(chromium, locale=language, viewport=viewport, color_scheme=scheme) as context:
        page = context.new_page()
        complaints = complaints_of(page)
        for path in pages:
            answer = page.goto(path)
            assert answer.status == (404 if path == NOWHERE else 200)
            assert page.inner_text("h1")
            assert width_of(page) == viewport["width"], f"{path} must be scrolled sideways"
            assert faults_of_accessibility(page) == [], path
        assert [one for one in complaints if "404" not in one] == []


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_every_page_is_there_without_script(dashboard, pages, chromium, language):
    with dashboard.open(chromium, locale=language, viewport=PHONE, java_script_enabled=False) as context:
        page = context.new_page()
        for path in pages:
            page.goto(path)
            assert page.inner_text("h1").startswith(TITLES.get(path, {}).get(language, ""))
            assert page.get_attribute("html", "lang") == language


@pytest.mark.parametrize(("language", "scheme"), [("en-GB", "dark"), ("zh-CN", "light")])
def test_the_sign_in_page_is_whole(dashboard, chromium, language, scheme):
    with dashboard.open(chromium, None, locale=language, viewport=PHONE, color_scheme=scheme) as context:
        page = context.new_page()
        complaints = complaints_of(page)
        page.goto("/admin/")
        expect(page.locator("[name=name]")).to_be_focused()
        assert faults_of_accessibility(page) == []
        assert width_of(page) == PHONE["width"]
        assert complaints == []


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
def test_signing_in_leads_to_the_page_asked_for_and_out_again(dashboard, chromium, javascript):
    dashboard.open(chromium, "viewer").close()
    with dashboard.open(chromium, None, java_script_enabled=javascript) as context:
        page = context.new_page()
        page.goto("/admin/me?lang=en")
        page.fill("[name=name]", "viewer")
        page.fill("[name=password]", "not the password")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("Wrong user name or password.")
        page.fill("[name=password]", PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="viewer")).to_be_visible()
        assert page.url.endswith("/admin/me?lang=en")
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/admin/sign-in")
        page.goto("/admin/me")
        assert "/admin/sign-in" in page.url


def test_scripts_cannot_read_the_session(owner):
    owner.goto("/admin/me")
    assert "session" not in owner.evaluate("document.cookie")


def test_the_language_is_changed_by_a_link_and_stays(dashboard, chromium):
    with dashboard.open(chromium) as context:
        page = context.new_page()
        page.goto("/admin/audit?operator=owner")
        page.get_by_role("link", name="中文").click()
        expect(page.locator("h1")).to_have_text("审计日志")
        assert "operator=owner" in page.url
        page.goto("/admin/operators")
        expect(page.locator("h1")).to_have_text("成员")


def test_the_keyboard_reaches_the_content_first(owner):
    owner.goto("/admin/operators")
    owner.keyboard.press("Tab")
    expect(owner.get_by_role("link", name="Skip to content")).to_be_focused()
    owner.keyboard.press("Enter")
    expect(owner.locator("#content")).to_be_focused()


def test_times_are_shown_in_the_readers_own_time_and_in_utc_without_script(dashboard, chromium):
    for javascript, pattern in ((True, r"\d{4}-\d\d-\d\d \d\d:\d\d"), (False, r"\d{4}-\d\d-\d\d \d\d:\d\d UTC")):
        with dashboard.open(chromium, timezone_id="Asia/Shanghai", java_script_enabled=javascript) as context:
            page = context.new_page()
            page.goto("/admin/me")
            expect(page.locator("time").first).to_have_text(re.compile(f"^{pattern}$"))


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
def test_an_owner_manages_operators(dashboard, chromium, javascript):
    name = f"new-{javascript}"
    with dashboard.open(chromium, viewport=PHONE, java_script_enabled=javascript) as context:
        page = context.new_page()
        complaints = complaints_of(page)
        page.goto("/admin/operators")
        page.get_by_label("User name").fill(name)
        page.get_by_text("Can also act on users").click()
        page.get_by_role("button", name="Add operator").click()
        expect(page.locator(".secret:not(.command)")).to_have_text(re.compile(r"[\w-]{20}"))
        page.get_by_role("link", name="Done").click()
        row = page.get_by_role("row").filter(has_text=name)
        row.get_by_label(f"Role of {name}").select_option("viewer")
        row.get_by_role("button", name="Change").click()
        expect(page.get_by_role("status")).to_have_text(f"The role of {name} has been changed.")
        row.get_by_text("Disable…").click()
        row.get_by_role("button", name=f"Disable {name}").click()
        expect(page.get_by_role("status")).to_have_text(f"{name} can no longer sign in.")
        expect(row.get_by_text("disabled", exact=True)).to_be_visible()
        row.get_by_role("button", name="Enable").click()
        expect(page.get_by_role("status")).to_have_text(f"{name} can sign in again.")
        assert complaints == []


def test_an_owner_makes_and_revokes_a_key(owner):
    owner.goto("/admin/api-keys")
    owner.get_by_label("Backend name").fill("orders")
    owner.get_by_role("button", name="Create key").click()
    expect(owner.locator(".secret:not(.command)")).to_have_text(re.compile(r"wok_[\w-]{43}"))
    assert faults_of_accessibility(owner) == []
    owner.get_by_role("link", name="Done").click()
    row = owner.get_by_role("row").filter(has_text="orders")
    row.get_by_text("Revoke…").click()
    assert faults_of_accessibility(owner) == []
    row.get_by_role("button", name="Revoke orders").click()
    expect(owner.get_by_role("status")).to_have_text("The key of orders has been revoked.")


def test_an_owner_checks_an_account(owner):
    owner.goto(ACCOUNT)
    owner.get_by_role("button", name="Check now").click()
    expect(owner.get_by_role("status")).to_contain_text("WeChat accepts AppID")


def test_an_operator_filters_the_audit_log_and_exports_it(dashboard, chromium):
    with dashboard.open(chromium, "operator") as context:
        page = context.new_page()
        page.goto("/admin/audit")
        page.get_by_label("Action").select_option("sign_in")
        page.get_by_role("combobox", name="Done by").fill("operator")
        page.get_by_role("button", name="Filter").click()
        assert page.locator("tbody tr").count() == 1
        assert "action=sign_in" in page.url
        with page.expect_download() as download:
            page.get_by_role("link", name="Export as CSV").click()
        content = Path(download.value.path()).read_bytes()
        assert content.startswith(b"\xef\xbb\xbftime (UTC),operator,action")
        assert content.count(b"sign_in") == 1


def test_a_viewer_sees_no_way_to_what_is_not_allowed(dashboard, chromium):
    with dashboard.open(chromium, "viewer") as context:
        page = context.new_page()
        page.goto("/admin/me")
        links = page.get_by_role("navigation", name="Main navigation").get_by_role("link").all_inner_texts()
        assert not {"Team", "API keys", "Accounts", "Audit log"} & set(links)


def test_a_form_is_sent_once_however_often_it_is_pressed(owner):
    owner.goto("/admin/api-keys")
    owner.get_by_label("Backend name").fill("pressed-twice")
    sent = owner.evaluate(
        """() => {
            let sent = 0;
            const form = document.querySelector('form[action="/admin/api-keys/add"]');
            form.addEventListener('submit', (event) => {
                if (!event.defaultPrevented) sent += 1;
                event.preventDefault();
            });
            form.querySelector('button').click();
            form.querySelector('button').click();
            return sent;
        }"""
    )
    assert sent == 1
