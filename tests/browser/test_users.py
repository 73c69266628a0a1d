"""The pages about users in Chromium: overview, list, a user, bulk jobs, export."""

import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

from service.simulator.people import DEFAULT_ACCOUNT
from storage.pauses import AccountPause
from storage.sql.core.engine import Database
from storage.sql.work.instances import Instance, Instances
from tests.browser.operators import DESK, PHONE, complaints_of, faults_of_accessibility, width_of
from tests.browser.sample_users import put_users

pytestmark = pytest.mark.timeout(300)

#: What pages look like with other arguments; each page by itself is looked at by the tests of the whole dashboard.
PAGES = ["/admin/overview?span=days", "/admin/users?status=revoked&errcode=1&used=last-7d"]
HEADINGS = {"en-GB": ["Overview", "Users"], "zh-CN": ["概览", "用户"]}
LOOKS = [
    pytest.param("en-GB", PHONE, "light", id="English, phone, light"),
    pytest.param("en-GB", DESK, "dark", id="English, desk, dark"),
    pytest.param("zh-CN", PHONE, "dark", id="Chinese, phone, dark"),
    pytest.param("zh-CN", DESK, "light", id="Chinese, desk, light"),
]


@pytest.fixture(scope="module")
def users(dashboard):
    """Fill the dashboard's store; the address of the database."""
    url = dashboard.environment["WECHAT_OPENID_DATABASE_URL"]
    now = int(time.time())
    put_users(url, [DEFAULT_ACCOUNT.appid], 320, now)
    database = Database.open(url)
    pause = AccountPause(DEFAULT_ACCOUNT.appid, "refresh", "configuration", 40125, now + 3600)
    Instances(database).heartbeat(Instance("another:1:ab", "0.1.0", now, now + 600, (pause,)))
    database.close()
    return url


@pytest.mark.parametrize(("language", "viewport", "scheme"), LOOKS)
def test_every_page_about_users_is_whole(dashboard, users, chromium, language, viewport, scheme):
    with dashboard.open(chromium, locale=language, viewport=viewport, color_scheme=scheme) as context:
        page = context.new_page()
        complaints = complaints_of(page)
        for path, heading in zip(PAGES, HEADINGS[language], strict=True):
            page.goto(path)
            assert page.inner_text("h1").startswith(heading)
            assert width_of(page) == viewport["width"], f"{path} must be scrolled sideways"
            assert faults_of_accessibility(page) == [], path
        page.goto("/admin/users?status=reauthorization_required")
        page.locator("th.name a").first.click()
        page.wait_for_url("**/admin/users/*/*")
        for action in page.locator(".confirm summary").all():
            action.click()
        assert width_of(page) == viewport["width"]
        assert faults_of_accessibility(page) == []
        assert complaints == []


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
def test_an_operator_finds_a_user_and_revokes_them(dashboard, users, chromium, javascript):
    with dashboard.open(chromium, "operator", viewport=PHONE, java_script_enabled=javascript) as context:
        page = context.new_page()
        complaints = complaints_of(page)
        page.goto("/admin/users?status=active")
        openid = page.locator("th.name a").first.get_attribute("href").rpartition("/")[2]
        page.get_by_role("searchbox").fill(openid[:9])
        page.get_by_role("button", name="Search").click()
        assert page.locator("tbody tr").count() == 1
        page.locator("th.name a").click()
        expect(page.get_by_text(openid, exact=True).first).to_be_visible()
        page.locator("summary", has_text="Revoke the authorization…").click()
        page.get_by_role("button", name="Revoke the authorization", exact=True).click()
        expect(page.get_by_role("status")).to_have_text("The authorization has been revoked.")
        expect(page.locator(".person .badge")).to_have_text("Revoked")
        expect(page.get_by_role("cell", name="Revoke a user")).to_be_visible()
        assert complaints == []


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
def test_an_operator_erases_what_was_selected(dashboard, users, chromium, javascript):
    with dashboard.open(chromium, "operator", java_script_enabled=javascript) as context:
        page = context.new_page()
        complaints = complaints_of(page)
        page.goto("/admin/users")
        openids = [link.get_attribute("href").rpartition("/")[2] for link in page.locator("th.name a").all()[:2]]
        for box in page.locator("[name=user]").all()[:2]:
            box.check()
        page.get_by_label("Action").select_option("erase")
        page.get_by_role("button", name="Continue…").click()
        assert not javascript or faults_of_accessibility(page) == []
        page.get_by_label("Type the number of users, 2, to confirm").fill("2")
        page.get_by_role("button", name="Erase", exact=True).click()
        finished = page.locator(".badge", has_text="Finished")
        for _ in range(60):
            if finished.count():
                break
            page.wait_for_timeout(500)
            if not javascript:
                page.get_by_role("link", name="Reload").click()
        expect(finished).to_be_visible()
        expect(page.locator("dd.number")).to_have_text("2")
        assert not javascript or faults_of_accessibility(page) == []
        page.goto(f"/admin/users?q={openids[0]}")
        expect(page.get_by_text("No users match.")).to_be_visible()
        page.goto("/admin/jobs")
        assert page.locator("tbody tr").count() >= 1
        assert complaints == []


def test_an_operator_exports_what_the_filter_matches(dashboard, users, chromium):
    with dashboard.open(chromium, "operator") as context:
        page = context.new_page()
        page.goto("/admin/users?status=revoked")
        with page.expect_download() as download:
            page.get_by_role("link", name="Export as CSV").click()
        content = Path(download.value.path()).read_text(encoding="utf-8")
        assert content.startswith("\ufeffappid,openid,unionid,nickname")
        assert all(",revoked," in line for line in content.splitlines()[1:])


def test_a_viewer_looks_and_cannot_act(dashboard, users, chromium):
    with dashboard.open(chromium, "viewer") as context:
        page = context.new_page()
        page.goto("/admin/users")
        assert page.locator("[name=user]").count() == 0
        assert page.get_by_role("link", name="Export as CSV").count() == 0
        page.locator("th.name a").first.click()
        expect(page.get_by_role("heading", name="Identity")).to_be_visible()
        assert page.locator("main form").count() == 0
