"""A website that lets its own name point at the operators' side, as Chromium meets it."""

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import CHROMIUM, FLAGS

pytestmark = pytest.mark.attack(
    "operators' side",
    "a web page in an operator's browser",
    "its own name is made to point at the private listener (DNS rebinding)",
    "421 before a session, a password or a key is looked at",
)
NAME = "rebind.example"
ASK = "async path => { const answer = await fetch(path); return [answer.status, await answer.text()] }"


@pytest.fixture
def rebound(playwright):
    """A browser in which the website's name leads to the loopback."""
    browser = playwright.chromium.launch(
        executable_path=CHROMIUM, args=[*FLAGS, f"--host-resolver-rules=MAP {NAME} 127.0.0.1"]
    )
    yield browser.new_page()
    browser.close()


def test_a_rebound_name_reads_nothing(rebound: Page, dashboard):
    port = dashboard.url.rpartition(":")[2]
    answer = rebound.goto(f"http://{NAME}:{port}/admin/sign-in")
    assert answer.status == 421
    for path in ("/metrics", "/readyz", "/internal/authorizations/a/b/token", "/admin/static/admin.js"):
        status, text = rebound.evaluate(ASK, path)
        assert status == 421, path
        assert '"misdirected"' in text


def test_the_listeners_own_address_is_answered_in_the_same_browser(rebound: Page, dashboard):
    assert rebound.goto(f"{dashboard.url}/admin/sign-in").status == 200
    assert rebound.evaluate(ASK, "/readyz")[0] == 200


def test_a_page_of_another_port_reaches_nothing_but_by_a_link(rebound: Page, dashboard, stack):
    rebound.goto(f"{stack.foreign}/away.html")
    learnt = rebound.evaluate(
        "address => fetch(address, {mode: 'no-cors', method: 'POST'}).then(answer => answer.type, String)",
        f"{dashboard.url}/admin/sign-in",
    )
    assert learnt == "TypeError: Failed to fetch", "not even that something answers"
    rebound.set_content(f"<a href='{dashboard.url}/admin/sign-in'>dashboard</a>")
    with rebound.expect_response("**/admin/sign-in") as answer:
        rebound.click("a")
    assert answer.value.status == 200
