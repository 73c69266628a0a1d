"""A service, its page and a hostile sibling on three hosts of one site, over TLS: what a planted cookie can do."""

import http.client
import json
import re
from contextlib import ExitStack

import pytest

from tests.browser.conftest import CHROMIUM, FLAGS, PHONE
from tests.browser.stack import Stack, pages_at, running
from tests.browser.test_h5_flow import ENTRY, result
from tests.certificates import make_certificate
from tests.proxies import nginx
from tests.service.harness import free_port
from tests.waiting import DEADLINE_SECONDS

SITE = "site.test"
OWN_COOKIE = "__Host-wechat_openid"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Run all of it; what reaches the service without TLS is the attacker's own program."""
    folder = tmp_path_factory.mktemp("site")
    service, admin, wechat, pages = (f"http://127.0.0.1:{free_port()}" for _ in range(4))
    port = free_port()
    certificate = make_certificate(folder, f"*.{SITE}")
    api, h5, evil = (f"https://{host}.{SITE}:{port}" for host in ("api", "h5", "evil"))
    hosts = f"map $host $upstream {{ api.{SITE} {service}; default {pages}; }}"
    with ExitStack() as started:
        started.enter_context(
            running(["simulator", "--listen", wechat.removeprefix("http://")], f"{wechat}/simulator/clock", folder)
        )
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
                WECHAT_OPENID_PUBLIC_URL=api,
                WECHAT_OPENID_ALLOWED_ORIGINS=h5,
                WECHAT_OPENID_REQUIRE_STATE="true",
                WECHAT_OPENID_TRUSTED_PROXIES="127.0.0.1",
                WECHAT_OPENID_WECHAT_API_URL=wechat,
                WECHAT_OPENID_WECHAT_AUTHORIZE_URL=f"{wechat}/connect/oauth2/authorize",
                WECHAT_OPENID_LOG_LEVEL="WARNING",
            )
        )
        started.enter_context(pages_at(int(pages.rpartition(":")[2]), {"http://127.0.0.1:8888": api}))
        forwarded = "proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
        started.enter_context(
            nginx(
                folder,
                "$upstream",
                forwarded,
                outside=hosts,
                server=f"ssl_certificate {certificate.path}; ssl_certificate_key {certificate.key_path};",
                listen="ssl",
                port=port,
            )
        )
        yield Stack(service, wechat, h5, evil), api


@pytest.fixture
def visitor(site, playwright):
    """A page of a browser that finds the three hosts here."""
    site[0].control("reset", {})
    browser = playwright.chromium.launch(
        executable_path=CHROMIUM, args=[*FLAGS, f"--host-resolver-rules=MAP *.{SITE} 127.0.0.1"]
    )
    context = browser.new_context(viewport=PHONE, ignore_https_errors=True)
    context.set_default_timeout(DEADLINE_SECONDS * 1000)
    yield context.new_page()
    browser.close()


class Attacker:
    """A program of the attacker's, with cookies of its own."""

    def __init__(self, stack):
        self.stack = stack
        self.cookies = {}

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection(self.stack.service.removeprefix("http://"), timeout=DEADLINE_SECONDS)
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection.request(method, path, body, {"Cookie": cookies} if cookies else {})
        answer = connection.getresponse()
        for header in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = header.partition(";")[0].partition("=")
            self.cookies[name] = value
        content = answer.read()
        connection.close()
        return answer, content

    def begin(self):
        answer, _ = self.ask("GET", f"/authorize?redirect_uri={self.stack.allowed}{ENTRY}")
        return re.search("[?&]state=([0-9a-f]+)", answer.headers["Location"])[1]

    def sign_in(self):
        body = json.dumps({"state": self.begin(), "code": self.stack.issue_code(person="li-na")})
        _, content = self.ask("POST", "/getCode", body)
        return json.loads(content)["openid"]


def plant(page, sibling, cookies):
    """Set cookies for the whole site from a sibling's page, under their names and under those without a prefix."""
    page.goto(f"{sibling}/away.html")
    for name, value in cookies.items():
        for planted in (name, name.removeprefix("__Host-")):
            for attributes in (f"Domain={SITE}; Path=/; Secure", "Path=/; Secure"):
                page.evaluate("cookie => { document.cookie = cookie; }", f"{planted}={value}; {attributes}")


def session_cookies(page, api):
    return {cookie["name"] for cookie in page.context.cookies(api)}


def test_a_planted_state_gets_nobody_signed_in_as_the_attacker(site, visitor):
    stack, api = site
    attacker = Attacker(stack)
    state, code = attacker.begin(), stack.issue_code(person="li-na")
    theirs = attacker.sign_in()
    spent = stack.exchanges()
    plant(visitor, stack.foreign, attacker.cookies)
    planted = session_cookies(visitor, api)
    assert any(name.startswith("wechat_openid_state_") for name in planted)
    assert not any(name.startswith("__Host-") for name in planted)
    visitor.goto(f"{stack.allowed}{ENTRY}?code={code}&state={state}")
    assert result(visitor)["openid"] != theirs
    assert stack.exchanges() == spent + 1  # the visitor's own code; the attacker's was not exchanged


def test_a_planted_session_is_not_the_visitors_after_signing_in(site, visitor):
    stack, api = site
    attacker = Attacker(stack)
    theirs = attacker.sign_in()
    plant(visitor, stack.foreign, attacker.cookies)
    visitor.goto(f"{stack.allowed}{ENTRY}")
    mine = result(visitor)["openid"]
    assert mine != theirs
    plant(visitor, stack.foreign, attacker.cookies)  # once more, beside the new one
    visitor.goto(f"{stack.allowed}{ENTRY}?manual")
    ask = "api => fetch(api + '/session', {credentials: 'include'}).then(reply => reply.json())"
    assert visitor.evaluate(ask, api)["openid"] == mine
    _, content = attacker.ask("GET", "/session")
    assert json.loads(content)["openid"] == theirs


def test_signing_out_takes_the_session_from_the_browser(site, visitor):
    stack, api = site
    visitor.goto(f"{stack.allowed}{ENTRY}")
    assert result(visitor)["openid"]
    [cookie] = [cookie for cookie in visitor.context.cookies(api) if cookie["name"] == OWN_COOKIE]
    assert (cookie["domain"], cookie["secure"], cookie["httpOnly"]) == (f"api.{SITE}", True, True)
    visitor.evaluate("WechatOpenid.logout()")
    assert OWN_COOKIE not in session_cookies(visitor, api)
    asked = visitor.evaluate("WechatOpenid.userinfo().then(() => 'answered', error => error.error)")
    assert asked == "reauthorize"
