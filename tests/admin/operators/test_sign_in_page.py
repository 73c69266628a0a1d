import asyncio
from dataclasses import replace
from html import escape
from pathlib import Path

import pytest

from admin.web.csrf import form_token
from service.runtime.app import make_private_app
from storage.sql.accounts.audit import AuditQuery
from storage.sql.accounts.operators import Role
from storage.sql.accounts.sessions import IDLE_SECONDS, LONGEST_SECONDS
from tests.admin.conftest import PASSWORD
from tests.admin.operator_browser import OperatorBrowser, text_of

pytestmark = pytest.mark.gen_test
SESSION = "wechat_openid_session"


@pytest.fixture
def another_browser(http, dashboard_url):
    return OperatorBrowser(http, dashboard_url)


def entries_of(dashboard):
    return dashboard.audit.page(AuditQuery()).entries


async def test_the_right_password_opens_the_dashboard(browser, add_operator):
    add_operator("ada")
    response = await browser.sign_in("ada", PASSWORD)
    assert (response.code, response.headers["Location"]) == (303, "/admin/")
    assert "ada" in text_of(await browser.get("/admin/me"))


@pytest.mark.attack(
    "operators' accounts",
    "whoever reaches the sign-in page",
    "finding out which names exist",
    "the same answer at the same cost",
)
async def test_nothing_tells_which_part_was_wrong(browser, add_operator, dashboard, hashes):
    add_operator("ada")
    add_operator("bob")
    dashboard.operators.disable("bob", 1)
    pages = []
    for name, password in (("ada", "a wrong password"), ("eve", PASSWORD), ("bob", PASSWORD)):
        before = hashes.checked
        response = await browser.sign_in(name, password)
        pages.append((response.code, text_of(response).replace(name, "NAME")))
        assert hashes.checked == before + 1, "an unknown name must cost what a known one does"
    assert pages[0] == pages[1] == pages[2]
    assert pages[0][0] == 401
    assert "Wrong user name or password." in pages[0][1]
    assert SESSION not in browser.cookies


async def test_each_attempt_is_written_down_without_what_was_typed_as_an_unknown_name(browser, add_operator, dashboard):
    add_operator("ada")
    await browser.sign_in("hunter2hunter2", "x")
    await browser.sign_in("ada", "x")
    await browser.sign_in("ada", PASSWORD)
    entries = entries_of(dashboard)
    assert [(entry.operator, entry.subject, entry.result, entry.details) for entry in entries] == [
        ("ada", "", "success", {"by": "password"}),
        ("", "ada", "refused", {"reason": "wrong password"}),
        ("", "", "refused", {"reason": "unknown name"}),
    ]
    assert {(entry.address, entry.user_agent) for entry in entries} == {("127.0.0.1", "a browser")}
    assert all(entry.request_id for entry in entries)
    assert "hunter2" not in repr(entries)


@pytest.mark.attack(
    "operators' accounts",
    "who planted or copied a session cookie",
    "it is used after signing in or out",
    "it opens nothing",
)
async def test_the_session_id_is_renewed_at_sign_in(browser, add_operator):
    add_operator("ada")
    browser.cookies[SESSION] = "chosen-by-somebody-else"
    await browser.sign_in("ada", PASSWORD)
    first = browser.cookies[SESSION]
    assert first != "chosen-by-somebody-else"
    await browser.sign_in("ada", PASSWORD)
    second = browser.cookies[SESSION]
    assert second != first
    browser.cookies[SESSION] = first
    assert (await browser.get("/admin/me")).code == 303, "the session before it must have ended"


@pytest.mark.attack(
    "operators' accounts",
    "who planted or copied a session cookie",
    "it is used after signing in or out",
    "it opens nothing",
)
async def test_signing_out_ends_the_session_on_the_server(browser, add_operator):
    add_operator("ada")
    await browser.sign_in("ada", PASSWORD)
    token = browser.cookies[SESSION]
    assert (await browser.post("/admin/sign-out")).headers["Location"] == "/admin/sign-in"
    assert SESSION not in browser.cookies
    browser.cookies[SESSION] = token
    assert (await browser.get("/admin/me")).code == 303


async def test_a_session_ends_when_it_is_not_used(browser, add_operator, clock):
    add_operator("ada")
    await browser.sign_in("ada", PASSWORD)
    for _ in range(3):
        clock.advance(IDLE_SECONDS - 1)
        assert (await browser.get("/admin/me")).code == 200
    clock.advance(IDLE_SECONDS)
    assert (await browser.get("/admin/me")).code == 303


async def test_a_session_ends_in_any_case(browser, add_operator, clock):
    add_operator("ada")
    await browser.sign_in("ada", PASSWORD)
    for _ in range(LONGEST_SECONDS // 1200 - 1):
        clock.advance(1200)
        assert (await browser.get("/admin/me")).code == 200
    clock.advance(1200)
    assert (await browser.get("/admin/me")).code == 303


async def test_a_role_taken_away_is_gone_at_the_next_request(signed_in, dashboard):
    signed_in(Role.OWNER)
    operator = signed_in(Role.OPERATOR)
    assert (await operator.get("/admin/audit")).code == 200
    dashboard.operators.set_role("the-operator", Role.VIEWER)
    assert (await operator.get("/admin/audit")).code == 403


async def test_a_disabled_operator_is_out_at_the_next_request(signed_in, dashboard, clock):
    signed_in(Role.OWNER)
    operator = signed_in(Role.OPERATOR)
    dashboard.operators.disable("the-operator", clock.now())
    assert (await operator.get("/admin/audit")).code == 303


async def test_a_name_is_throttled_before_its_password_is_hashed(browser, add_operator, hashes, dashboard):
    add_operator("ada")
    for _ in range(10):
        assert (await browser.sign_in("ada", "x")).code == 401
    before = hashes.checked
    for _ in range(3):
        response = await browser.sign_in("ada", PASSWORD)
        assert response.code == 429
        assert 0 < int(response.headers["Retry-After"]) <= 900
    assert hashes.checked == before
    refusals = [entry for entry in entries_of(dashboard) if entry.details == {"reason": "too many attempts"}]
    assert len(refusals) == 1, "a flood must not fill the log"


async def test_names_are_throttled_alike_whether_they_exist_or_not(browser, add_operator):
    add_operator("ada")
    codes = {}
    for name in ("ada", "eve"):
        codes[name] = [(await browser.sign_in(name, "x")).code for _ in range(12)]
    assert codes["ada"] == codes["eve"] == [401] * 10 + [429] * 2


async def test_an_address_is_throttled_whatever_names_it_tries(browser, add_operator):
    add_operator("ada")
    codes = [(await browser.sign_in(f"name-{number}", "x")).code for number in range(31)]
    assert codes == [401] * 30 + [429]
    assert (await browser.sign_in("ada", PASSWORD)).code == 429


async def test_the_throttle_opens_again(browser, add_operator, clock):
    add_operator("ada")
    for _ in range(11):
        refused = await browser.sign_in("ada", "x")
    clock.advance(int(refused.headers["Retry-After"]))
    assert (await browser.sign_in("ada", PASSWORD)).code == 303


async def test_the_right_password_forgives_earlier_slips(browser, add_operator):
    add_operator("ada")
    for _ in range(2):
        for _ in range(9):
            await browser.sign_in("ada", "x")
        assert (await browser.sign_in("ada", PASSWORD)).code == 303
        await browser.post("/admin/sign-out")


async def test_attempts_at_once_do_not_slip_past_the_throttle(browser, add_operator):
    add_operator("ada")
    token = await browser.form_token()
    attempts = [browser.post("/admin/sign-in", token=token, name="ada", password="x") for _ in range(20)]
    codes = [response.code for response in await asyncio.gather(*attempts)]
    assert sorted(codes) == [401] * 10 + [429] * 10


async def test_signing_in_leads_nowhere_else(browser, add_operator):
    add_operator("ada")
    elsewhere = [
        "//evil.example",
        "https://evil.example/admin/",
        "/\\evil.example",
        "/admin/\\evil.example",
        "/admin",
        "javascript:alert(1)",
        "/admin/\r\nSet-Cookie: a=b",
        "/admin/\r\nLocation: https://evil.example",
        "/admin/\n",
        "/admin/<script>",
        "/administrator/",
        "",
    ]
    for path in elsewhere:
        response = await browser.sign_in("ada", PASSWORD, next=path)
        assert (response.code, response.headers["Location"]) == (303, "/admin/"), path
        assert "a" not in browser.cookies


async def test_signing_in_leads_back_to_the_page_that_was_asked_for(browser, add_operator):
    add_operator("ada")
    page = "/admin/audit?operator=ada&action=sign_in"
    asked = await browser.get(page)
    form = text_of(await browser.get(asked.headers["Location"]))
    assert f'name="next" value="{escape(page)}"' in form
    assert (await browser.sign_in("ada", PASSWORD, next=page)).headers["Location"] == page


async def test_who_is_signed_in_is_not_asked_again(signed_in):
    response = await signed_in().get("/admin/sign-in?next=/admin/me")
    assert (response.code, response.headers["Location"]) == (303, "/admin/me")


async def test_a_form_of_the_sign_in_page_fits_only_the_browser_it_was_made_for(browser, another_browser, add_operator):
    add_operator("ada")
    token = await another_browser.form_token()
    assert (await browser.post("/admin/sign-in", token=token, name="ada", password=PASSWORD)).code == 403


async def test_what_is_typed_as_a_name_is_shown_as_text(browser):
    markup = '"><script>alert(1)</script>'
    page = text_of(await browser.sign_in(markup, "x"))
    assert "<script>alert" not in page
    assert escape(markup) in page


async def test_any_text_can_be_tried(browser):
    names = ["n" * 5000, "\0", "名字", "\x85\u202e", "ada\r\nX: y"]
    passwords = ["", "p" * 5000, "\0", "密码"]
    assert {(await browser.sign_in(name, password)).code for name in names for password in passwords} == {401}


async def test_cookies_are_kept_from_scripts_and_other_sites(browser, add_operator):
    add_operator("ada")
    response = await browser.sign_in("ada", PASSWORD)
    [line] = [one for one in response.headers.get_list("Set-Cookie") if one.startswith(SESSION)]
    assert {"HttpOnly", "Path=/", "SameSite=Lax"} <= {part.strip() for part in line.split(";")}
    assert "Secure" not in line, "plain http could not keep it"
    assert "Domain" not in line


async def test_the_database_holds_no_session_id_and_no_password(browser, add_operator, settings):
    add_operator("ada")
    await browser.sign_in("ada", PASSWORD)
    await browser.sign_in("ada", "another wrong password")
    folder = settings.database_url.removeprefix("sqlite:///").rpartition("/")[0]

    content = b"".join(path.read_bytes() for path in Path(folder).glob("*.db*"))
    assert browser.cookies[SESSION].encode() not in content
    assert PASSWORD.encode() not in content
    assert b"another wrong password" not in content


async def test_the_page_speaks_the_language_that_is_asked_for_and_remembers_it(browser):
    assert 'lang="en"' in text_of(await browser.get("/admin/sign-in"))
    browser.headers["Accept-Language"] = "zh-CN,zh;q=0.9"
    page = text_of(await browser.get("/admin/sign-in"))
    assert 'lang="zh-CN"' in page
    assert "登录" in page
    assert 'lang="en"' in text_of(await browser.get("/admin/sign-in?lang=en"))
    assert 'lang="en"' in text_of(await browser.get("/admin/sign-in"))
    assert 'lang="en"' in text_of(await browser.get("/admin/sign-in?lang=../../etc"))


@pytest.mark.parametrize(("language", "words"), [("en", "There is no operator yet."), ("zh-CN", "还没有操作员账号。")])
async def test_until_there_is_an_operator_the_form_says_how_to_add_one(browser, add_operator, language, words):
    command = "wechat-openid operators add NAME"
    shown = text_of(await browser.get("/admin/sign-in", **{"Accept-Language": language}))
    assert (words in shown, command in shown) == (True, True)
    add_operator("ada")
    shown = text_of(await browser.get("/admin/sign-in", **{"Accept-Language": language}))
    assert (words in shown, command in shown) == (False, False)


async def test_where_passwords_are_off_the_right_one_opens_nothing(http, service, dashboard, serve, add_operator):
    add_operator("ada")
    ways = replace(dashboard.ways, takes_passwords=False)
    app = make_private_app(replace(service, dashboard=replace(dashboard, ways=ways)))
    browser = OperatorBrowser(http, await serve(app))
    assert 'name="password"' not in text_of(await browser.get("/admin/sign-in"))
    response = await browser.post("/admin/sign-in", token=await visitor_token(browser), name="ada", password=PASSWORD)
    assert response.code == 403
    assert SESSION not in browser.cookies


async def visitor_token(browser):
    await browser.get("/admin/sign-in")
    return form_token(browser.cookies.setdefault("wechat_openid_visitor", "a browser's own secret"))
