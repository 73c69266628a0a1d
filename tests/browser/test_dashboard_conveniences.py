"""What spares an operator work: copying, focus, keys, and pictures and rows that fit."""

import time

import pytest
from playwright.sync_api import expect
from sqlalchemy import text, update

from service.simulator.people import DEFAULT_ACCOUNT
from storage.sql.core.engine import Database
from storage.sql.core.schema import authorizations
from tests.browser.operators import PHONE, complaints_of, width_of
from tests.browser.sample_users import put_users

pytestmark = pytest.mark.timeout(300)
APPID = DEFAULT_ACCOUNT.appid
AVATAR = "https://thirdwx.qlogo.cn/mmopen/lost/132"


@pytest.fixture(scope="module")
def openid(dashboard):
    """A user of some, whose picture is at an address that does not load."""
    url = dashboard.environment["WECHAT_OPENID_DATABASE_URL"]
    put_users(url, [APPID], 120, int(time.time()))
    database = Database.open(url)
    try:
        database.write(lambda connection: connection.execute(update(authorizations).values(avatar_url=AVATAR)))
        query = text("SELECT openid FROM authorizations WHERE status = 'active' LIMIT 1")
        return database.read(lambda connection: connection.scalar(query))
    finally:
        database.close()


@pytest.mark.parametrize("clipboard", [True, False], ids=["secure context", "plain HTTP"])
def test_an_openid_is_copied_by_a_button(dashboard, openid, chromium, clipboard):
    with dashboard.open(chromium, permissions=["clipboard-read", "clipboard-write"]) as context:
        page = context.new_page()
        if not clipboard:
            page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
        page.goto(f"/admin/users/{APPID}/{openid}")
        page.locator("dd", has_text=openid).get_by_role("button", name="Copy").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        page.locator("summary", has_text="Erase…").click()
        page.get_by_label("Type the openid to confirm").focus()
        page.keyboard.press("Control+V")
        expect(page.get_by_label("Type the openid to confirm")).to_have_value(openid)


def test_without_script_no_button_is_shown_that_cannot_copy(dashboard, openid, chromium):
    with dashboard.open(chromium, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"/admin/users/{APPID}/{openid}")
        expect(page.get_by_role("button", name="Refresh now")).to_be_visible()
        assert page.get_by_role("button", name="Copy").count() == 0


def test_a_picture_that_does_not_load_leaves_the_initial(dashboard, openid, chromium):
    with dashboard.open(chromium) as context:
        page = context.new_page()
        asked = []
        page.route(AVATAR, lambda route: (asked.append(route.request.url), route.abort()))
        page.goto(f"/admin/users/{APPID}/{openid}")
        expect(page.locator(".avatar img")).to_have_count(0)
        assert asked == [AVATAR]
        expect(page.locator(".avatar")).to_be_visible()


def test_after_an_action_the_notice_has_the_focus(dashboard, openid, chromium):
    with dashboard.open(chromium) as context:
        page = context.new_page()
        page.goto(f"/admin/users/{APPID}/{openid}")
        page.get_by_role("button", name="Verify the token").click()
        expect(page.locator("main > .notice[role=status]")).to_be_focused()


def test_the_search_has_the_focus_at_first_and_by_its_key(dashboard, openid, chromium):
    with dashboard.open(chromium) as context:
        page = context.new_page()
        page.goto("/admin/users")
        search = page.locator("input[type=search]")
        expect(search).to_be_focused()
        page.keyboard.type("a/b")
        expect(search).to_have_value("a/b")
        page.get_by_role("link", name="Bulk jobs").focus()
        page.keyboard.press("/")
        expect(search).to_be_focused()
        expect(search).to_have_value("a/b")


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_a_phone_has_the_navigation_in_one_row_that_shows_the_page(dashboard, openid, chromium, locale):
    with dashboard.open(chromium, viewport=PHONE, locale=locale) as context:
        page = context.new_page()
        complaints = complaints_of(page)
        page.goto("/admin/api-keys")
        tops = page.locator(".bar nav a").evaluate_all("links => links.map((link) => link.offsetTop)")
        assert (len(tops) > 5, len(set(tops))) == (True, 1)
        expect(page.locator(".bar nav [aria-current]")).to_be_in_viewport(ratio=1)
        assert complaints == []


def test_actions_that_end_something_stand_apart(dashboard, openid, chromium):
    with dashboard.open(chromium) as context:
        page = context.new_page()
        page.goto(f"/admin/users/{APPID}/{openid}")
        colour = "element => getComputedStyle(element).color"
        harmless = page.get_by_role("button", name="Refresh now").evaluate(colour)
        apart = [one.evaluate(colour) for one in page.locator(".destructive summary").all()]
        assert len(apart) == 2
        assert harmless not in apart


def test_an_unchecked_box_is_not_filled_in_the_dark(dashboard, openid, chromium):
    with dashboard.open(chromium, color_scheme="dark") as context:
        page = context.new_page()
        page.goto("/admin/users")
        box = page.locator("[name=user]").first
        look = "element => [getComputedStyle(element).appearance, getComputedStyle(element).backgroundColor]"
        assert box.evaluate(look) == ["none", "rgba(0, 0, 0, 0)"]
        box.check()
        assert box.evaluate(look)[0] == "auto"


def test_a_range_told_from_now_takes_the_place_of_days_and_is_kept(dashboard, openid, chromium):
    with dashboard.open(chromium) as context:
        page = context.new_page()
        page.goto("/admin/users?used_from=2026-01-01")
        used = page.get_by_role("group", name="Last used")
        used.get_by_label("From now").select_option("last 7 days")
        expect(used.get_by_label("From", exact=True)).to_have_value("")
        page.get_by_role("button", name="Search").click()
        assert page.url.endswith("/admin/users?used=last-7d")
        expect(used.get_by_label("From now")).to_have_value("last-7d")
        used.get_by_label("To", exact=True).fill("2026-01-31")
        expect(used.get_by_label("From now")).to_have_value("")


def test_users_are_chosen_all_at_once_and_counted(dashboard, openid, chromium):
    with dashboard.open(chromium, viewport=PHONE) as context:
        page = context.new_page()
        complaints = complaints_of(page)
        page.goto("/admin/users")
        go_on = page.get_by_role("button", name="Continue…")
        everyone = page.get_by_label("Select this page")
        expect(go_on).to_be_disabled()
        page.locator("[name=user]").first.check()
        expect(page.get_by_text("1 selected")).to_be_in_viewport()
        expect(go_on).to_be_enabled()
        everyone.check()
        expect(page.get_by_text("50 selected")).to_be_visible()
        assert page.locator("[name=user]:checked").count() == 50
        everyone.uncheck()
        expect(go_on).to_be_disabled()
        page.get_by_label("Target users").select_option("all")
        expect(go_on).to_be_enabled()
        assert width_of(page) == PHONE["width"]
        assert complaints == []


def test_a_job_on_selected_users_names_them_before_it_begins(dashboard, openid, chromium):
    with dashboard.open(chromium, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto("/admin/users")
        chosen = [link.get_attribute("href") for link in page.locator("th.name a").all()[:3]]
        for box in page.locator("[name=user]").all()[:3]:
            box.check()
        page.get_by_role("button", name="Continue…").click()
        assert [link.get_attribute("href") for link in page.locator("main li a").all()] == chosen
