import json
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.wechat.errors import FaultReason, Kind, WeChatError, WeChatFault, WeChatRefusal
from service.wechat.protocol import (
    Account,
    Endpoint,
    TokenReply,
    UserInfo,
    auth_url,
    authorize_url,
    exchange_url,
    is_wellformed_code,
    parse_auth_reply,
    parse_refresh_reply,
    parse_token_reply,
    parse_userinfo,
    refresh_url,
    userinfo_url,
)

API = "https://api.weixin.qq.com"
ACCOUNT = Account("wx0123456789abcdef", "0123456789abcdef0123456789abcdef", "商城")
PARSERS = [parse_token_reply, parse_refresh_reply, parse_userinfo, parse_auth_reply]
TOKENS = {
    "access_token": "AT-" + "a_1" * 40,
    "expires_in": 7200,
    "refresh_token": "RT-" + "b_2" * 40,
    "openid": "o6_bmjrPTlm6_2sgVt7hMZOPfL2M",
    "scope": "snsapi_base",
}
PROFILE = {
    "openid": "o6_bmjrPTlm6_2sgVt7hMZOPfL2M",
    "nickname": "某某😀",
    "sex": 0,
    "province": "",
    "headimgurl": "https://thirdwx.qlogo.cn/mmopen/x/132",
    "privilege": [],
}


def body(fields, **changes):
    return json.dumps({**fields, **changes}, ensure_ascii=False).encode()


def test_urls_hold_their_parameters_in_the_order_of_wechat():
    assert exchange_url(API, ACCOUNT, "061-a_Z") == (
        f"{API}/sns/oauth2/access_token?appid=wx0123456789abcdef&secret=0123456789abcdef0123456789abcdef"
        "&code=061-a_Z&grant_type=authorization_code"
    )
    assert refresh_url(API, "wx1", "r-1") == (
        f"{API}/sns/oauth2/refresh_token?appid=wx1&grant_type=refresh_token&refresh_token=r-1"
    )
    assert userinfo_url(API, "t", "o", "zh_CN") == f"{API}/sns/userinfo?access_token=t&openid=o&lang=zh_CN"
    assert auth_url(API, "t", "o") == f"{API}/sns/auth?access_token=t&openid=o"


def test_authorize_url_keeps_the_order_that_the_page_compares():
    url = authorize_url(
        "https://open.example/authorize", "wx1", "https://h5.example/页?a=1&b=2#/r", "snsapi_base", "S1"
    )

    assert url == (
        "https://open.example/authorize?appid=wx1&redirect_uri=https%3A%2F%2Fh5.example%2F%E9%A1%B5%3Fa%3D1%26b%3D2"
        "%23%2Fr&response_type=code&scope=snsapi_base&state=S1#wechat_redirect"
    )


def test_extras_of_the_authorize_url_stand_between_state_and_fragment():
    url = authorize_url("p", "wx1", "r", "snsapi_userinfo", "S1", force_popup=True, force_snapshot=True)

    assert url.endswith("&state=S1&forcePopup=true&forceSnapShot=true#wechat_redirect")
    assert "forceSnapShot" not in authorize_url("p", "wx1", "r", "snsapi_userinfo", "S1", force_popup=True)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_any_value_survives_the_way_through_a_url(token, openid):
    url = userinfo_url(API, token, openid, "en")

    assert parse_qsl(urlsplit(url).query, keep_blank_values=True) == [
        ("access_token", token),
        ("openid", openid),
        ("lang", "en"),
    ]
    assert url.isascii()


@pytest.mark.parametrize("code", ["a", "061aBc_dE-f0", "x" * 128])
def test_codes_of_wechat_are_wellformed(code):
    assert is_wellformed_code(code)


def test_what_cannot_be_a_code_is_not_wellformed(subtests):
    for code in ["", "x" * 129, "a b", "a\n", "码", "a&b", "a%20", "１"]:
        with subtests.test(code=code):
            assert not is_wellformed_code(code)


def test_exchange_reply_is_read():
    reply = parse_token_reply(body(TOKENS, scope="snsapi_userinfo", is_snapshotuser=1, unionid="oU1", later="?"))

    assert reply == TokenReply(
        openid=TOKENS["openid"],
        scope="snsapi_userinfo",
        access_token=TOKENS["access_token"],
        refresh_token=TOKENS["refresh_token"],
        expires_in=7200,
        is_snapshotuser=True,
        unionid="oU1",
    )


def test_what_is_optional_in_an_exchange_may_be_missing_or_empty():
    for fields in (TOKENS, {**TOKENS, "unionid": "", "is_snapshotuser": 0}, {**TOKENS, "unionid": None, "errcode": 0}):
        reply = parse_token_reply(body(fields))
        assert reply.unionid is None
        assert reply.is_snapshotuser is False


def test_numbers_may_come_as_strings():
    reply = parse_token_reply(body(TOKENS, expires_in="300", is_snapshotuser="1", errcode="0"))
    assert (reply.expires_in, reply.is_snapshotuser) == (300, True)

    with pytest.raises(WeChatRefusal) as caught:
        parse_token_reply(b'{"errcode":"40029","errmsg":"invalid code"}')
    assert caught.value.errcode == 40029


def test_mandatory_field_of_an_exchange_that_is_missing_or_mistyped_is_a_fault(subtests):
    for field in TOKENS:
        for value in [None, "", 0, -1, True, [], {}, "a\u0000b", "某"]:
            with subtests.test(field=field, value=value):
                for fields in ({**TOKENS, field: value}, {name: TOKENS[name] for name in TOKENS if name != field}):
                    with pytest.raises(WeChatFault, match=field) as caught:
                        parse_token_reply(body(fields))
                    assert caught.value.reason is FaultReason.MALFORMED


def test_lifetime_that_is_not_one_is_a_fault(subtests):
    for seconds in [0, "0", -5, "", "7200s", "二", 7200.5, 10**30, "9" * 5000, 2**31, "-", "²"]:
        with subtests.test(seconds=seconds), pytest.raises(WeChatFault, match="expires_in"):
            parse_token_reply(body(TOKENS, expires_in=seconds))


def test_refresh_reply_may_leave_the_refresh_token_out():
    kept = {name: TOKENS[name] for name in TOKENS if name != "refresh_token"}

    assert parse_refresh_reply(body(kept)).refresh_token is None
    assert parse_refresh_reply(body(TOKENS)).refresh_token == TOKENS["refresh_token"]


def test_profile_is_read():
    assert parse_userinfo(body(PROFILE, unionid="oU1")) == UserInfo(
        TOKENS["openid"], "某某😀", "https://thirdwx.qlogo.cn/mmopen/x/132", "oU1"
    )


def test_nickname_is_made_fit_for_databases_and_pages(subtests):
    for raw, nickname in [
        (b'"a\x01b\nc\x7f"', "abc"),  # control characters as they are, which strict JSON forbids
        (b'"\\u0000x"', "x"),  # PostgreSQL stores no NUL
        (b'"\\ud83d"', "�"),  # half an emoji
        (b'"\\ud83d\\ude00"', "😀"),
        ('"👩‍👧"'.encode(), "👩‍👧"),  # joined by a character that is invisible and needed
        (b'""', ""),
        (b"null", ""),
    ]:
        with subtests.test(raw=raw, nickname=nickname):
            read = parse_userinfo(b'{"openid":"o1","nickname":' + raw + b"}").nickname

            assert read == nickname
            assert read.encode().decode() == nickname


@pytest.mark.parametrize("url", ["", None, "javascript:alert(1)", "/relative", 7, "https://x/\u0001"])
def test_avatar_that_is_not_a_web_address_is_left_out(url):
    assert parse_userinfo(body(PROFILE, headimgurl=url)).avatar_url == ""


def test_profile_without_openid_is_a_fault():
    with pytest.raises(WeChatFault, match="openid"):
        parse_userinfo(b'{"nickname":"x"}')


@pytest.mark.parametrize(
    ("errcode", "is_valid"), [(0, True), (40001, False), (40003, False), (40014, False), (42001, False)]
)
def test_auth_reply_tells_whether_a_token_is_valid(errcode, is_valid):
    assert parse_auth_reply(body({"errcode": errcode, "errmsg": ""})) is is_valid


@pytest.mark.parametrize("errcode", [-1, 45009, 40013, 50002, 99999])
def test_auth_reply_that_says_nothing_about_the_token_is_a_failure_to_ask(errcode):
    with pytest.raises(WeChatRefusal) as caught:
        parse_auth_reply(body({"errcode": errcode}), "wx1")
    assert (caught.value.errcode, caught.value.appid, caught.value.endpoint) == (errcode, "wx1", Endpoint.AUTH)


def test_what_is_not_a_reply_of_wechat_is_a_fault_to_be_retried(subtests):
    for parse in PARSERS:
        for raw, reason in [
            (b"", FaultReason.NOT_JSON),
            (b"<html></html>", FaultReason.NOT_JSON),
            (b"\xff\xfe\x00", FaultReason.NOT_JSON),
            (b"[" * 60_000, FaultReason.NOT_JSON),
            (b'{"errcode":' + b"9" * 60_000 + b"}", FaultReason.NOT_JSON),
            (b"null", FaultReason.MALFORMED),
            (b"[]", FaultReason.MALFORMED),
            (b"{}", FaultReason.MALFORMED),
            (b'{"errcode":null}', FaultReason.MALFORMED),
            (b'{"errcode":"x"}', FaultReason.MALFORMED),
            (b'{"errcode":true}', FaultReason.MALFORMED),
            (b'{"errcode":1e999}', FaultReason.MALFORMED),
        ]:
            with subtests.test(parse=parse, raw=raw, reason=reason):
                with pytest.raises(WeChatFault) as caught:
                    parse(raw)
                assert (caught.value.reason, caught.value.kind, caught.value.reply_started) == (
                    reason,
                    Kind.RETRY,
                    True,
                )
                assert caught.value.__cause__ is None
                assert caught.value.__context__ is None


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
json_values = scalars | st.lists(scalars, max_size=2) | st.dictionaries(st.text(max_size=3), scalars, max_size=2)
field_names = st.sampled_from([*TOKENS, *PROFILE, "errcode", "errmsg", "unionid", "is_snapshotuser"])


@given(st.sampled_from(PARSERS), st.binary(max_size=300))
def test_noise_never_raises_anything_but_the_errors_of_wechat(parse, noise):
    with pytest.raises(WeChatError):
        parse(noise)


@given(st.sampled_from(PARSERS), st.dictionaries(field_names, json_values, max_size=5), st.booleans())
def test_json_of_any_shape_gives_a_reply_or_one_of_the_errors_of_wechat(parse, fields, is_mostly_right):
    raw = json.dumps({**(TOKENS | PROFILE if is_mostly_right else {}), **fields}).encode()
    try:
        outcome = parse(raw)
    except WeChatError as error:
        outcome = error

    assert isinstance(outcome, TokenReply | UserInfo | bool | WeChatError)
    assert repr(outcome).encode()


def test_what_holds_credentials_does_not_show_them():
    shown = repr(ACCOUNT) + repr(parse_token_reply(body(TOKENS)))

    for credential in (ACCOUNT.secret, TOKENS["access_token"], TOKENS["refresh_token"]):
        assert credential not in shown
