"""CORS by exact origin, and a session cookie that suits the pages and can be neither altered nor borrowed."""

from ipaddress import ip_network

import pytest

from service.authorization.sessions import COOKIE_DAYS, Session, SessionSigner
from service.http.cookies import CookiePolicy
from service.http.origins import AllowedOrigins
from storage.base.clock import ManualClock
from storage.sealing import KeyRing, generate_key
from tests.service.http.handlers.h5_browser import PAGE_ORIGIN, reply_of

pytestmark = pytest.mark.gen_test

FOREIGN = [
    "https://evil.com",
    "null",
    "http://h5.example.com",
    "https://h5.example.com:8443",
    "https://h5.example.com.evil.com",
    "https://xh5.example.com",
    "HTTPS://H5.EXAMPLE.COM",
]


async def test_an_allowed_page_may_read_answers_with_credentials(browser, wechat):
    response = await browser.post_code(wechat.issue_code(), headers={"Origin": PAGE_ORIGIN})
    assert response.code == 200
    assert response.headers["Access-Control-Allow-Origin"] == PAGE_ORIGIN
    assert response.headers["Access-Control-Allow-Credentials"] == "true"
    assert response.headers["Vary"] == "Origin"


async def test_errors_are_as_readable_as_answers(browser):
    own = {"Origin": PAGE_ORIGIN}
    for response in (
        await browser.post_code("", headers=own),
        await browser.post_code("0" * 32, headers=own),
        await browser.fetch("/userinfo", headers=own),
        await browser.fetch("/getCode", headers=own),
    ):
        assert response.code >= 400
        assert response.headers["Access-Control-Allow-Origin"] == PAGE_ORIGIN
        assert response.headers["Vary"] == "Origin"
        assert reply_of(response)["errmsg"]


async def test_a_preflight_is_answered_and_kept(browser):
    headers = {
        "Origin": PAGE_ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    response = await browser.fetch("/getCode", method="OPTIONS", headers=headers)
    assert response.code == 204
    assert response.headers["Access-Control-Allow-Origin"] == PAGE_ORIGIN
    assert response.headers["Access-Control-Allow-Credentials"] == "true"
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    assert response.headers["Access-Control-Allow-Headers"] == "Content-Type"
    assert set(response.headers["Allow"].split(", ")) >= {"POST", "OPTIONS"}
    assert int(response.headers["Access-Control-Max-Age"]) >= 600


async def test_a_preflight_is_allowed_the_headers_that_it_asks_for(browser, subtests):
    for asked, allowed in (
        ("content-type,traceparent", "Content-Type, traceparent"),
        ("authorization, token ,x-requested-with", "Content-Type, authorization, token, x-requested-with"),
        ("*", "Content-Type"),
        ("a b, x\ty, é, <x>, , x:y, x_y", "Content-Type, x_y"),
        (",".join(f"x-{number}" for number in range(1000)), None),
        ("x" * 5000, "Content-Type"),
    ):
        with subtests.test(asked=asked[:40]):
            headers = {
                "Origin": PAGE_ORIGIN,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": asked,
            }
            response = await browser.fetch("/getCode", method="OPTIONS", headers=headers)
            assert response.code == 204
            if allowed is None:
                assert len(response.headers["Access-Control-Allow-Headers"]) < 500
            else:
                assert response.headers["Access-Control-Allow-Headers"] == allowed


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.attack(
    "a visitor's session",
    "a web page of another origin",
    "a post, a preflight, a request that names no origin",
    "403, nothing spent and nothing set",
)
async def test_a_page_that_is_not_allowed_is_refused_before_its_code_is_spent(browser, wechat, origin):
    headers = {"Origin": origin}
    preflight = await browser.fetch("/getCode", method="OPTIONS", headers=headers)
    posted = await browser.post_code(wechat.issue_code(), headers=headers)
    for response in (preflight, posted):
        assert response.code == 403
        assert "Access-Control-Allow-Credentials" not in response.headers
        assert response.headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Origin" not in preflight.headers
    assert wechat.calls["access_token"] == 0
    assert browser.cookies == {}


async def test_a_page_that_is_not_allowed_can_read_why_and_learns_nothing_else(browser, wechat):
    await browser.post_code(wechat.issue_code())
    for origin in ("https://evil.com", "null", "http://[::1]:5173", "capacitor://localhost", "file://"):
        for response in (
            await browser.post_code(wechat.issue_code(), headers={"Origin": origin}),
            await browser.fetch("/userinfo", headers={"Origin": origin}),
            await browser.fetch("/session", headers={"Origin": origin}),
            await browser.fetch("/session", method="DELETE", headers={"Origin": origin}),
        ):
            assert response.code == 403
            assert response.headers["Access-Control-Allow-Origin"] == origin
            assert "Access-Control-Allow-Credentials" not in response.headers
            reply = reply_of(response)
            assert set(reply) == {"error", "errmsg", "request_id"}
            assert (reply["error"], "ALLOWED_ORIGINS" in reply["errmsg"]) == ("origin", True)


async def test_what_is_no_origin_is_not_repeated_in_a_header(browser):
    for origin in ("https://evil.com/path", "*", "a b", "é", "https://a.com,https://b.com", f"https://{'a' * 300}.com"):
        response = await browser.post_code("0" * 32, headers={"Origin": origin})
        assert response.code == 403
        assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.attack(
    "a visitor's session",
    "a web page of another origin",
    "a post, a preflight, a request that names no origin",
    "403, nothing spent and nothing set",
)
async def test_preflights_of_strangers_are_refused_whatever_they_hold(browser):
    for origin in (*FOREIGN, "", " ", "*", "é", "a" * 5000, f"{PAGE_ORIGIN}, {PAGE_ORIGIN}", f"{PAGE_ORIGIN}/"):
        for path in ("/getCode", "/session", "/userinfo", "/authorize", "/callback"):
            headers = {
                "Origin": origin,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "*, content-type",
            }
            response = await browser.fetch(path, method="OPTIONS", headers=headers)
            assert response.code == 403, (origin, path)
            assert "Access-Control-Allow-Origin" not in response.headers


async def test_the_log_tells_of_refused_pages_by_origin_and_setting_and_is_not_flooded(browser, caplog, clock):
    async def refused(origin):
        await browser.post_code("0" * 32, headers={"Origin": origin})

    for _ in range(3):
        await refused("https://mine.example")
    lines = [record.getMessage() for record in caplog.records if record.name == "service.http.cors"]
    assert len(lines) == 1
    assert "https://mine.example" in lines[0]
    assert "ALLOWED_ORIGINS" in lines[0]
    caplog.clear()
    for number in range(100):
        await refused(f"https://h{number}.example")
    assert 1 <= len(caplog.records) <= 10
    caplog.clear()
    clock.advance(60)
    await refused("https://mine.example")
    assert "https://mine.example" in caplog.text


@pytest.mark.attack(
    "a visitor's session",
    "a web page of another origin",
    "a post, a preflight, a request that names no origin",
    "403, nothing spent and nothing set",
)
async def test_a_request_of_another_site_that_names_no_origin_is_refused(browser, wechat, subtests):
    for site, code in (("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)):
        with subtests.test(site=site):
            response = await browser.post_code(wechat.issue_code(), headers={"Sec-Fetch-Site": site})
            assert response.code == code
            assert ("Set-Cookie" in response.headers) is (code == 200)


async def test_answers_vary_by_origin_also_for_who_sends_none(browser, wechat):
    assert (await browser.post_code(wechat.issue_code())).headers["Vary"] == "Origin"


@pytest.mark.attack(
    "a visitor's session",
    "a web page of another origin",
    "a post, a preflight, a request that names no origin",
    "403, nothing spent and nothing set",
)
async def test_without_allowed_origins_only_pages_of_the_services_own_host_may_post(browser_of_changed, wechat):
    browser = await browser_of_changed(public_url="", allowed_origins=(), trusted_proxies=(ip_network("127.0.0.1"),))
    own_host = browser.url.removeprefix("http://")
    forwarded = {"X-Forwarded-Host": "h5.example.com"}
    for headers in (
        {"Origin": browser.url},
        {"Origin": f"https://{own_host}"},  # a proxy ends TLS and does not say so
        {"Origin": "null", "Sec-Fetch-Site": "same-origin"},  # a form of a page that sends no referrer
        {"Origin": PAGE_ORIGIN, **forwarded},
        {},
    ):
        response = await browser.post_code(wechat.issue_code(), headers=headers)
        assert response.code == 200, headers
        assert "Access-Control-Allow-Origin" not in response.headers
    browser.cookies.clear()
    spent = wechat.calls["access_token"]
    for headers in (
        {"Origin": "https://evil.com"},
        {"Origin": "null"},
        {"Origin": browser.url, **forwarded},
        {"Origin": f"{browser.url}0"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        response = await browser.post_code(wechat.issue_code(), headers=headers)
        assert (response.code, browser.cookies) == (403, {}), headers
    assert wechat.calls["access_token"] == spent


@pytest.mark.parametrize(
    ("public_url", "origins", "secure", "samesite"),
    [
        ("", (), False, "Lax"),
        ("http://api.example.com", ("https://other.example",), False, "Lax"),
        ("https://api.example.com", (), True, "Lax"),
        ("https://api.example.com", ("https://h5.example.com",), True, "Lax"),
        ("https://api.example.com", ("https://h5.example.com", "https://other.example"), True, "None"),
        ("https://a.github.io", ("https://b.github.io",), True, "None"),
        ("https://api.example.com", ("http://localhost:5173",), True, "None"),
    ],
)
async def test_cookies_are_as_strict_as_the_pages_allow(public_url, origins, secure, samesite):
    policy = CookiePolicy.suiting(public_url, AllowedOrigins.of(origins, public_url))
    assert (policy.secure, policy.samesite) == (secure, samesite)


async def test_the_session_cookie_is_kept_from_scripts_and_ends(browser, wechat):
    response = await browser.post_code(wechat.issue_code())
    cookie = response.headers["Set-Cookie"]
    for attribute in ("HttpOnly", "Secure", "SameSite=Lax", f"Max-Age={COOKIE_DAYS * 86_400}"):
        assert attribute in cookie


async def test_a_cross_site_page_gets_a_cookie_that_its_requests_carry(browser_of_changed, wechat):
    browser = await browser_of_changed(allowed_origins=("https://other.example",))
    response = await browser.post_code(wechat.issue_code(), headers={"Origin": "https://other.example"})
    assert "SameSite=None" in response.headers["Set-Cookie"]
    assert "Secure" in response.headers["Set-Cookie"]


async def test_a_session_tells_its_own_user_until_it_is_ended(browser, another_browser, wechat, openid_for):
    await browser.post_code(wechat.issue_code("li-na"))
    assert reply_of(await browser.fetch("/session"))["openid"] == openid_for("li-na")
    assert (await another_browser.fetch("/session")).code == 401
    assert (await browser.fetch("/session", method="DELETE", headers={"Origin": "https://evil.com"})).code == 403
    assert (await browser.fetch("/session", method="DELETE")).code == 204
    assert (await browser.fetch("/session")).code == 401


async def test_every_altered_byte_of_the_cookie_leaves_nobody_signed_in(browser, wechat):
    await browser.post_code(wechat.issue_code())
    good = browser.cookies["__Host-wechat_openid"]
    for position in range(0, len(good), 7):
        browser.cookies["__Host-wechat_openid"] = (
            good[:position] + ("x" if good[position] != "x" else "y") + good[position + 1 :]
        )
        assert (await browser.fetch("/session")).code == 401, position
    browser.cookies["__Host-wechat_openid"] = good
    assert (await browser.fetch("/session")).code == 200


async def test_no_altered_cookie_is_ever_another_identity():
    signer = SessionSigner(KeyRing.parse(generate_key()), ManualClock())
    good = signer.sign(Session("browser", "wx0000000000000001", "o" * 28))
    bytes_to_try = [chr(number) for number in range(256)]
    for position, letter in enumerate(good):
        for other in bytes_to_try:
            if other != letter:
                assert signer.verify(good[:position] + other + good[position + 1 :]) is None, (position, other)
    for length in range(len(good)):
        assert signer.verify(good[:length]) is None


async def test_a_session_outlives_a_rotation_of_the_keys_and_ends_with_its_key():
    old, new, clock = generate_key(), generate_key(), ManualClock()
    session = Session("browser", "wx1", "o1", clock.now())
    cookie = SessionSigner(KeyRing.parse(old), clock).sign(session)
    assert SessionSigner(KeyRing.parse(f"{new},{old}"), clock).verify(cookie) == session
    assert SessionSigner(KeyRing.parse(new), clock).verify(cookie) is None
    clock.advance(COOKIE_DAYS * 86_400 + 1)
    assert SessionSigner(KeyRing.parse(old), clock).verify(cookie) is None
