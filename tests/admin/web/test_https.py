"""The dashboard behind a proxy that ends TLS, and with ADMIN_URL set."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from admin.operators.hashing_pool import HashingPool
from service.runtime.app import make_private_app
from tests.admin.conftest import PASSWORD
from tests.admin.operator_browser import OperatorBrowser

ORIGIN = "https://admin.example.com"
SESSION = "__Host-wechat_openid_session"


@pytest.fixture
def behind(io_loop, http, serve, open_another, hashes, add_operator):
    """Serve with other settings and give a browser."""
    add_operator("ada")

    async def open_one(**changes):
        service = await open_another(**changes)
        dashboard = replace(service.dashboard, passwords=HashingPool(hashes))
        url = await serve(make_private_app(replace(service, dashboard=dashboard)))
        return OperatorBrowser(http, url)

    return open_one


def forwarded(browser):
    browser.headers |= {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "admin.example.com"}
    return browser


@pytest.mark.gen_test
async def test_the_cookie_is_secure_and_of_this_host_alone_behind_a_trusted_proxy(behind):
    browser = forwarded(await behind(trusted_proxies=(ip_network("127.0.0.1"),), admin_hosts=("admin.example.com",)))
    response = await browser.post("/admin/sign-in", origin=ORIGIN, name="ada", password=PASSWORD)
    assert response.code == 303
    [line] = [one for one in response.headers.get_list("Set-Cookie") if SESSION in one]
    assert {"Secure", "HttpOnly", "Path=/"} <= {part.strip() for part in line.split(";")}
    assert "Domain" not in line
    assert (await browser.get("/admin/me")).code == 200


@pytest.mark.gen_test
async def test_a_session_of_https_is_not_taken_from_a_cookie_that_plain_http_can_set(behind):
    browser = forwarded(await behind(trusted_proxies=(ip_network("127.0.0.1"),), admin_hosts=("admin.example.com",)))
    await browser.post("/admin/sign-in", origin=ORIGIN, name="ada", password=PASSWORD)
    browser.cookies = {"wechat_openid_session": browser.cookies[SESSION]}
    assert (await browser.get("/admin/me")).code == 303


@pytest.mark.gen_test
async def test_headers_of_an_untrusted_proxy_are_not_believed(behind):
    browser = forwarded(await behind(trusted_proxies=()))
    assert (await browser.post("/admin/sign-in", origin=ORIGIN, name="ada", password=PASSWORD)).code == 403
    response = await browser.sign_in("ada", PASSWORD)
    assert response.code == 303
    assert "Secure" not in response.headers["Set-Cookie"]


@pytest.mark.gen_test
async def test_the_setting_says_what_the_own_origin_is(behind):
    browser = await behind(admin_url="https://admin.example.com:443")
    assert (await browser.sign_in("ada", PASSWORD)).code == 403
    response = await browser.post("/admin/sign-in", origin=ORIGIN, name="ada", password=PASSWORD)
    assert response.code == 303
    assert SESSION in browser.cookies


@pytest.mark.gen_test
async def test_the_address_behind_a_proxy_is_throttled_and_not_the_proxy(behind):
    browser = await behind(trusted_proxies=(ip_network("127.0.0.1"),), admin_hosts=("admin.example.com",))
    browser.headers["X-Forwarded-For"] = "192.0.2.1"
    for number in range(31):
        refused = await browser.sign_in(f"name-{number}", "x")
    assert refused.code == 429
    browser.headers["X-Forwarded-For"] = "192.0.2.2"
    assert (await browser.sign_in("ada", PASSWORD)).code == 303
