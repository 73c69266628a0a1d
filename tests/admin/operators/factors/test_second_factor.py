"""Setting up an authenticator app, and signing in with it or a recovery code."""

import re
from dataclasses import replace

import pyotp
import pytest

from admin.operators.factors.totp import step_of
from storage.sql.accounts.audit import AuditQuery, NewAuditEntry
from storage.sql.accounts.operators import Role
from storage.sql.accounts.provider_operators import ProviderIdentity
from tests.admin.conftest import PASSWORD
from tests.admin.operator_browser import OperatorBrowser, text_of

pytestmark = pytest.mark.gen_test
SESSION = "wechat_openid_session"
FACTORS = "/admin/me/factors"
SECOND = "/admin/sign-in/second"


@pytest.fixture
def requires_factor():
    return False


@pytest.fixture
def dashboard(dashboard, requires_factor):
    return replace(dashboard, ways=replace(dashboard.ways, requires_factor=requires_factor))


@pytest.fixture
def another_browser(http, dashboard_url):
    return OperatorBrowser(http, dashboard_url)


def last_entries(dashboard, count):
    return [
        (entry.operator, entry.action, entry.subject, entry.result, dict(entry.details))
        for entry in dashboard.audit.page(AuditQuery(limit=count)).entries
    ]


def secret_on(page):
    return re.search(r"<code>([A-Z2-7]{32})</code>", page)[1]


def code_now(secret, clock, steps=0):
    return pyotp.TOTP(secret).at(clock.now() + 30 * steps)


async def set_up(browser, clock):
    """Set an app up; return its secret and the recovery codes."""
    secret = secret_on(text_of(await browser.post(f"{FACTORS}/app/begin")))
    page = text_of(await browser.post(f"{FACTORS}/app", code=code_now(secret, clock)))
    return secret, re.findall(r"\b[a-z2-9]{4}(?:-[a-z2-9]{4}){3}\b", page)


@pytest.fixture
def ada(browser, add_operator, clock):
    """Ada's browser, with an app set up, the secret, and the recovery codes."""

    async def enter():
        add_operator("ada")
        await browser.sign_in("ada", PASSWORD)
        secret, codes = await set_up(browser, clock)
        clock.advance(30)
        return secret, codes

    return enter


async def test_an_app_is_set_up_by_a_code_of_it_and_asked_for_from_then_on(ada, another_browser, clock, dashboard):
    secret, codes = await ada()
    assert len(codes) == 10
    response = await another_browser.sign_in("ada", PASSWORD, next="/admin/users")
    assert (response.code, response.headers["Location"]) == (303, f"{SECOND}?next=%2Fadmin%2Fusers")
    assert SESSION not in another_browser.cookies
    assert "Code of your authenticator app" in text_of(await another_browser.get(SECOND))
    response = await another_browser.post(SECOND, code=code_now(secret, clock), next="/admin/users")
    assert (response.code, response.headers["Location"]) == (303, "/admin/users")
    assert SESSION in another_browser.cookies
    assert last_entries(dashboard, 3) == [
        ("ada", "sign_in", "", "success", {"by": "password and app"}),
        ("ada", "recovery_codes", "", "success", {}),
        ("ada", "factor_add", "", "success", {"factor": "app"}),
    ]


async def test_a_wrong_code_sets_nothing_up_and_the_secret_stays_the_same(browser, add_operator, dashboard):
    add_operator("ada")
    await browser.sign_in("ada", PASSWORD)
    secret = secret_on(text_of(await browser.post(f"{FACTORS}/app/begin")))
    for code in ("000000", "", "12345", "x" * 300, "１２３４５６"):
        response = await browser.post(f"{FACTORS}/app", code=code)
        assert response.code == 400
        assert secret_on(text_of(response)) == secret
    assert not dashboard.factors.of(dashboard.operators.find("ada")[0].id)


@pytest.mark.attack(
    "operators' accounts",
    "who can see an operator's pages later",
    "reading the secret of the authenticator app again",
    "it is on no page once the app is set up",
)
async def test_the_secret_is_on_no_page_after_set_up(ada, browser):
    secret, codes = await ada()
    for path in (FACTORS, "/admin/me", "/admin/operators", "/admin/audit"):
        page = text_of(await browser.get(path))
        assert secret not in page
        assert not any(code in page for code in codes)
    response = await browser.post(f"{FACTORS}/app/begin")
    assert "already" in await browser.notice(response)
    assert (await browser.post(f"{FACTORS}/app", code="000000")).code == 303


@pytest.mark.attack(
    "operators' accounts",
    "who has seen a code being typed, and knows the password",
    "the same code, or an earlier one, within its time (replay)",
    "each step of the app opens once, and none before it",
)
async def test_a_code_opens_once(ada, another_browser, browser, clock):
    secret, _ = await ada()
    code, earlier = code_now(secret, clock, 1), code_now(secret, clock)
    await another_browser.sign_in("ada", PASSWORD)
    assert (await another_browser.post(SECOND, code=code)).code == 303
    thief = OperatorBrowser(another_browser._client, another_browser.url)
    await thief.sign_in("ada", PASSWORD)
    for replayed in (code, earlier):
        response = await thief.post(SECOND, code=replayed)
        assert response.code == 401
        assert "This code is wrong, or was used before." in text_of(response)
    assert SESSION not in thief.cookies


async def test_a_recovery_code_opens_once(ada, another_browser, dashboard):
    _, codes = await ada()
    await another_browser.sign_in("ada", PASSWORD)
    assert (await another_browser.post(SECOND, code=codes[3].upper())).code == 303
    assert last_entries(dashboard, 1)[0][4] == {"by": "password and recovery code"}
    await another_browser.sign_in("ada", PASSWORD)
    assert (await another_browser.post(SECOND, code=codes[3])).code == 401
    assert last_entries(dashboard, 1) == [("", "sign_in", "ada", "refused", {"reason": "wrong code"})]
    assert "9 left." in text_of(await another_browser.get(FACTORS))


async def test_clocks_may_differ_by_a_step(clock):
    secret = pyotp.random_base32()
    now = clock.now()
    assert [step_of(secret, code_now(secret, clock, steps), now) for steps in (-2, -1, 0, 1, 2)] == [
        None,
        now // 30 - 1,
        now // 30,
        now // 30 + 1,
        None,
    ]
    code = code_now(secret, clock)
    assert step_of(secret, f" {code[:3]} {code[3:]}\n", now) == now // 30


@pytest.mark.attack(
    "operators' accounts",
    "who knows the password, and has as many addresses as needed",
    "trying codes until one is right",
    "ten attempts in a quarter of an hour from all addresses together; a known browser has its own",
)
async def test_codes_cannot_be_tried_from_many_addresses(ada, another_browser, browser, clock):
    secret, _ = await ada()
    await another_browser.sign_in("ada", PASSWORD)
    another_browser.cookies.pop("wechat_openid_known_browser", None)
    for number in range(10):
        response = await another_browser.get(SECOND, **{"X-Forwarded-For": f"198.51.{number}.1"})
        another_browser.headers["X-Forwarded-For"] = f"198.51.{number}.1"
        assert (await another_browser.post(SECOND, code="000000")).code == 401
    another_browser.headers["X-Forwarded-For"] = "192.0.2.77"
    response = await another_browser.post(SECOND, code=code_now(secret, clock))
    assert response.code == 429
    assert int(response.headers["Retry-After"]) > 0
    await browser.sign_in("ada", PASSWORD)
    assert (await browser.post(SECOND, code=code_now(secret, clock))).code == 303


@pytest.mark.attack(
    "operators' accounts",
    "who knows no password, or an old one",
    "going straight to the second factor, or staying there for long",
    "it is asked for only in the browser that has just given the right password",
)
async def test_the_second_step_needs_the_first(ada, another_browser, dashboard, clock, hashes, subtests):
    secret, _ = await ada()
    response = await another_browser.post(SECOND, code=code_now(secret, clock))
    assert (response.code, response.headers["Location"]) == (303, "/admin/sign-in")
    await another_browser.sign_in("ada", PASSWORD)
    kept = dict(another_browser.cookies)
    name = "wechat_openid_second_factor"
    ada_row = dashboard.operators.find("ada")[0]
    changes = {
        "altered": lambda: another_browser.cookies.update(
            {name: kept[name][:-1] + ("1" if kept[name][-1] == "0" else "0")}
        ),
        "the password was changed": lambda: dashboard.operators.set_password(
            "ada", hashes.hash(PASSWORD), ada_row.password_changed_at + 1
        ),
        "too late": lambda: clock.advance(601),
    }
    for change, make in changes.items():
        with subtests.test(change=change):
            another_browser.cookies.update(kept)
            assert (await another_browser.get(SECOND)).code == 200
            make()
            response = await another_browser.post(SECOND, code=code_now(secret, clock))
            assert (response.code, response.headers["Location"]) == (303, "/admin/sign-in")
            dashboard.operators.set_password("ada", hashes.hash(PASSWORD), ada_row.password_changed_at)
    assert SESSION not in another_browser.cookies


@pytest.mark.attack(
    "operators' browsers",
    "whoever writes a link",
    "a link to the second step whose `next` leads elsewhere (open redirect)",
    "it leads to a page of the dashboard or to its first one",
)
async def test_the_second_step_leads_nowhere_else(ada, another_browser, clock):
    secret, _ = await ada()
    await another_browser.sign_in("ada", PASSWORD, next="https://evil.example.com/")
    response = await another_browser.post(SECOND, code=code_now(secret, clock), next="//evil.example.com/admin/")
    assert response.headers["Location"] == "/admin/"


@pytest.mark.attack(
    "operators' accounts",
    "who has got hold of a session that began a while ago",
    "changing the second factors of its owner",
    "that is possible only shortly after signing in",
)
async def test_factors_are_changed_shortly_after_signing_in_only(ada, browser, clock, dashboard):
    await ada()
    clock.advance(16 * 60)
    for path in ("app/begin", "app", "app/remove", "recovery-codes", "passkeys/begin", "passkeys", "passkeys/remove"):
        response = await browser.post(f"{FACTORS}/{path}", code="1", id="1")
        assert "within 15 minutes of signing in" in await browser.notice(response)
    assert dashboard.factors.of(dashboard.operators.find("ada")[0].id).totp_since is not None


async def test_an_app_is_removed_and_the_password_is_enough_again(ada, browser, another_browser, dashboard):
    await ada()
    assert "has been removed" in await browser.notice(await browser.post(f"{FACTORS}/app/remove"))
    assert "no such second factor" in await browser.notice(await browser.post(f"{FACTORS}/app/remove"))
    assert "no such second factor" in await browser.notice(await browser.post(f"{FACTORS}/recovery-codes"))
    assert (await another_browser.sign_in("ada", PASSWORD)).headers["Location"] == "/admin/"
    assert ("ada", "factor_remove", "", "success", {"factor": "app"}) in last_entries(dashboard, 3)


async def test_new_recovery_codes_void_the_old(ada, browser, another_browser):
    _, old = await ada()
    page = text_of(await browser.post(f"{FACTORS}/recovery-codes"))
    assert old[0] not in page
    await another_browser.sign_in("ada", PASSWORD)
    assert (await another_browser.post(SECOND, code=old[0])).code == 401


@pytest.mark.parametrize("requires_factor", [True])
async def test_where_everybody_needs_one_nothing_else_is_possible_before(
    browser, another_browser, add_operator, clock, dashboard
):
    add_operator("ada")
    await browser.sign_in("ada", PASSWORD)
    for path in ("/admin/", "/admin/users", "/admin/operators", "/admin/me"):
        response = await browser.get(path)
        assert (response.code, response.headers["Location"]) == (303, FACTORS)
    response = await browser.post("/admin/operators/add", name="eve", role="owner")
    assert response.headers["Location"] == FACTORS
    assert dashboard.operators.find("eve") is None
    assert "everybody here needs one" in text_of(await browser.get(FACTORS))
    await set_up(browser, clock)
    assert (await browser.get("/admin/operators")).code == 200
    assert "last second factor" in await browser.notice(await browser.post(f"{FACTORS}/app/remove"))
    await another_browser.sign_in("ada", PASSWORD)
    assert (await another_browser.get(SECOND)).code == 200


async def test_an_owner_removes_the_factors_of_who_has_lost_them(ada, browser, signed_in, dashboard, another_browser):
    await ada()
    owner = signed_in()
    assert "second factor" in text_of(await owner.get("/admin/operators"))
    response = await owner.post("/admin/operators/factors", name="ada")
    assert "no second factors any more" in await owner.notice(response)
    assert (await browser.get("/admin/me")).code == 303, "the sessions have ended"
    assert (await another_browser.sign_in("ada", PASSWORD)).headers["Location"] == "/admin/"
    assert ("the-owner", "operator_factors", "ada", "success", {}) in last_entries(dashboard, 3)


async def test_nobody_but_an_owner_removes_the_factors_of_others(ada, signed_in, dashboard):
    await ada()
    response = await signed_in(Role.OPERATOR).post("/admin/operators/factors", name="ada")
    assert response.code == 403
    assert dashboard.factors.of(dashboard.operators.find("ada")[0].id)


async def test_operators_of_a_provider_have_none_here(signed_in, dashboard, browser, clock):
    entry = NewAuditEntry(at=clock.now(), operator="", action="operator_add", result="success")
    admitted = dashboard.provider_operators.admit(
        ProviderIdentity("https://login.example.com", "s", "ada"), Role.OWNER, clock.now(), added=entry, changed=entry
    )
    browser.cookies[SESSION] = dashboard.sessions.begin(admitted.id, clock.now(), "192.0.2.1", "a test")
    for path in (FACTORS, f"{FACTORS}/app/begin", f"{FACTORS}/passkeys/begin"):
        response = await (browser.get(path) if path == FACTORS else browser.post(path))
        assert response.code == 403
    assert "/admin/me/factors" not in text_of(await browser.get("/admin/me"))
