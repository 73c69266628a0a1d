"""Chromium, and the service with a simulated WeChat, each on a port of its own, as a visitor's browser meets them."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from service.simulator.people import DEFAULT_ACCOUNT
from storage.sealing import generate_key
from tests.browser.operators import Dashboard, complaints_of
from tests.browser.stack import Stack, pages_at, running
from tests.service.harness import free_port
from tests.waiting import DEADLINE_SECONDS

CHROMIUM = os.environ.get("TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE = {"width": 390, "height": 844}


def none_is_here(what: str) -> NoReturn:
    """Skip the test, or fail it where everything must be there."""
    say = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
    say(f"there is no {what} here")


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    if CHROMIUM is None:
        none_is_here("Chromium")
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
    yield browser
    browser.close()


@pytest.fixture
def caching_page(playwright: Playwright) -> Iterator[Page]:
    """A page of a browser that keeps pages for the back button, as phones do and Playwright's otherwise does not."""
    browser = playwright.chromium.launch(
        executable_path=CHROMIUM, args=FLAGS, ignore_default_args=["--disable-back-forward-cache"]
    )
    page = browser.new_page(viewport=PHONE)
    page.set_default_timeout(DEADLINE_SECONDS * 1000)
    yield page
    browser.close()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    ports = [free_port() for _ in range(5)]
    service, admin, wechat, allowed, foreign = (f"http://127.0.0.1:{port}" for port in ports)
    # What a page of the field holds, and what stands for it in this run.
    addresses = {
        "http://127.0.0.1:8888": service,
        "https://open.weixin.qq.com/connect": f"{wechat}/connect",
    }
    with ExitStack() as started:
        listen = wechat.removeprefix("http://")
        started.enter_context(running(["simulator", "--listen", listen], f"{wechat}/simulator/clock", folder))
        started.enter_context(
            running(
                ["serve"],
                f"{service}/healthz",
                folder,
                WECHAT_OPENID_APPID="wx51a7ed0000000001",
                WECHAT_OPENID_SECRET="51a7ed00c0ffee0051a7ed00c0ffee00",
                WECHAT_OPENID_DATABASE_URL=f"sqlite:///{folder}/wechat-openid.db",
                WECHAT_OPENID_LISTEN=service.removeprefix("http://"),
                WECHAT_OPENID_ADMIN_LISTEN=admin.removeprefix("http://"),
                WECHAT_OPENID_PUBLIC_URL=service,
                WECHAT_OPENID_ALLOWED_ORIGINS=allowed,
                WECHAT_OPENID_ID_TOKEN_AUDIENCE="https://shop.example.com",
                WECHAT_OPENID_WECHAT_API_URL=wechat,
                WECHAT_OPENID_WECHAT_AUTHORIZE_URL=f"{wechat}/connect/oauth2/authorize",
                WECHAT_OPENID_RATE_LIMIT="",
                WECHAT_OPENID_LOG_LEVEL="WARNING",
            )
        )
        for port in ports[3:]:
            started.enter_context(pages_at(port, addresses))
        yield Stack(service, wechat, allowed, foreign)


@pytest.fixture
def from_the_beginning(stack: Stack) -> None:
    """Let the simulated WeChat forget what other tests did."""
    stack.control("reset", {})


@pytest.fixture
def open_browser(chromium: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Open browsers with profiles of their own."""
    with ExitStack() as contexts:

        def open_one(**options: str) -> BrowserContext:
            context = chromium.new_context(viewport=PHONE, locale="zh-CN", **options)
            context.set_default_timeout(DEADLINE_SECONDS * 1000)
            contexts.callback(context.close)
            return context

        yield open_one


@pytest.fixture
def page(open_browser: Callable[..., BrowserContext]) -> Page:
    return open_browser().new_page()


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dashboard")
    url, wechat, public = (f"http://127.0.0.1:{free_port()}" for _ in range(3))
    settings = {
        "WECHAT_OPENID_APPID": DEFAULT_ACCOUNT.appid,
        "WECHAT_OPENID_SECRET": DEFAULT_ACCOUNT.secret,
        "WECHAT_OPENID_DATABASE_URL": f"sqlite:///{folder}/wechat-openid.db",
        "WECHAT_OPENID_SECRET_KEYS": generate_key(),
        "WECHAT_OPENID_LISTEN": public.removeprefix("http://"),
        "WECHAT_OPENID_PUBLIC_URL": public,
        "WECHAT_OPENID_ADMIN_LISTEN": url.removeprefix("http://"),
        "WECHAT_OPENID_WECHAT_API_URL": wechat,
        "WECHAT_OPENID_LOG_LEVEL": "WARNING",
    }
    simulator = ["simulator", "--listen", wechat.removeprefix("http://")]
    with (
        running(simulator, f"{wechat}/simulator/clock", folder),
        running(["serve"], f"{url}/healthz", folder, **settings),
    ):
        root = str(Path(__file__).parents[2])
        yield Dashboard(url, folder, {**os.environ, "PYTHONPATH": root, **settings})


@pytest.fixture
def owner(dashboard, chromium):
    with dashboard.open(chromium) as context:
        page = context.new_page()
        complaints = complaints_of(page)
        yield page
        assert complaints == []
