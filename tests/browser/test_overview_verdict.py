"""What the overview says first, in Chromium, while a service of three accounts meets what goes wrong at night."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from storage.sealing import generate_key
from tests.browser.operators import DESK, PHONE, Dashboard, complaints_of, faults_of_accessibility, width_of
from tests.browser.stack import running
from tests.clusters.redis_servers import PASSWORD, RedisServer
from tests.engine_processes import folder_of_its_own
from tests.service.harness import free_port
from tests.waiting import DEADLINE_SECONDS, wait_until

pytestmark = pytest.mark.timeout(600)

SECRETS = {f"wx51a7ed000000000{number}": f"51a7ed00c0ffee0051a7ed00c0ffee0{number}" for number in (1, 2, 3)}
NAMES = dict(zip(SECRETS, ("商城", "Newsletter", "会员中心"), strict=True))
WRONG = "wx51a7ed0000000003"
LANGUAGES = {"en-GB": "light", "zh-CN": "dark"}
VIEWPORTS = {"desk": DESK, "phone": PHONE}
NOBODY = {"en-GB": "Nobody can log in", "zh-CN": "所有访客都无法登录"}
ONE = {"en-GB": "Nobody can log in at 1 of 3 accounts", "zh-CN": "3 个公众号中有 1 个无法登录"}
STORE_DOWN = {
    "en-GB": "The token store does not answer: nobody can log in",
    "zh-CN": "令牌存储无响应：所有访客都无法登录",
}
WELL = {"en-GB": "Logins and refreshes work", "zh-CN": "登录与刷新正常"}
#: A folder for pictures of each scenario, for people to look at; by default none are taken.
PICTURES = os.environ.get("TEST_PICTURES")


@dataclass
class Site:
    """A service of three accounts, its dashboard, and the WeChat that it asks."""

    service: str
    wechat: str
    dashboard: Dashboard
    settings: dict[str, str]
    folder: Path
    stack: ExitStack = field(default_factory=ExitStack)

    def start(self) -> None:
        """Start the service."""
        arguments, url = ["serve"], f"{self.service}/healthz"
        self.stack.enter_context(running(arguments, url, self.folder, **self.settings))

    def restart(self, **changed: str) -> None:
        """End the service and start it anew, with other settings where they are named."""
        self.stack.close()
        self.settings |= changed
        self.start()

    def control(self, path: str, content: dict) -> dict:
        """Ask the simulated WeChat's control API."""
        return _post(f"{self.wechat}/simulator/{path}", content)[1]

    def log_in(self, appid: str) -> int:
        """Log somebody in at an account; return the status of the answer."""
        code = self.control("codes", {"appid": appid})["code"]
        return _post(f"{self.service}/getCode", {"code": code, "appid": appid})[0]


def _post(url: str, content: dict) -> tuple[int, dict]:
    request = urllib.request.Request(url, json.dumps(content).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE_SECONDS) as response:
            return response.status, json.loads(response.read() or b"{}")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"{}")


def settings_of(folder: Path, secrets: dict[str, str], service: str, admin: str, wechat: str) -> dict[str, str]:
    accounts = [{"appid": appid, "secret": secret, "name": NAMES[appid]} for appid, secret in secrets.items()]
    return {
        "WECHAT_OPENID_ACCOUNTS": json.dumps(accounts),
        "WECHAT_OPENID_DATABASE_URL": f"sqlite:///{folder}/wechat-openid.db",
        "WECHAT_OPENID_SECRET_KEYS": generate_key(),
        "WECHAT_OPENID_LISTEN": service.removeprefix("http://"),
        "WECHAT_OPENID_ADMIN_LISTEN": admin.removeprefix("http://"),
        "WECHAT_OPENID_WECHAT_API_URL": wechat,
        "WECHAT_OPENID_RATE_LIMIT": "",
        "WECHAT_OPENID_LOG_LEVEL": "ERROR",
    }


@contextmanager
def site_of(folder: Path, secrets: dict[str, str], **more: str) -> Iterator[Site]:
    service, admin, wechat = (f"http://127.0.0.1:{free_port()}" for _ in range(3))
    settings = settings_of(folder, secrets, service, admin, wechat) | more
    accounts = [word for appid, secret in SECRETS.items() for word in ("--account", f"{appid}:{secret}")]
    simulator = ["simulator", "--listen", wechat.removeprefix("http://"), *accounts]
    with running(simulator, f"{wechat}/simulator/clock", folder):
        site = Site(service, wechat, Dashboard(admin, folder, settings), settings, folder)
        site.start()
        with site.stack:
            yield site


@pytest.fixture
def well(tmp_path: Path) -> Iterator[Site]:
    with site_of(tmp_path, SECRETS) as site:
        yield site


@pytest.fixture
def one_wrong(tmp_path: Path) -> Iterator[Site]:
    with site_of(tmp_path, {**SECRETS, WRONG: "0" * 32}) as site:
        yield site


def shown_at_once(page: Page) -> str:
    """Return the text of the verdict that is seen without scrolling."""
    height = page.viewport_size["height"]
    return page.evaluate(
        """height => [...document.querySelectorAll('.verdict > h2, .verdict .notice p, .verdict .notice li')]
            .filter(element => element.getBoundingClientRect().bottom <= height)
            .map(element => element.innerText).join('\\n')""",
        height,
    )


def overviews(site: Site, chromium: Browser, scenario: str) -> Iterator[tuple[str, Page]]:
    """Open the overview in both languages and at both sizes."""
    for language, scheme in LANGUAGES.items():
        for size, viewport in VIEWPORTS.items():
            with site.dashboard.open(chromium, locale=language, viewport=viewport, color_scheme=scheme) as context:
                page = context.new_page()
                complaints = complaints_of(page)
                page.goto("/admin/overview")
                if PICTURES:
                    page.screenshot(path=Path(PICTURES) / f"{scenario}-{size}-{language}.png")
                    page.screenshot(path=Path(PICTURES) / f"{scenario}-{size}-{language}-full.png", full_page=True)
                assert width_of(page) == viewport["width"]
                assert faults_of_accessibility(page) == []
                yield language, page
                assert complaints == []


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
        assert page.locator(".notice").count() == 0


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


def test_one_wrong_secret_of_three_stays_in_sight(one_wrong, chromium):
    site = one_wrong
    for appid in SECRETS:
        assert site.log_in(appid) == (500 if appid == WRONG else 200)
    wait_for(site, chromium, ONE["en-GB"])
    site.restart()  # which ends the pause of calls, and whatever the process knew
    remedy = {"en-GB": "Check the AppSecret in the settings", "zh-CN": "请检查配置中的 AppSecret"}
    for language, page in overviews(site, chromium, "wrong-secret"):
        seen = shown_at_once(page)
        assert ONE[language] in seen
        assert remedy[language] in seen
        assert "40125" in seen
        assert NAMES[WRONG] in seen
        assert NAMES[next(iter(SECRETS))] not in seen


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
            assert STORE_DOWN[language] in shown_at_once(page)
            badges = page.locator(".flows .badge").all_inner_texts()
            assert badges == [{"en-GB": "Failing", "zh-CN": "故障"}[language]] * 2


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
