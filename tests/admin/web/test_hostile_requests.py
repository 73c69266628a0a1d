"""Hostile requests to every route: none is answered by a failure of ours, and every answer is protected."""

from dataclasses import replace
from urllib.parse import quote

import pytest

from service.simulator.people import DEFAULT_ACCOUNT
from storage.sql.core.engine import Database
from storage.sql.core.migrations import upgrade
from tests.servers import database_of_its_own, postgresql_server

APPID = DEFAULT_ACCOUNT.appid
HOSTILE = [
    "%00",
    "%ff",
    "%ed%a0%80",
    quote("[" * 6000),
    quote('{"a":' * 2000),
    "9" * 5000,
    "-9223372036854775809",
    quote("%1000000000d%s{0}"),
    quote("W1tbW1tbW1tb" * 500),
]
LIST = (
    *("appid", "status", "scope", "snapshot", "errcode", "by", "match", "q", "authorized_from", "used_to", "ends_to"),
    *("sort", "order", "cursor"),
)
LOG = ("operator", "action", "result", "appid", "openid", "from", "to", "cursor")
#: What each page reads of its address.
ARGUMENTS = {
    "/admin/sign-in": ("lang", "next"),
    "/admin/overview": ("span",),
    "/admin/users": LIST,
    "/admin/users.csv": LIST,
    "/admin/jobs": ("before",),
    "/admin/audit": LOG,
    "/admin/audit.csv": LOG,
}
JOB = ("action", "user", "filter", "whom", "confirmation")
#: What each change reads of its form.
FIELDS = {
    "/admin/sign-in": ("name", "password", "next"),
    "/admin/me/password": ("current", "new", "again"),
    "/admin/me/sessions/end": ("id",),
    f"/admin/users/{APPID}/openid/erase": ("confirmation",),
    "/admin/jobs": JOB,
    "/admin/jobs/confirm": JOB,
    "/admin/operators/add": ("name", "role"),
    "/admin/operators/role": ("name", "role"),
    "/admin/operators/disable": ("name",),
    "/admin/api-keys/add": ("name",),
    "/admin/api-keys/revoke": ("name",),
}
#: Good values of the other fields, so that the hostile one is read at all.
GOOD = {"action": "erase", "whom": "all", "role": "viewer", "name": "somebody"}
STATIC = ["/admin/static/admin.js%00.py", "/admin/static/%ff", "/admin/static/", "/admin/static/../web/handler.py"]
PROTECTION = {
    "Content-Security-Policy",
    "X-Content-Type-Options",
    "Referrer-Policy",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
}


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request, settings):
    if request.param == "sqlite":
        yield settings
        return
    with database_of_its_own(postgresql_server()) as url:
        database = Database.open(url)
        upgrade(database.engine)
        database.close()
        yield replace(settings, database_url=url)


async def failures(answers):
    """Return what was answered by a failure of ours."""
    return [(what, response.code) async for what, response in answers if response.code >= 500]


@pytest.mark.gen_test(timeout=120)
@pytest.mark.attack(
    "availability",
    "an operator",
    "huge digits, deep nesting, NUL, half pairs of surrogates in every argument and field",
    "refused with a page that says so",
)
async def test_no_argument_makes_a_page_fail(signed_in):
    owner = signed_in()
    cases = [(path, name, value) for path, names in ARGUMENTS.items() for name in names for value in HOSTILE]
    answers = (((path, name, value[:20]), await owner.get(f"{path}?{name}={value}")) for path, name, value in cases)
    assert await failures(answers) == []


@pytest.mark.gen_test(timeout=120)
@pytest.mark.attack(
    "availability",
    "an operator",
    "huge digits, deep nesting, NUL, half pairs of surrogates in every argument and field",
    "refused with a page that says so",
)
async def test_no_field_makes_a_change_fail(signed_in):
    owner = signed_in()
    token = await owner.form_token()
    cases = [(path, name, value) for path, names in FIELDS.items() for name in names for value in HOSTILE]

    async def post(path, name, value):
        others = "&".join(f"{field}={text}" for field, text in GOOD.items() if field != name)
        return await owner.post_form(path, f"_xsrf={token}&{others}&{name}={value}")

    answers = (((path, name, value[:20]), await post(path, name, value)) for path, name, value in cases)
    assert await failures(answers) == []


@pytest.mark.gen_test(timeout=120)
async def test_no_path_fails(signed_in, browser):
    patterns = ("users/{0}/{0}", "jobs/{0}", "accounts/{0}", "static/{0}", "{0}")
    paths = [f"/admin/{pattern.format(value)}" for pattern in patterns for value in HOSTILE]
    answers = ((path[:50], await who.get(path)) for path in paths for who in (signed_in(), browser))
    assert await failures(answers) == []


@pytest.mark.gen_test
async def test_a_static_file_that_is_not_there_is_not_found(browser):
    assert {(await browser.get(path)).code for path in STATIC} <= {303, 400, 403, 404}


@pytest.mark.gen_test
async def test_static_files_and_redirects_are_protected_as_pages_are(browser):
    page = (await browser.get("/admin/sign-in")).headers
    for path in ("/", "/admin", "/admin/", "/admin/static/admin.js", "/admin/static/admin.css?v=0", *STATIC):
        headers = (await browser.get(path)).headers
        assert {name: headers.get(name) for name in PROTECTION} == {name: page[name] for name in PROTECTION}, path


@pytest.mark.gen_test
async def test_only_a_file_whose_address_has_a_digest_is_stored(browser):
    assert "max-age" in (await browser.get("/admin/static/admin.css?v=0")).headers["Cache-Control"]
    for path in ("/admin", "/admin/static/admin.css", *STATIC):
        assert (await browser.get(path)).headers["Cache-Control"] == "no-store", path
