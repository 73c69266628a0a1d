"""Several calls of the helper on one page: what one does never changes what another gets."""

import base64
import json
import re

import pytest

from tests.browser.test_h5_flow import APPID, ENTRY, result, signed_link

pytestmark = pytest.mark.usefixtures("from_the_beginning")


@pytest.fixture
def signed_in(stack, page):
    page.goto(f"{stack.allowed}{ENTRY}")
    return result(page)


def test_two_logins_on_load_are_one_round_and_one_answer(stack, page):
    page.goto(f"{stack.allowed}/twice.html")
    page.wait_for_function("window.outcomes && window.outcomes.length === 2")
    first, second = page.evaluate("window.outcomes")
    assert first == second
    assert first["openid"]
    assert stack.exchanges() == 1
    assert stack.control("calls")["authorize"]["calls"] == 1


def test_what_a_caller_does_to_its_reply_stays_its_own(page, signed_in):
    outcome = page.evaluate(
        """() => WechatOpenid.login().then((reply) => {
            reply.openid = 'spoiled';
            return WechatOpenid.login().then((again) => again.openid);
        })"""
    )
    assert outcome == signed_in["openid"]
    both = page.evaluate(
        """() => Promise.all([WechatOpenid.login(), WechatOpenid.login()]).then(([one, two]) => {
            one.openid = 'spoiled';
            return two.openid;
        })"""
    )
    assert both == signed_in["openid"]


def test_another_server_of_one_call_is_not_that_of_the_next(page, signed_in):
    outcome = page.evaluate(
        """() => WechatOpenid.userinfo({server: 'http://127.0.0.1:1'}).then(() => 'answered', (error) => error.error)
            .then((elsewhere) => WechatOpenid.login().then((reply) => [elsewhere, reply.openid]))"""
    )
    assert outcome == ["network", signed_in["openid"]]


def test_a_sign_out_elsewhere_keeps_the_reply_of_this_server(page, signed_in):
    outcome = page.evaluate(
        """() => WechatOpenid.logout({server: 'http://127.0.0.1:1'}).then(null, () => null)
            .then(() => WechatOpenid.login()).then((reply) => reply.openid)"""
    )
    assert outcome == signed_in["openid"]


def test_a_login_for_another_account_is_not_answered_with_this_ones_visitor(stack, page, signed_in):
    page.evaluate("void WechatOpenid.login({appid: 'wx-another'})")
    page.wait_for_url(f"{stack.service}/authorize?**")
    assert page.text_content("h1") == "微信授权未完成"
    page.goto(f"{stack.allowed}{ENTRY}?manual")
    page.evaluate("window.count = 0")
    assert page.evaluate("WechatOpenid.login().then((reply) => reply.openid)") == signed_in["openid"]
    assert page.evaluate("window.count") == 0  # the page was not left


def test_the_answer_belongs_to_the_call_that_left_whoever_comes_first(stack, page):
    page.goto(f"{stack.allowed}{ENTRY}?manual")
    page.evaluate(f"void WechatOpenid.login({{appid: '{APPID}'}})")
    page.wait_for_url(re.compile("[?&]code="))
    # Of another account, which this service does not know: it takes nothing away from the call that left.
    page.evaluate("void WechatOpenid.login({appid: 'wx-another'})")
    page.wait_for_url(f"{stack.service}/authorize?**")
    page.goto(f"{stack.allowed}{ENTRY}?manual")
    assert page.evaluate(f"WechatOpenid.login({{appid: '{APPID}'}}).then((reply) => reply.openid)")
    assert stack.exchanges() == 1


def test_each_caller_gets_the_identity_token_that_it_asks_for(stack, page):
    page.goto(signed_link(stack, page, "?manual"))
    tokens = page.evaluate(
        """() => Promise.all([{}, {id_token: true, nonce: 'one'}, {id_token: true, nonce: 'two'}, {id_token: true}]
            .map((options) => WechatOpenid.login(options).then((reply) => reply.id_token || null)))"""
    )
    claims = [token and json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "==")) for token in tokens]
    assert [claim and claim.get("nonce") for claim in claims] == [None, "one", "two", None]
    assert [claim is None for claim in claims] == [True, False, False, False]
    assert stack.exchanges() == 1


def test_an_argument_that_makes_no_sense_rejects(page, signed_in):
    outcome = page.evaluate(
        """() => { try {
            return WechatOpenid.login({server: {toString: null}}).then(() => 'resolved', () => 'rejected');
        } catch (error) { return 'thrown'; } }"""
    )
    assert outcome == "rejected"
