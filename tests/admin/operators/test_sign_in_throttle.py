"""Who can keep whom from signing in: nobody, but themselves."""

import asyncio

import pytest
from argon2 import PasswordHasher

from admin.operators.known_browsers import KNOWN_FOR_DAYS, KnownBrowsers
from admin.operators.sign_in_throttle import Attempt, Throttled
from storage.base.passwords import PasswordHashes
from storage.sql.accounts.audit import AuditQuery
from tests.admin.conftest import PASSWORD
from tests.admin.operator_browser import OperatorBrowser
from tests.waiting import until

pytestmark = pytest.mark.attack(
    "operators' accounts",
    "whoever reaches the sign-in page",
    "a flood of wrong passwords, to keep the owner out",
    "who comes from elsewhere, or has signed in before in that browser, gets in",
)
KNOWN = "wechat_openid_known_browser"


@pytest.fixture
def throttle(dashboard):
    return dashboard.throttle


@pytest.fixture
def known_browsers(clock):
    return KnownBrowsers({1: b"k" * 32}, clock)


def outcomes(throttle, attempts):
    """Return how many attempts were let through."""
    passed = 0
    for attempt in attempts:
        try:
            throttle.check(attempt)
            passed += 1
        except Throttled:
            pass
    return passed


def test_strangers_of_many_addresses_do_not_spend_what_others_have(throttle):
    strangers = [Attempt("ada", f"203.{number // 250}.{number % 250}.9") for number in range(150) for _ in range(4)]
    outcomes(throttle, strangers)
    assert throttle.check(Attempt("ada", "198.51.100.7")) is False, "in a flood nothing is worth an entry"
    assert throttle.check(Attempt("ada", "2001:db8:1::7")) is False


def test_a_flood_makes_the_budget_of_each_network_smaller(throttle):
    assert outcomes(throttle, [Attempt("ada", "198.51.100.7")] * 20) == 10
    outcomes(throttle, [Attempt(f"n{number}", f"203.0.{number}.1") for number in range(200) for _ in range(2)])
    assert outcomes(throttle, [Attempt("eve", "192.0.2.1")] * 20) == 3


def test_a_customer_with_many_prefixes_is_one_customer(throttle):
    assert outcomes(throttle, [Attempt(f"n{n}", f"2001:db8:7:{n:x}::1") for n in range(200)]) == 90
    assert outcomes(throttle, [Attempt(f"m{n}", f"203.0.113.{n}") for n in range(200)]) == 90


def test_a_known_browser_has_a_budget_of_its_own(throttle):
    outcomes(throttle, [Attempt("ada", "198.51.100.7")] * 50)
    assert outcomes(throttle, [Attempt("ada", "198.51.100.7", "this browser")] * 20) == 10


def test_addresses_of_any_form_are_counted(throttle):
    for address in ("", "fe80::1%eth0", "a name", "::ffff:10.0.0.1", "x" * 300):
        assert throttle.check(Attempt("ada", address))


def test_a_browser_is_known_for_one_name_and_a_while(known_browsers, clock):
    kept = known_browsers.remember("ada")
    assert known_browsers.recognize(kept, "ada")
    assert known_browsers.recognize(known_browsers.remember("ada"), "ada") != known_browsers.recognize(kept, "ada")
    of_another_key = KnownBrowsers({1: b"x" * 32}, clock).remember("ada")
    for forged in (None, "", "x", kept[:-1], kept[:-2] + "00", "2|1:0|" * 200, of_another_key):
        assert known_browsers.recognize(forged, "ada") is None
    assert known_browsers.recognize(kept, "bob") is None
    clock.advance(KNOWN_FOR_DAYS * 86_400 + 1)
    assert known_browsers.recognize(kept, "ada") is None


@pytest.mark.gen_test
async def test_who_has_signed_in_here_before_gets_in_through_a_flood(browser, add_operator, http, dashboard_url):
    add_operator("ada")
    await browser.sign_in("ada", PASSWORD)
    await browser.post("/admin/sign-out")
    stranger = OperatorBrowser(http, dashboard_url)
    codes = {(await stranger.sign_in("ada", "x")).code for _ in range(40)}
    assert codes == {401, 429}
    assert (await stranger.sign_in("ada", PASSWORD)).code == 429
    assert KNOWN in browser.cookies
    assert (await browser.sign_in("ada", PASSWORD)).code == 303


@pytest.mark.gen_test
async def test_another_address_gets_in_through_a_flood(browser, add_operator, dashboard):
    add_operator("ada")
    for number in range(120):
        for _ in range(3):
            dashboard.throttle.check(Attempt("ada", f"203.{number}.113.5"))
    assert (await browser.sign_in("ada", PASSWORD)).code == 303


@pytest.mark.gen_test
async def test_a_flood_does_not_fill_the_log(browser, add_operator, dashboard):
    add_operator("ada")
    for number in range(120):
        dashboard.throttle.check(Attempt("ada", f"203.{number}.113.5"))
    for _ in range(5):
        await browser.sign_in("ada", "x")
    assert not dashboard.audit.page(AuditQuery()).entries


@pytest.mark.gen_test
async def test_a_changed_password_is_not_held_up_by_strangers(signed_in, dashboard):
    owner = signed_in()
    outcomes(dashboard.throttle, [Attempt("the-owner", "127.0.0.1")] * 40)
    new = "seven violet lanterns"
    response = await owner.post("/admin/me/password", current=PASSWORD, new=new, again=new)
    assert await owner.notice(response) == "Your password has been changed. Your other sessions have ended."


@pytest.mark.gen_test
async def test_a_hash_of_older_parameters_is_renewed_at_sign_in(browser, dashboard, clock, hashes):
    old = PasswordHashes(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)).hash(PASSWORD)
    dashboard.operators.add("ada", old, "owner", clock.now())
    await browser.sign_in("ada", "a wrong password")
    assert dashboard.operators.find("ada")[1] == old
    assert (await browser.sign_in("ada", PASSWORD)).code == 303
    operator, renewed = dashboard.operators.find("ada")
    assert renewed != old
    assert not hashes.is_outdated(renewed)
    assert hashes.verify(renewed, PASSWORD)
    assert operator.password_changed_at == clock.now(), "it is the same password"
    assert (await browser.sign_in("ada", PASSWORD)).code == 303
    assert dashboard.operators.find("ada")[1] == renewed


@pytest.mark.gen_test
async def test_a_known_browser_does_not_queue_behind_strangers(browser, add_operator, hashes, http, dashboard_url):
    add_operator("ada")
    await browser.sign_in("ada", PASSWORD)
    await browser.post("/admin/sign-out")
    strangers = [OperatorBrowser(http, dashboard_url) for _ in range(5)]
    tokens = [await stranger.form_token() for stranger in strangers]
    with hashes.held(PASSWORD + "?"):
        attempts = [
            asyncio.ensure_future(stranger.post("/admin/sign-in", token=token, name="ada", password=PASSWORD + "?"))
            for stranger, token in zip(strangers, tokens, strict=True)
        ]
        await until(lambda: hashes.waiting == 2)
        assert (await browser.sign_in("ada", PASSWORD)).code == 303
        assert not any(attempt.done() for attempt in attempts)
    assert {answer.code for answer in await asyncio.gather(*attempts)} == {401}
