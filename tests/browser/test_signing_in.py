"""Signing in at the company's provider, by a passkey and with an authenticator app, in Chromium."""

import os
import re
from contextlib import contextmanager
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import expect

from admin.operators.provider.identity_provider import CALLBACK_PATH
from service.simulator.people import DEFAULT_ACCOUNT
from storage.sealing import generate_key
from tests.browser.conftest import none_is_here
from tests.browser.operators import DESK, PASSWORD, PHONE, Dashboard, complaints_of, faults_of_accessibility, width_of
from tests.browser.stack import running
from tests.clients.identity_provider import CLIENT_ID, CLIENT_SECRET, missing, running_provider
from tests.service.harness import free_port

pytestmark = pytest.mark.timeout(300)
FACTORS = "/admin/me/factors"
#: What the browser says of an answer that is a refusal.
STATUS = re.compile(r"status of 40[0134]")
#: A folder for pictures of the pages, for who wants to look at them.
PICTURES = os.environ.get("TEST_PICTURES")


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    if missing() is not None:
        none_is_here(f"oidc-provider: {missing()}")
    port, admin_port = free_port(), free_port()
    redirect_uri = f"http://localhost:{admin_port}{CALLBACK_PATH}"
    with running_provider(tmp_path_factory.mktemp("provider"), port, redirect_uri) as provider:
        yield provider, admin_port


@pytest.fixture(scope="module")
def desk(tmp_path_factory, company):
    """A dashboard under a name, as passkeys need it, with a provider."""
    provider, port = company
    folder, url = tmp_path_factory.mktemp("desk"), f"http://localhost:{port}"
    settings = {
        "WECHAT_OPENID_APPID": DEFAULT_ACCOUNT.appid,
        "WECHAT_OPENID_SECRET": DEFAULT_ACCOUNT.secret,
        "WECHAT_OPENID_DATABASE_URL": f"sqlite:///{folder}/wechat-openid.db",
        "WECHAT_OPENID_SECRET_KEYS": generate_key(),
        "WECHAT_OPENID_LISTEN": f"127.0.0.1:{free_port()}",
        "WECHAT_OPENID_ADMIN_LISTEN": f"127.0.0.1:{port}",
        "WECHAT_OPENID_ADMIN_URL": url,
        "WECHAT_OPENID_OIDC_ISSUER": provider.url,
        "WECHAT_OPENID_OIDC_NAME": "Example Corp",
        "WECHAT_OPENID_OIDC_CLIENT_ID": CLIENT_ID,
        "WECHAT_OPENID_OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "WECHAT_OPENID_OIDC_SCOPES": "openid profile groups",
        "WECHAT_OPENID_OIDC_ROLES": "wechat-owners=owner,wechat-ops=operator",
        "WECHAT_OPENID_LOG_LEVEL": "WARNING",
    }
    with running(["serve"], f"{url}/healthz", folder, **settings):
        root = str(Path(__file__).parents[2])
        yield Dashboard(url, folder, {**os.environ, "PYTHONPATH": root, **settings})


@contextmanager
def authenticator(context, page):
    """Give a page's browser a phone's own authenticator, whose owner always consents."""
    session = context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    made = session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    yield lambda **changes: session.send(
        "WebAuthn.setUserVerified", {"authenticatorId": made["authenticatorId"], **changes}
    )
    session.detach()


def sign_in(page, name):
    page.goto("/admin/sign-in")
    page.fill("[name=name]", name)
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def pass_through_provider(page, person):
    page.fill("[name=login]", person)
    page.fill("[name=password]", "any")
    page.locator("button[type=submit]").click()
    page.get_by_role("button", name="Continue").click()


def test_the_whole_way_to_the_provider_and_back(desk, chromium, company):
    provider, _ = company
    provider.put("grace", "wechat-ops")
    with desk.open(chromium, None) as context:
        page = context.new_page()
        complaints = complaints_of(page)
        page.goto("/admin/users?status=active")
        page.get_by_role("link", name="Sign in with Example Corp").click()
        page.wait_for_url(f"{provider.url}/**")
        complaints.clear()  # what the provider's own pages complain of, such as a font that is not to be had
        pass_through_provider(page, "grace")
        page.wait_for_url("**/admin/users?status=active")
        expect(page.get_by_role("link", name="sso:grace")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("link", name="Sign out at Example Corp, too").click()
        page.wait_for_url(f"{provider.url}/**")
        page.locator("button[autofocus]").click()
        page.wait_for_url("**/admin/sign-in*")
        complaints.clear()
        expect(page.get_by_role("link", name="Sign in with Example Corp")).to_be_visible()
        page.reload()
        assert complaints == []


def test_a_person_in_no_group_sees_why(desk, chromium, company):
    provider, _ = company
    provider.put("mallory", "everybody")
    with desk.open(chromium, None) as context:
        page = context.new_page()
        page.goto("/admin/sign-in")
        page.get_by_role("link", name="Sign in with Example Corp").click()
        pass_through_provider(page, "mallory")
        expect(page.get_by_role("alert")).to_contain_text("You are in no group at Example Corp")


@pytest.mark.attack(
    "operators' accounts",
    "who has recorded how an operator signed in by a passkey, cookies included",
    "sending the same again (replay)",
    "each challenge is answered once",
)
def test_a_passkey_is_made_and_signs_in_without_a_password_once(desk, chromium):
    desk.add_operator("operator")
    with desk.open(chromium, None) as context:
        page = context.new_page()
        complaints = complaints_of(page)
        with authenticator(context, page) as verified:
            sign_in(page, "operator")
            page.goto(FACTORS)
            page.fill("form.passkey [name=name]", "My phone")
            page.get_by_role("button", name="Add a passkey").click()
            expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
            assert len(re.findall(r"\S{4}-\S{4}-\S{4}-\S{4}", page.locator(".codes").inner_text())) == 10
            page.get_by_role("link", name="Done").click()
            expect(page.get_by_role("cell", name="My phone", exact=True)).to_be_visible()

            page.get_by_role("button", name="Sign out").click()
            sent = {}

            def record(request):
                if request.method == "POST" and request.url.endswith("/admin/sign-in/passkey"):
                    sent.update(body=request.post_data, headers=request.all_headers())

            page.on("request", record)
            page.get_by_role("button", name="Sign in with a passkey").click()
            page.wait_for_url("**/admin/overview*")
            expect(page.get_by_role("link", name="operator", exact=True)).to_be_visible()
            with desk.open(chromium, None) as thief:
                headers = {name: value for name, value in sent["headers"].items() if not name.startswith(":")}
                replayed = thief.request.post(
                    "/admin/sign-in/passkey", data=sent["body"], headers=headers, max_redirects=0
                )
                assert replayed.status == 401
                assert "This passkey was not accepted." in replayed.text()

            page.get_by_role("button", name="Sign out").click()
            verified(isUserVerified=False)
            page.get_by_role("button", name="Sign in with a passkey").click()
            expect(page.get_by_role("alert")).to_contain_text("The browser has used no passkey.")
        # By the password the passkey is asked for, and a recovery code would do.
        sign_in(page, "operator")
        page.wait_for_url("**/admin/sign-in/second*")
        expect(page.get_by_role("button", name="Use a passkey")).to_be_visible()
        expect(page.get_by_label("Recovery code")).to_be_visible()
        assert [text for text in complaints if "401" not in text] == []


def look(page, what, language, scheme):
    """Check that a page fits and can be read; keep a picture of it for who wants one."""
    assert faults_of_accessibility(page) == []
    width = page.viewport_size["width"]
    assert width_of(page) <= width
    if PICTURES:
        page.screenshot(path=f"{PICTURES}/{what}-{language}-{scheme}-{width}.png", full_page=True)


def in_every_form(test):
    """Run a test in both languages and schemes, on a phone and at a desk."""
    for names, values in (("language", ["en", "zh-CN"]), ("scheme", ["light", "dark"])):
        test = pytest.mark.parametrize(names, values)(test)
    return pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])(test)


@in_every_form
def test_the_pages_fit_and_can_be_read(desk, chromium, language, scheme, size):
    name = f"look-{language}-{scheme}-{size['width']}"
    desk.add_operator("owner", name)
    with desk.open(chromium, None, viewport=size, color_scheme=scheme, locale="en-GB") as context:
        page = context.new_page()
        complaints = complaints_of(page)

        sign_in(page, name)
        page.wait_for_url("**/admin/overview*")
        page.goto(f"{FACTORS}?lang={'zh_CN' if language == 'zh-CN' else 'en'}")
        look(page, "factors", language, scheme)
        page.locator("form[action$='app/begin'] button").click()
        secret = page.locator(".secret code").inner_text()
        look(page, "app", language, scheme)
        page.fill("[name=code]", "000000")
        page.locator("main form button.primary").click()
        expect(page.get_by_role("alert")).to_be_visible()
        look(page, "app-wrong", language, scheme)
        page.fill("[name=code]", pyotp.TOTP(secret).now())
        page.locator("main form button.primary").click()
        expect(page.locator(".codes")).to_be_visible()
        look(page, "codes", language, scheme)
        page.goto(FACTORS)
        look(page, "factors-set-up", language, scheme)
        page.goto("/admin/me")
        look(page, "me", language, scheme)
        page.goto("/admin/operators")
        look(page, "team", language, scheme)
        page.locator("header form button").click()
        look(page, "sign-in", language, scheme)
        page.fill("[name=name]", name)
        page.fill("[name=password]", PASSWORD)
        page.locator("form[action='/admin/sign-in'] button").click()
        page.wait_for_url("**/second*")
        look(page, "second", language, scheme)
        page.fill("[name=code]", "000000")
        page.locator("form[action$='second'] button").click()
        expect(page.get_by_role("alert").first).to_be_visible()
        look(page, "second-wrong", language, scheme)
        assert [text for text in complaints if not STATUS.search(text)] == []


@in_every_form
def test_the_pages_for_who_comes_from_the_provider_fit_too(desk, chromium, company, language, scheme, size):
    provider, _ = company
    provider.put("mallory", "everybody")
    with desk.open(chromium, None, viewport=size, color_scheme=scheme, locale=language) as context:
        page = context.new_page()
        page.goto("/admin/sign-in?left=provider")
        look(page, "left", language, scheme)
        page.locator("a[href^='/admin/sign-in/provider?']").click()
        page.locator("[name=login]").wait_for()
        pass_through_provider(page, "mallory")
        expect(page.get_by_role("alert").first).to_be_visible()
        look(page, "no-group", language, scheme)
