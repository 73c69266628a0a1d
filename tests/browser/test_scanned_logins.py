"""Visitors of a browser that is not WeChat's: a QR code that others read, and the login of website applications."""

import json
import shutil
import subprocess
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe

from service.simulator.people import DEFAULT_ACCOUNT, DEFAULT_WEBSITE
from tests.browser.conftest import none_is_here
from tests.browser.operators import DESK
from tests.browser.stack import running
from tests.browser.test_h5_flow import consent
from tests.service.harness import free_port

IN_WECHAT = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0.0.0 MicroMessenger/8.0.50"


@pytest.fixture(scope="module")
def service(stack, tmp_path_factory):
    """A service that explains, with an official account and a website application."""
    folder = tmp_path_factory.mktemp("outside")
    url = f"http://127.0.0.1:{free_port()}"
    accounts = [
        {"appid": DEFAULT_ACCOUNT.appid, "secret": DEFAULT_ACCOUNT.secret},
        {"appid": DEFAULT_WEBSITE.appid, "secret": DEFAULT_WEBSITE.secret, "kind": "website"},
    ]
    settings = {
        "ACCOUNTS": json.dumps(accounts),
        "DATABASE_URL": f"sqlite:///{folder}/wechat-openid.db",
        "LISTEN": url.removeprefix("http://"),
        "ADMIN_LISTEN": f"127.0.0.1:{free_port()}",
        "PUBLIC_URL": url,
        "ALLOWED_ORIGINS": stack.allowed,
        "WECHAT_API_URL": stack.wechat,
        "WECHAT_AUTHORIZE_URL": f"{stack.wechat}/connect/oauth2/authorize",
        "WECHAT_QRCONNECT_URL": f"{stack.wechat}/connect/qrconnect",
        "OUTSIDE_WECHAT": "explain",
        "RATE_LIMIT": "",
        "LOG_LEVEL": "WARNING",
    }
    environment = {f"WECHAT_OPENID_{name}": value for name, value in settings.items()}
    with running(["serve"], f"{url}/healthz", folder, **environment):
        yield url


def code_on(page, folder):
    """Read the QR code on the screen by a program that others wrote."""
    if shutil.which("zbarimg") is None:
        none_is_here("zbarimg")
    picture = folder / "screen.png"
    page.screenshot(path=picture, full_page=True)
    read = subprocess.run(["zbarimg", "--quiet", "--raw", str(picture)], capture_output=True, text=True, check=True)
    return read.stdout.strip()


@pytest.mark.parametrize("colour_scheme", ["light", "dark"])
def test_a_phone_reads_the_address_off_the_screen(stack, service, open_browser, tmp_path, subtests, colour_scheme):
    page = open_browser(color_scheme=colour_scheme).new_page()
    for length in (1, 40, 120, 300, 420):
        with subtests.test(length=length):
            address = f"{stack.allowed}/away.html?q=%E4{'kq1' * (length // 3)}#/r"
            page.goto(f"{service}/authorize?scope=snsapi_userinfo&redirect_uri={quote(address, safe='')}")
            read = code_on(page, tmp_path)
            assert read == page.text_content(".address")
            assert quote(address, safe="/:") in read
    assert Axe().run(page).response["violations"] == []


def test_who_scans_it_goes_on_in_wechat_and_is_the_one_who_is_signed_in(stack, service, open_browser, tmp_path):
    computer, phone = open_browser().new_page(), open_browser(user_agent=IN_WECHAT).new_page()
    computer.goto(f"{service}/authorize?flow=callback&redirect_uri={quote(f'{stack.allowed}/away.html', safe='')}")
    phone.goto(code_on(computer, tmp_path))
    assert phone.url.partition("#")[0] == f"{stack.allowed}/away.html"
    sessions = [page.request.get(f"{service}/session").status for page in (computer, phone)]
    assert sessions == [401, 200]


def test_a_website_application_signs_in_who_plays_the_scan(stack, service, page):
    address = f"{service}/authorize?appid={DEFAULT_WEBSITE.appid}&flow=callback&redirect_uri="
    page.goto(address + quote(f"{stack.allowed}/away.html", safe=""))
    assert page.text_content("h1") == "微信登录"
    assert page.evaluate("document.querySelector('img.code').naturalWidth") > 0
    assert Axe().run(page).response["violations"] == []
    consent(page, "deny")
    page.wait_for_selector("[role=status]")
    consent(page, person="li-na")
    page.wait_for_url(f"{stack.allowed}/away.html")
    assert page.request.get(f"{service}/session").json()["appid"] == DEFAULT_WEBSITE.appid
    assert page.request.get(f"{service}/userinfo").json()["nickname"] == "李娜😀"


@pytest.mark.parametrize("colour_scheme", ["light", "dark"])
def test_a_phone_reads_the_links_by_which_an_operator_tries_a_login(dashboard, chromium, tmp_path, colour_scheme):
    with dashboard.open(chromium, viewport=DESK, color_scheme=colour_scheme) as context:
        page = context.new_page()
        page.goto(f"/admin/accounts/{DEFAULT_ACCOUNT.appid}")
        links = page.locator("section:has(#try-heading) .id").all_inner_texts()
        assert len(links) == 2
        assert sorted(code_on(page, tmp_path).splitlines()) == sorted(links)
