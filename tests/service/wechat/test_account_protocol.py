import json

import pytest

from service.wechat.account_protocol import (
    parse_stable_token,
    parse_ticket,
    sign_jsapi,
    stable_token_body,
    ticket_url,
)
from service.wechat.endpoints import Endpoint
from service.wechat.errcodes import Kind
from service.wechat.errors import WeChatFault, WeChatRefusal
from service.wechat.protocol import Account

ACCOUNT = Account("wx51a7ed0000000001", "51a7ed00c0ffee0051a7ed00c0ffee00")
#: Of JS-SDK 说明文档, 附录 1.
TICKET = "sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg"
NONCE, TIMESTAMP, URL = "Wm3WZYTPz0wzccnW", 1414587457, "http://mp.weixin.qq.com?params=value"


def test_the_signature_is_that_of_the_documents_sample():
    assert sign_jsapi(TICKET, NONCE, TIMESTAMP, URL) == "0f9de62fce790f9a083d5c99e95740ceb90c27ed"


def test_what_begins_with_a_hash_is_not_signed():
    signed = sign_jsapi(TICKET, NONCE, TIMESTAMP, URL)
    assert sign_jsapi(TICKET, NONCE, TIMESTAMP, f"{URL}#/route?a=b#c") == signed
    assert sign_jsapi(TICKET, NONCE, TIMESTAMP, f"{URL}&code=1") != signed


def test_the_body_is_the_documented_one():
    assert json.loads(stable_token_body(ACCOUNT, force=False)) == {
        "grant_type": "client_credential",
        "appid": ACCOUNT.appid,
        "secret": ACCOUNT.secret,
        "force_refresh": False,
    }
    assert json.loads(stable_token_body(ACCOUNT, force=True))["force_refresh"] is True


def test_the_token_is_encoded_in_the_address_of_a_ticket():
    url = ticket_url("https://api.weixin.qq.com", "a+b&c=", "jsapi")
    assert url == "https://api.weixin.qq.com/cgi-bin/ticket/getticket?access_token=a%2Bb%26c%3D&type=jsapi"


def test_replies_are_read_leniently(subtests):
    long = "t" * 512
    for body, expected in [
        ({"access_token": long, "expires_in": 7200}, 7200),
        ({"access_token": long, "expires_in": 345}, 345),
        ({"access_token": long, "expires_in": "345"}, 345),
        ({"access_token": long}, 7200),
        ({"access_token": long, "expires_in": 0}, 7200),
        ({"access_token": long, "expires_in": 10**9}, 7200),
        ({"errcode": 0, "errmsg": "ok", "access_token": long, "expires_in": 5, "more": {"x": 1}}, 5),
    ]:
        with subtests.test(body=body):
            reply = parse_stable_token(json.dumps(body).encode())
            assert (reply.value, reply.expires_in) == (long, expected)
            assert long not in repr(reply)
    ticket = parse_ticket(b'{"errcode":0,"errmsg":"ok","ticket":"kept","expires_in":7200}')
    assert (ticket.value, ticket.expires_in) == ("kept", 7200)


@pytest.mark.parametrize("parse", [parse_stable_token, parse_ticket])
def test_what_is_no_credential_is_a_fault(parse, subtests):
    for body in (
        b"",
        b"[]",
        b"{}",
        b'{"errcode":0}',
        b'{"access_token":7,"ticket":7}',
        b'{"access_token":"","ticket":""}',
    ):
        with subtests.test(body=body), pytest.raises(WeChatFault):
            parse(body, ACCOUNT.appid)


def test_refusals_say_what_to_do_and_which_address_is_missing():
    with pytest.raises(WeChatRefusal) as caught:
        parse_stable_token(
            b'{"errcode":40164,"errmsg":"invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist rid: 1-2-3"}',
            ACCOUNT.appid,
        )
    assert "203.0.113.9" in str(caught.value)
    assert "IP list" in str(caught.value)
    assert "IP 白名单" in caught.value.remedy_in("zh_CN")


def test_a_token_that_is_not_the_latest_is_told_from_a_wrong_secret():
    body = (
        b'{"errcode":40001,"errmsg":"invalid credential, access_token is invalid or not latest, could get access_token '
        b'by getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r rid: 1-2-3"}'
    )
    with pytest.raises(WeChatRefusal) as of_ticket:
        parse_ticket(body, ACCOUNT.appid)
    assert of_ticket.value.kind is Kind.REFRESH
    assert "force_refresh" in of_ticket.value.remedy
    assert "AppSecret" not in of_ticket.value.remedy
    with pytest.raises(WeChatRefusal) as of_token:
        parse_stable_token(b'{"errcode":40001,"errmsg":"invalid credential"}', ACCOUNT.appid)
    assert of_token.value.kind is Kind.CONFIGURATION
    assert "AppSecret" in of_token.value.remedy
    assert {error.endpoint for error in (of_ticket.value, of_token.value)} == {Endpoint.TICKET, Endpoint.STABLE_TOKEN}
