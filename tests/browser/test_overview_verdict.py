"""What the overview says first, in Chromium, while a service of three accounts meets what goes wrong at night."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.accounts_site import NAMES, SECRETS, Site, site_of
from tests.browser.operators import DESK, PHONE, complaints_of, faults_of_accessibility, width_of
from tests.clusters.redis_servers import PASSWORD, RedisServer
from tests.engine_processes import folder_of_its_own
from tests.postgresql_cluster import cluster_of_its_own
from tests.set_clock import clock_in
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(600)

WRONG = "wx51a7ed0000000003"
LANGUAGES = ("en-GB", "zh-CN")
SCHEMES = ("light", "dark")
VIEWPORTS = {"desk": DESK, "phone": PHONE}
NOBODY = {"en-GB": "Nobody can log in", "zh-CN": "所有访客都无法登录"}
ONE = {"en-GB": "Nobody can log in at 1 of 3 accounts", "zh-CN": "3 个公众号中有 1 个无法登录"}
STORE_DOWN = {
    "en-GB": "The token store does not answer: nobody can log in",
    "zh-CN": "令牌存储无响应：所有访客都无法登录",
}
DATABASE_DOWN = {
    "en-GB": "The database does not answer: nobody can log in",
    "zh-CN": "数据库无响应：所有访客都无法登录",
}
WELL = {"en-GB": "Logins and refreshes work", "zh-CN": "登录与刷新正常"}
#: A folder for pictures of each scenario, for people to look at; by default none are taken.
PICTURES = os.environ.get("TEST_PICTURES")


@pytest.fixture
def well(tmp_path: Path) -> Iterator[Site]:
    with site_of(tmp_path, SECRETS) as site:
        yield site


def shown_at_once(page: Page) -> str:
    """Return the text of the verdict that is wholly seen without scrolling: headline, reasons, remedies, accounts."""
    return page.evaluate(
        """() => [...document.querySelectorAll('.verdict > :first-child, .verdict .notice p, .verdict .notice li')]
            .filter(element => {
                const box = element.getBoundingClientRect();
                return box.top >= 0 && box.left >= 0 && box.bottom <= innerHeight && box.right <= innerWidth;
            })
            .map(element => element.innerText).join('\\n')"""
    )


def overviews(site: Site, chromium: Browser, scenario: str, *, status: int = 200) -> Iterator[tuple[str, Page]]:
    """Open the overview in both languages, at both sizes, light and dark."""
    for language, scheme, (size, viewport) in product(LANGUAGES, SCHEMES, VIEWPORTS.items()):
        with site.dashboard.open(chromium, locale=language, viewport=viewport, color_scheme=scheme) as context:
            page = context.new_page()
            complaints = complaints_of(page)
            response = page.goto("/admin/overview")
            if PICTURES:
                page.screenshot(path=Path(PICTURES) / f"{scenario}-{size}-{language}-{scheme}.png")
            assert response.status == status
            assert width_of(page) == viewport["width"]
            assert faults_of_accessibility(page) == []
            yield language, page
            assert [text for text in complaints if f"status of {status} " not in text] == []


def wait_for(site: Site, chromium: Browser, headline: str) -> None:
    """Wait until the overview says something, without a visit of the page in between: it renews itself."""
    with site.dashboard.open(chromium) as context:
        page = context.new_page()
        page.goto("/admin/overview")
        wait_until(lambda: headline in page.inner_text("#verdict-heading"))


def test_all_is_well(well, chromium):
    for appid in SECRETS:
        assert well.log_in(appid) == 200
    wait_for(well, chromium, WELL["en-GB"])
    for language, page in overviews(well, chromium, "well"):
        assert shown_at_once(page) == WELL[language]
        assert page.locator(".notice:visible").count() == 0


def test_an_unreachable_wechat_is_the_first_thing_seen(well, chromium):
    for appid in SECRETS:
        assert well.log_in(appid) == 200
    wait_for(well, chromium, WELL["en-GB"])
    well.control("faults", {"endpoint": "access_token", "breakage": "drop", "times": None})
    for appid in SECRETS:
        assert well.log_in(appid) == 503
    wait_for(well, chromium, NOBODY["en-GB"])
    remedy = {"en-GB": "Check that this server reaches api.weixin.qq.com", "zh-CN": "请检查服务器到 api.weixin.qq.com"}
    for language, page in overviews(well, chromium, "unreachable"):
        seen = shown_at_once(page)
        assert NOBODY[language] in seen
        assert remedy[language] in seen
        assert all(name in seen for name in NAMES.values())
        assert "by itself" not in page.inner_text("#verdict")


def test_one_wrong_secret_of_three_stays_in_sight(tmp_path, chromium):
    clock = clock_in(tmp_path)
    remedy = {"en-GB": "Check the AppSecret in the settings", "zh-CN": "请检查配置中的 AppSecret"}

    def look(site: Site, scenario: str) -> None:
        for language, page in overviews(site, chromium, scenario):
            seen = shown_at_once(page)
            assert ONE[language] in seen
            assert remedy[language] in seen
            assert "40125" in seen
            assert NAMES[WRONG] in seen
            assert NAMES[next(iter(SECRETS))] not in seen

    with site_of(tmp_path, {**SECRETS, WRONG: "0" * 32}, **clock.environment()) as site:
        for appid in SECRETS:
            assert site.log_in(appid) == (500 if appid == WRONG else 200)
        wait_for(site, chromium, ONE["en-GB"])
        look(site, "wrong-secret")
        clock.set_to(600)
        look(site, "wrong-secret-later")
        site.restart()  # which ends the pause of calls, and whatever the process knew
        look(site, "wrong-secret-restarted")


def test_a_spent_quota_is_named_with_the_time_of_the_next_try(well, chromium):
    for appid in SECRETS:
        assert well.log_in(appid) == 200
    well.control("faults", {"endpoint": "access_token", "errcode": 45009, "times": None})
    for appid in SECRETS:
        assert well.log_in(appid) == 503
    wait_for(well, chromium, NOBODY["en-GB"])
    for language, page in overviews(well, chromium, "quota"):
        seen = shown_at_once(page)
        assert NOBODY[language] in seen
        assert "45009" in seen
        assert "clear_quota" in seen
        assert {"en-GB": "calls are paused until", "zh-CN": "调用暂停至"}[language] in seen


def test_a_token_store_that_is_down_is_the_first_thing_seen(tmp_path, chromium):
    with folder_of_its_own("redis") as folder, ExitStack() as stack:
        redis = RedisServer(folder / "server", requirepass=PASSWORD)
        stack.callback(redis.kill)
        redis.begin()
        url = f"redis://:{PASSWORD}@{redis.address}/0"
        store = {"WECHAT_OPENID_TOKEN_STORE": "redis", "WECHAT_OPENID_TOKEN_STORE_URL": url}
        site = stack.enter_context(site_of(tmp_path, SECRETS, **store))
        for appid in SECRETS:
            assert site.log_in(appid) == 200
        wait_for(site, chromium, WELL["en-GB"])
        redis.kill()
        wait_for(site, chromium, STORE_DOWN["en-GB"])
        for language, page in overviews(site, chromium, "store-down"):
            seen = shown_at_once(page)
            assert STORE_DOWN[language] in seen
            assert {"en-GB": "Check that the token store runs", "zh-CN": "请检查令牌存储"}[language] in seen
            badges = page.locator(".flows .badge").all_inner_texts()
            assert badges == [{"en-GB": "Failing", "zh-CN": "故障"}[language]] * 2


def test_a_database_that_is_down_is_the_first_thing_seen(tmp_path, chromium):
    remedy = {"en-GB": "Check that the database runs", "zh-CN": "请检查数据库是否运行"}
    with cluster_of_its_own() as server, site_of(tmp_path, SECRETS, WECHAT_OPENID_DATABASE_URL=server.url) as site:
        for appid in SECRETS:
            assert site.log_in(appid) == 200
        wait_for(site, chromium, WELL["en-GB"])
        with site.dashboard.open(chromium) as context:
            page = context.new_page()
            page.goto("/admin/overview")
            assert page.inner_text("#verdict-heading") == WELL["en-GB"]
            server.stop("immediate")
            assert site.log_in(WRONG) == 503
            page.get_by_role("heading", name=DATABASE_DOWN["en-GB"]).wait_for()
            for language, other in overviews(site, chromium, "database-down", status=503):
                seen = shown_at_once(other)
                assert DATABASE_DOWN[language] in seen
                assert remedy[language] in seen
            server.start()
            wait_until(
                lambda: page.locator("#activity-heading").count() == 1 and not page.locator("[data-outage]").count()
            )
            assert page.inner_text("#verdict-heading") == WELL["en-GB"]


def test_a_page_that_cannot_be_renewed_says_so(well, chromium):
    with well.dashboard.open(chromium) as context:
        page = context.new_page()
        page.goto("/admin/overview")
        notice = page.locator("#not-renewed")
        assert notice.is_hidden()
        well.stack.close()
        notice.wait_for(state="visible")
        well.start()
        notice.wait_for(state="hidden")


def test_the_page_renews_itself_without_script(well, chromium):
    with well.dashboard.open(chromium, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto("/admin/overview")
        with page.expect_navigation():
            pass
        assert page.url.endswith("/admin/overview")


def test_the_first_page_of_a_browser_is_in_its_own_zone(well, chromium):
    assert well.log_in(WRONG) == 200
    with well.dashboard.open(chromium, timezone_id="Australia/Adelaide") as context:
        page = context.new_page()
        page.goto("/admin/overview")
        expect(page.locator("#activity-heading")).to_contain_text("Australia/Adelaide")
        ticks = page.locator(".chart .tick").all_text_contents()
        assert {tick[-3:] for tick in ticks} == {":30"}
        assert "UTC" not in page.inner_text("main")


def test_a_page_has_one_zone_where_the_browsers_is_not_known(well, chromium, subtests):
    """The page is asked for once more at most, and stays in the zone of the settings as a whole."""
    no_cookies = "Object.defineProperty(document, 'cookie', {get: () => '', set: () => {}})"
    no_zone = "Intl.DateTimeFormat.prototype.resolvedOptions = () => ({timeZone: 'Mars/Olympus'})"
    for script, most in ((no_cookies, 1), (no_zone, 2)):
        with subtests.test(script=script), well.dashboard.open(chromium, timezone_id="Asia/Tokyo") as context:
            page = context.new_page()
            page.add_init_script(script)
            asked = []
            page.on("request", lambda request, asked=asked: request.is_navigation_request() and asked.append(request))
            page.goto("/admin/overview")
            with page.expect_response(lambda response: response.request.resource_type == "fetch"):
                pass  # the page has renewed itself in place
            assert len(asked) == most
            assert page.inner_text("#activity-heading").endswith("UTC")
            assert all(one.endswith(" UTC") for one in page.locator("time").all_inner_texts())
