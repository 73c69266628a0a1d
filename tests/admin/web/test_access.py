"""Who may use which address: a table made from the routes, so that none can be forgotten."""

import re

import pytest
from tornado.web import RequestHandler

from admin.routes import make_admin_routes
from admin.web.handler import AdminHandler
from service.simulator.people import DEFAULT_ACCOUNT
from storage.sql.accounts.audit import AuditQuery
from storage.sql.accounts.operators import Role
from tests.admin.operator_browser import text_of

#: What may stand for a variable part of a path.
SAMPLES = (DEFAULT_ACCOUNT.appid, "oAaBUcEjVp3_DhDLArJT2NoFYwJt", "1", "refresh", "pause", "nothing")


def path_of(pattern: str) -> str:
    """Return an address that a route's pattern matches."""

    def sample(group: re.Match[str]) -> str:
        return next(value for value in SAMPLES if re.fullmatch(group[0], value))

    path = re.sub(r"\([^()]*\)", sample, pattern).replace(".*", "nothing").replace("\\", "")
    assert re.fullmatch(pattern, path), f"no sample fits {pattern}"
    return path


HANDLERS = [
    (path_of(pattern), handler) for pattern, handler, _ in make_admin_routes(None) if issubclass(handler, AdminHandler)
]
CASES = [
    (method, path, handler)
    for path, handler in HANDLERS
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
    if getattr(handler, method.lower()) is not getattr(RequestHandler, method.lower())
]
CHANGES = [path for method, path, _ in CASES if method == "POST"]
#: What may be used without signing in, and the answer to who brings nothing; there is no provider here.
OPEN = {
    ("GET", "/admin/sign-in"): 200,
    ("POST", "/admin/sign-in"): 401,
    ("GET", "/admin/sign-in/second"): 303,
    ("POST", "/admin/sign-in/second"): 303,
    ("POST", "/admin/sign-in/passkey"): 404,
    ("POST", "/admin/sign-in/passkey/begin"): 404,
    ("GET", "/admin/sign-in/provider"): 404,
    ("GET", "/admin/sign-in/provider/callback"): 404,
    ("GET", "/admin/sign-in/provider/sign-out"): 404,
}


async def ask(browser, method, path):
    return await (browser.get(path) if method == "GET" else browser.post(path))


def test_pages_are_asked_for_by_get_and_post_only():
    assert {method for method, _, _ in CASES} == {"GET", "POST"}
    assert len(CASES) >= 20


def test_each_handler_names_its_own_role():
    assert [handler for _, handler in HANDLERS if "requires" not in vars(handler)] == []
    assert {path for path, handler in HANDLERS if handler.requires is None} == {path for _, path in OPEN}


@pytest.mark.gen_test
@pytest.mark.attack(
    "operators' side",
    "an operator, or nobody",
    "every route with every role",
    "each does what its role covers",
)
async def test_whoever_is_not_signed_in_is_asked_to(browser):
    answers = {}
    for method, path, _ in CASES:
        response = await ask(browser, method, path)
        answers[method, path] = (response.code, response.headers.get("Location", "").partition("?")[0])
    assert {place: answers.pop(place)[0] for place in OPEN} == OPEN
    assert set(answers.values()) == {(303, "/admin/sign-in")}


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.gen_test
@pytest.mark.attack(
    "operators' side",
    "an operator, or nobody",
    "every route with every role",
    "each does what its role covers",
)
async def test_each_role_may_what_it_covers(signed_in, role):
    wrong = []
    for method, path, handler in CASES:
        response = await ask(signed_in(role), method, path)
        may = handler.requires is None or role.covers(handler.requires)
        leads_there = path.startswith("/admin/sign-")
        sent_to_sign_in = not leads_there and "/admin/sign-in" in response.headers.get("Location", "")
        if response.code >= 500 or (response.code == 403) == may or sent_to_sign_in:
            wrong.append((method, path, response.code))
    assert wrong == []


@pytest.mark.gen_test
@pytest.mark.attack(
    "operators' side",
    "a web page in an operator's browser",
    "a form without the session's token, or from another origin",
    "403, nothing changed",
)
async def test_a_change_needs_the_token_of_its_own_session(signed_in, browser, dashboard):
    owner = signed_in()
    foreign = ["", "0" * 64, "某", await signed_in().form_token(), await browser.form_token()]
    wrong = []
    for path in CHANGES:
        for token in foreign:
            response = await owner.post(path, token=token)
            if response.code != 403 or "This form has expired." not in text_of(response):
                wrong.append((path, token, response.code))
    assert wrong == []
    assert dashboard.audit.page(AuditQuery()).entries == []


@pytest.mark.gen_test
@pytest.mark.attack(
    "operators' side",
    "a web page in an operator's browser",
    "a form without the session's token, or from another origin",
    "403, nothing changed",
)
async def test_a_change_must_come_from_a_page_of_ours(signed_in, dashboard):
    owner = signed_in()
    foreign = ["https://evil.example", "null", owner.url + ".evil.example", owner.url.replace("http:", "https:"), None]
    wrong = []
    for path in CHANGES:
        for origin in foreign:
            response = await owner.post(path, origin=origin)
            if response.code != 403 or "his request came from another site" not in text_of(response):
                wrong.append((path, origin, response.code))
    assert wrong == []
    assert dashboard.audit.page(AuditQuery()).entries == []


@pytest.mark.gen_test
async def test_the_address_a_form_came_from_stands_in_for_its_origin(signed_in):
    owner = signed_in()
    token = await owner.form_token()
    owner.headers["Referer"] = owner.url + "/admin/me"
    assert (await owner.post("/admin/me/sessions/end-others", token=token, origin=None)).code == 303
    owner.headers["Referer"] = "https://evil.example/admin/me"
    assert (await owner.post("/admin/me/sessions/end-others", token=token, origin=None)).code == 403


@pytest.mark.gen_test
async def test_every_page_is_kept_by_no_cache_and_runs_no_foreign_code(signed_in):
    wrong = []
    for method, path, _ in CASES:
        headers = (await ask(signed_in(), method, path)).headers
        policy = headers["Content-Security-Policy"]
        fits = (
            policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
            and "frame-ancestors 'none'" in policy
            and "unsafe" not in policy
            and headers["Cache-Control"] == "no-store"
            and headers["X-Content-Type-Options"] == "nosniff"
            and headers["Referrer-Policy"] == "same-origin"
        )
        if not fits:
            wrong.append((method, path))
    assert wrong == []


@pytest.mark.gen_test
async def test_a_page_that_does_not_exist_says_nothing_to_strangers(browser, signed_in):
    assert (await browser.get("/admin/nothing")).code == 303
    assert (await signed_in().get("/admin/nothing")).code == 404


@pytest.mark.gen_test
@pytest.mark.parametrize("path", ["/", "/admin"])
async def test_what_a_person_types_first_leads_to_the_dashboard(browser, path):
    response = await browser.get(path)
    assert (response.code, response.headers["Location"]) == (302, "/admin/")
