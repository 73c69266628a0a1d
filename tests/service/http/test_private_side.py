"""Which requests the private listener answers: by its own names, and from its own pages."""

import socket
from ipaddress import ip_network

import pytest
from tornado.iostream import IOStream

from service.runtime.app import make_private_app

pytestmark = [
    pytest.mark.gen_test,
    pytest.mark.attack(
        "operators' side",
        "a web page in an operator's browser",
        "its own name is made to point at the private listener (DNS rebinding)",
        "421 before a session, a password or a key is looked at",
    ),
]

PATHS = [
    "/healthz",
    "/readyz",
    "/metrics",
    "/internal/authorizations/a/b/token",
    "/",
    "/admin",
    "/admin/sign-in",
    "/nothing",
]


@pytest.fixture
def private(serve, open_another):
    """Serve the private side with other settings and give its address."""

    async def open_one(**changes):
        return await serve(make_private_app(await open_another(**changes)))

    return open_one


@pytest.fixture
def ask(http):
    async def status(url, path="/healthz", method="GET", **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        body = b"" if method == "POST" else None
        response = await http.fetch(
            url + path, method=method, headers=headers, body=body, raise_error=False, follow_redirects=False
        )
        return response.code

    return status


async def test_no_path_is_answered_under_the_name_of_another_site(private, ask):
    url = await private()
    for path in [*PATHS, "/admin/static/admin.js"]:
        for host in (
            "rebind.example",
            "rebind.example:8889",
            "127.0.0.1.rebind.example",
            "localhost.example",
            "..",
            "-",
        ):
            assert await ask(url, path, Host=host) == 421, (path, host)
        assert await ask(url, path, "POST", Host="rebind.example") == 421, path


async def test_addresses_in_numbers_and_names_of_the_loopback_are_answered(private, ask):
    url = await private()
    for host in (
        "127.0.0.1:8889",
        "10.244.3.7:8889",
        "[::1]",
        "[fd00::7]:8889",
        "localhost",
        "LOCALHOST:1",
        "a.localhost.",
    ):
        assert await ask(url, Host=host) == 200, host


async def test_names_of_the_settings_are_answered(private, ask):
    url = await private(admin_url="https://Admin.example.com:8443", admin_hosts=("wechat-openid", "probe.internal"))
    for host in ("admin.example.com", "admin.example.com:443", "wechat-openid:8889", "PROBE.internal."):
        assert await ask(url, Host=host) == 200, host
    assert await ask(url, Host="openid") == 421


async def test_what_a_trusted_proxy_forwards_must_be_known_too(private, ask):
    url = await private(trusted_proxies=(ip_network("127.0.0.1"),), admin_hosts=("admin.example.com",))
    assert await ask(url, X_Forwarded_Host="admin.example.com") == 200
    assert await ask(url, X_Forwarded_Host="rebind.example") == 421
    assert await ask(url, Host="rebind.example", X_Forwarded_Host="admin.example.com") == 421


async def test_a_probe_without_host_is_answered(private):
    url = await private()
    stream = await IOStream(socket.socket()).connect(("127.0.0.1", int(url.rpartition(":")[2])))
    await stream.write(b"GET /healthz HTTP/1.0\r\n\r\n")
    assert (await stream.read_until_close()).startswith(b"HTTP/1.1 200")


@pytest.mark.attack(
    "operators' side",
    "a web page in an operator's browser",
    "it asks from another origin, another port of the same host, or a frame",
    "403 before a session, a password or a key is looked at",
)
async def test_pages_of_other_origins_are_refused_before_any_work(private, ask, subtests):
    url = await private()
    refused = [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": url + "0"},
        {"Origin": url.replace("http", "https")},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "cors", "Sec_Fetch_Dest": "empty"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"},
        {"Sec_Fetch_Site": "anything"},
    ]
    for headers in refused:
        for path in PATHS:
            for method in ("GET", "POST"):
                with subtests.test(headers=headers, path=path, method=method):
                    assert await ask(url, path, method, **headers) == 403


async def test_no_form_of_another_site_is_taken_even_as_a_navigation(private, ask):
    url = await private()
    navigation = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    assert await ask(url, "/admin/sign-in", "POST", **navigation) == 403
    assert await ask(url, "/admin/sign-in", **navigation) == 200, "a link in a chat leads to the dashboard"


async def test_own_pages_and_programs_are_answered(private, ask):
    url = await private()
    for headers in (
        {},
        {"Origin": url},
        {"Sec_Fetch_Site": "same-origin", "Origin": url},
        {"Sec_Fetch_Site": "none"},
    ):
        assert await ask(url, **headers) == 200, headers


async def test_no_host_is_repeated_in_the_refusal(private, http):
    response = await http.fetch(await private(), headers={"Host": "rebind.example"}, raise_error=False)
    assert b"rebind.example" not in response.body
    assert response.headers["Cache-Control"] == "no-store"
    assert "Content-Security-Policy" in response.headers
