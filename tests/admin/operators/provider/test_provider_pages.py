"""Signing in at the company's provider, from the dashboard's sign-in page and back."""

import asyncio
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from admin.operators.provider.oidc import OidcProvider
from service.runtime.app import make_private_app
from storage.base.clock import SystemClock
from storage.sql.accounts.audit import AuditQuery
from storage.sql.accounts.operators import Role
from tests.admin.conftest import PASSWORD
from tests.admin.operator_browser import OperatorBrowser, text_of
from tests.admin.operators.provider.conftest import configuration_for
from tests.clients.identity_provider import sign_in_there

pytestmark = pytest.mark.gen_test
CALLBACK = "/admin/sign-in/provider/callback"
SESSION = "wechat_openid_session"


@pytest.fixture
def provider_url(company):
    return company.url


@pytest.fixture
def dashboard(dashboard, provider_url):
    # The tokens of a real provider hold the real time.
    provider = OidcProvider(configuration_for(provider_url), "https://admin.example.com/", SystemClock())
    return replace(dashboard, ways=replace(dashboard.ways, provider=provider))


@pytest.fixture
def another_browser(http, dashboard_url):
    return OperatorBrowser(http, dashboard_url)


async def sent_there(browser, **query):
    """Begin to sign in; return where the browser is sent."""
    response = await browser.get(f"/admin/sign-in/provider?{urlencode(query)}")
    assert response.code == 303
    return response.headers["Location"]


async def brought_back(browser, person, **query):
    return await asyncio.to_thread(sign_in_there, await sent_there(browser, **query), person)


async def come_back(browser, answer):
    return await browser.get(f"{CALLBACK}?{urlencode(answer)}")


async def sign_in(browser, person, **query):
    return await come_back(browser, await brought_back(browser, person, **query))


def last_entries(dashboard, count):
    return [
        (entry.operator, entry.action, entry.subject, entry.result, dict(entry.details))
        for entry in dashboard.audit.page(AuditQuery(limit=count)).entries
    ]


async def test_a_person_in_an_allowed_group_comes_in_where_they_wanted_to(browser, company, dashboard):
    company.put("ada", "wechat-ops")
    response = await sign_in(browser, "ada", next="/admin/users?status=active")
    assert (response.code, response.headers["Location"]) == (303, "/admin/users?status=active")
    assert "sso:ada" in text_of(await browser.get("/admin/me"))
    assert last_entries(dashboard, 2) == [
        ("sso:ada", "sign_in", "", "success", {"by": "identity provider"}),
        ("(identity provider)", "operator_add", "sso:ada", "success", {"role": "operator"}),
    ]


async def test_the_role_follows_the_groups_at_each_sign_in(browser, company, dashboard):
    company.put("bob", "wechat-owners")
    await sign_in(browser, "bob")
    assert (await browser.get("/admin/operators")).code == 200
    company.put("bob", "staff")
    await sign_in(browser, "bob")
    assert (await browser.get("/admin/operators")).code == 403
    assert dashboard.operators.find("sso:bob")[0].role == Role.VIEWER


async def test_who_is_in_no_group_is_refused_and_their_sessions_end(browser, another_browser, company, dashboard):
    company.put("eve", "wechat-ops")
    await sign_in(another_browser, "eve")
    company.put("eve", "everybody")
    response = await sign_in(browser, "eve")
    assert response.code == 403
    assert "You are in no group at Example Corp that may use this dashboard." in text_of(response)
    assert 'href="/admin/sign-in/provider/sign-out"' in text_of(response), "to sign in as somebody else"
    assert SESSION not in browser.cookies
    assert (await another_browser.get("/admin/me")).code == 303
    assert last_entries(dashboard, 1) == [("", "sign_in", "sso:eve", "refused", {"reason": "no allowed group"})]


async def test_who_was_never_in_is_not_written_down_by_name(browser, company, dashboard):
    company.put("mallory", "everybody")
    await sign_in(browser, "mallory")
    assert last_entries(dashboard, 1) == [("", "sign_in", "", "refused", {"reason": "no allowed group"})]
    assert dashboard.operators.list() == []


async def test_who_is_disabled_here_is_refused(browser, company, dashboard, clock):
    company.put("tom", "wechat-ops")
    await sign_in(browser, "tom")
    dashboard.operators.disable("sso:tom", clock.now())
    response = await sign_in(browser, "tom")
    assert response.code == 403
    assert "Your access to this dashboard has been disabled." in text_of(response)
    assert last_entries(dashboard, 1) == [("", "sign_in", "sso:tom", "refused", {"reason": "disabled"})]


@pytest.mark.attack(
    "operators' accounts",
    "a website that an operator visits",
    "sending the browser back from the provider with the attacker's own answer (login CSRF)",
    "an answer is taken by the browser alone that asked for it",
)
async def test_an_answer_that_this_browser_did_not_ask_for_is_refused(browser, another_browser, company):
    company.put("ada", "wechat-ops")
    answer = await brought_back(another_browser, "ada")
    for begun in (False, True):
        if begun:
            await sent_there(browser)
        response = await come_back(browser, answer)
        assert response.code == 400
        assert "begun in another browser" in text_of(response)
        assert SESSION not in browser.cookies
    assert (await come_back(another_browser, answer)).code == 303


@pytest.mark.attack(
    "operators' accounts",
    "who planted or copied a session cookie",
    "the operator signs in at the provider with it",
    "a session begins under a new id, and the old one ends",
)
async def test_the_session_is_a_new_one(browser, another_browser, company):
    company.put("ada", "wechat-ops")
    await sign_in(browser, "ada")
    planted = browser.cookies[SESSION]
    await sign_in(browser, "ada")
    assert browser.cookies[SESSION] != planted
    another_browser.cookies[SESSION] = planted
    assert (await another_browser.get("/admin/me")).code == 303


@pytest.mark.attack(
    "operators' browsers",
    "whoever writes a link",
    "a link to sign in at the provider whose `next` leads elsewhere (open redirect)",
    "it leads to a page of the dashboard or to its first one",
)
async def test_next_leads_nowhere_else(browser, company):
    company.put("ada", "wechat-ops")
    for elsewhere in ("https://evil.example.com/", "//evil.example.com/admin/", "/admin/\\evil.example.com", "/x"):
        assert (await sign_in(browser, "ada", next=elsewhere)).headers["Location"] == "/admin/"


async def test_what_a_browser_keeps_is_good_for_minutes_and_once(browser, company, clock):
    company.put("ada", "wechat-ops")
    answer = await brought_back(browser, "ada")
    kept = dict(browser.cookies)
    clock.advance(601)
    assert (await come_back(browser, answer)).code == 400
    browser.cookies.update(kept)
    assert "wechat_openid_provider_sign_in" in browser.cookies
    assert (await come_back(browser, answer)).code == 400


async def test_a_person_who_cancels_there_is_told_so(browser, company):
    address = await sent_there(browser)
    state = address.partition("state=")[2].partition("&")[0]
    response = await come_back(
        browser, {"state": state, "error": "access_denied", "error_description": "<b>", "iss": company.url}
    )
    assert response.code == 403
    assert "Example Corp did not confirm who you are." in text_of(response)
    assert "<b>" not in text_of(response)


async def test_strange_answers_are_refused_and_cost_no_failure(browser, company):
    for query in ("", "state=", "state=%ff&code=%00", "state=" + "x" * 5000, "code=a&code=b&state=a&state=b"):
        assert (await browser.get(f"{CALLBACK}?{query}")).code == 400
    address = await sent_there(browser)
    state = address.partition("state=")[2].partition("&")[0]
    assert (await browser.get(f"{CALLBACK}?state={state}&code={'x' * 5000}")).code == 403


async def test_attempts_are_counted(browser, company):
    for _ in range(10):
        state = (await sent_there(browser)).partition("state=")[2].partition("&")[0]
        assert (await come_back(browser, {"state": state, "code": "guessed", "iss": company.url})).code == 403
    state = (await sent_there(browser)).partition("state=")[2].partition("&")[0]
    response = await come_back(browser, {"state": state, "code": "guessed", "iss": company.url})
    assert response.code == 429
    assert "Too many attempts." in text_of(response)


async def test_signing_out_ends_our_session_and_offers_the_providers(browser, company):
    company.put("ada", "wechat-ops")
    await sign_in(browser, "ada")
    token = browser.cookies[SESSION]
    response = await browser.post("/admin/sign-out")
    assert response.headers["Location"] == "/admin/sign-in?left=provider"
    page = text_of(await browser.get(response.headers["Location"]))
    assert "You are signed out here, and may still be signed in at Example Corp." in page
    there = await browser.get("/admin/sign-in/provider/sign-out")
    assert there.headers["Location"].startswith(f"{company.url}/session/end?")
    browser.cookies[SESSION] = token
    assert (await browser.get("/admin/me")).code == 303


async def test_an_owner_sees_and_disables_them_and_their_groups_say_the_role(browser, signed_in, company, dashboard):
    company.put("ada", "wechat-ops")
    await sign_in(browser, "ada")
    owner = signed_in()
    page = text_of(await owner.get("/admin/operators"))
    assert f"{company.url} · ada" in page
    assert "by their groups" in page
    for path, fields in (("role", {"role": "owner"}), ("password", {})):
        assert (await owner.post(f"/admin/operators/{path}", name="sso:ada", **fields)).code == 409
    await owner.post("/admin/operators/disable", name="sso:ada")
    assert (await browser.get("/admin/me")).code == 303
    assert dashboard.operators.find("sso:ada")[0].role == Role.OPERATOR


@pytest.mark.attack(
    "operators' accounts",
    "who knows the name of an operator of the provider",
    "any password for it",
    "no password is theirs, at the cost of any wrong one",
)
async def test_no_password_opens_an_account_of_the_provider(browser, another_browser, company, hashes):
    company.put("ada", "wechat-owners")
    await sign_in(another_browser, "ada")
    for password in ("", PASSWORD):
        before = hashes.checked
        assert (await browser.sign_in("sso:ada", password)).code == 401
        assert hashes.checked == before + 1
    assert 'name="current"' not in text_of(await another_browser.get("/admin/me"))
    assert (await another_browser.post("/admin/me/password", current="", new=PASSWORD, again=PASSWORD)).code != 200
    assert (await browser.sign_in("sso:ada", PASSWORD)).code == 401


@pytest.mark.parametrize("provider_url", ["http://127.0.0.1:1"])
async def test_a_provider_that_is_away_is_said_so_and_passwords_go_on(browser, add_operator):
    add_operator("ada")
    response = await browser.get("/admin/sign-in/provider")
    assert response.code == 502
    assert "Example Corp is not available" in text_of(response)
    assert (await browser.sign_in("ada", PASSWORD)).code == 303
    assert (await browser.get("/admin/sign-in/provider/sign-out")).code == 404


async def test_without_a_provider_there_are_no_such_pages(http, service, serve):
    browser = OperatorBrowser(http, await serve(make_private_app(service)))
    for path in ("", "/callback", "/sign-out"):
        assert (await browser.get(f"/admin/sign-in/provider{path}")).code == 404
