import codecs
import gzip
import json
import zlib
from urllib.parse import parse_qsl, urlsplit

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.wechat.endpoints import Endpoint
from service.wechat.errcodes import Kind
from service.wechat.errors import FaultReason, WeChatError, WeChatFault, WeChatRefusal
from service.wechat.protocol import (
    Account,
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


NO_IDENTIFIERS = [None, "", "\0", 0, -1, 17, True, [], {}]


def test_an_answer_without_openid_or_access_token_is_a_fault(subtests):
    for parse in [parse_token_reply, parse_refresh_reply]:
        for field, value in [
            *(("access_token", value) for value in NO_IDENTIFIERS),
            *(("openid", value) for value in [*NO_IDENTIFIERS, "a\u0000b", "某", "o" * 129]),
        ]:
            with subtests.test(parse=parse, field=field, value=value):
                for fields in ({**TOKENS, field: value}, {name: TOKENS[name] for name in TOKENS if name != field}):
                    with pytest.raises(WeChatFault, match=field) as caught:
                        parse(body(fields))
                    assert caught.value.reason is FaultReason.MALFORMED


@pytest.mark.parametrize(
    "spelling",
    [
        "7200",
        '"7200"',
        '"7200 "',
        '" 7200"',
        "7200.0",
        '"7200.0"',
        "7.2e3",
        '"7.2E3"',
        '"+7200"',
        '"007200"',
        '"7200\\u0000"',
    ],
)
def test_numbers_are_read_in_any_spelling(spelling):
    raw = body({**TOKENS, "expires_in": 0}).replace(b'"expires_in": 0', f'"expires_in": {spelling}'.encode())
    assert parse_token_reply(raw.replace(b"7200", b"300").replace(b"7.2", b"0.3")).expires_in == 300

    refusal = f'{{"errcode":{spelling},"errmsg":"x"}}'.replace("7200", "40029").replace("7.2", "40.029")
    with pytest.raises(WeChatRefusal) as caught:
        parse_token_reply(refusal.encode())
    assert caught.value.errcode == 40029


def test_a_lifetime_that_cannot_be_believed_is_the_documented_one(subtests):
    for spelling in [
        "0",
        '"0"',
        "-5",
        "null",
        '""',
        '"7200s"',
        '"二"',
        "7200.5",
        "1e30",
        "9" * 5000,
        '"1e999999999"',
        "2147483648",
        '"-"',
        *('"²"', "true", "[]", "{}", "NaN", "-Infinity", '"Infinity"', "1e-999999999", str(30 * 86_400 + 1)),
    ]:
        with subtests.test(spelling=spelling):
            raw = body({**TOKENS, "expires_in": 0}).replace(b'"expires_in": 0', f'"expires_in": {spelling}'.encode())

            assert parse_token_reply(raw).expires_in == 7200


@pytest.mark.parametrize("value", [None, "", 7, [], {}, True, "r" * 65_001])
def test_what_is_no_refresh_token_is_left_out(value):
    kept = {name: value for name, value in TOKENS.items() if name != "access_token"}
    reply = parse_token_reply(body({**kept, "access_token": "A", "refresh_token": value}))

    assert (reply.access_token, reply.refresh_token) == ("A", None)


@pytest.mark.parametrize("value", [None, "", 7, [], {}, "a\u0000b", "某", "u" * 129])
def test_what_is_no_unionid_is_left_out(value):
    assert parse_token_reply(body(TOKENS, unionid=value)).unionid is None
    assert parse_userinfo(body(PROFILE, unionid=value)).unionid is None


@pytest.mark.parametrize(
    ("scope", "canonical"),
    [
        ("snsapi_base", "snsapi_base"),
        ("snsapi_base,snsapi_userinfo,", "snsapi_base,snsapi_userinfo"),
        ("snsapi_userinfo, snsapi_base", "snsapi_base,snsapi_userinfo"),
        ("snsapi_userinfo\tsnsapi_base\n", "snsapi_base,snsapi_userinfo"),
        (["snsapi_userinfo", "snsapi_base"], "snsapi_base,snsapi_userinfo"),
        (",snsapi_base,,snsapi_base,", "snsapi_base"),
        ("snsapi_base\0", ""),
        ("", ""),
        (None, ""),
        (7, "7"),
        ({}, ""),
        (",".join(f"scope_{number}" for number in range(100)), ""),
    ],
)
def test_a_scope_is_a_set_of_names(scope, canonical):
    assert parse_token_reply(body(TOKENS, scope=scope)).scope == canonical
    assert parse_refresh_reply(body(TOKENS, scope=scope)).scope == canonical


def test_an_answer_without_a_scope_names_none():
    assert parse_token_reply(body({name: TOKENS[name] for name in TOKENS if name != "scope"})).scope == ""


@pytest.mark.parametrize(
    ("value", "is_snapshot"),
    [
        *((value, True) for value in (1, "1", 1.0, True, "true")),
        *((value, False) for value in (0, "0", False, None, "")),
    ],
)
def test_the_mark_of_a_snapshot_is_read_in_any_spelling(value, is_snapshot):
    assert parse_token_reply(body(TOKENS, is_snapshotuser=value)).is_snapshotuser is is_snapshot


def test_an_errcode_that_is_zero_or_no_number_is_none(subtests):
    for errcode in [None, "", "ok", 0, "0", " 0 ", 0.0, False, [], {}]:
        for parse in [parse_token_reply, parse_refresh_reply, parse_userinfo]:
            with subtests.test(errcode=errcode, parse=parse):
                assert parse(body({**TOKENS, **PROFILE}, errcode=errcode)).openid == TOKENS["openid"]


def compressed_raw(raw):
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(raw) + compressor.flush()


#: What proxies and faults on the way make of a reply, and what JSON of others' making looks like.
MANGLINGS = {
    "as it is": lambda raw: raw,
    "byte order mark": lambda raw: codecs.BOM_UTF8 + raw,
    "NUL behind": lambda raw: raw + b"\0",
    "blanks around": lambda raw: b"\r\n " + raw + b"\n\0\n",
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "deflate": compressed_raw,
    "brotli": brotli.compress,
    "UTF-16": lambda raw: raw.decode().encode("utf-16"),
    "UTF-16 LE": lambda raw: raw.decode().encode("utf-16-le"),
    "UTF-16 BE": lambda raw: raw.decode().encode("utf-16-be"),
    "UTF-32": lambda raw: raw.decode().encode("utf-32"),
    "UTF-16 in gzip": lambda raw: gzip.compress(raw.decode().encode("utf-16")),
    "byte that is not UTF-8": lambda raw: raw[:-1] + b',"x":"\xe7\x8e"}',
    "GB18030": lambda raw: raw.decode().encode("gb18030"),
    "control characters": lambda raw: raw[:-1] + b',"x":"\x01\x14\n"}',
    "bad escape": lambda raw: raw[:-1] + b',"x":"\\x41"}',
    "comma at the end": lambda raw: raw[:-1] + b",}",
    "brace missing": lambda raw: raw[:-1],
    "nested deeply": lambda raw: raw[:-1] + b',"x":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "huge number": lambda raw: raw[:-1] + b',"x":' + b"9" * 30_000 + b"}",
    "no number": lambda raw: raw[:-1] + b',"x":NaN,"y":-Infinity}',
    "empty twin of a field": lambda raw: raw[:-1] + b',"openid":"","access_token":null}',
    "in a list": lambda raw: b"[" + raw + b"]",
    "words behind": lambda raw: raw + b"<!-- proxy -->",
}


def test_an_answer_with_tokens_is_read_however_it_comes(subtests):
    for parse in [parse_token_reply, parse_refresh_reply]:
        for mangle in MANGLINGS.values():
            with subtests.test(parse=parse, mangle=mangle):
                assert parse(mangle(body(TOKENS))) == parse(body(TOKENS))


#: What only replies without words of users are read in spite of.
DAMAGES = {"bad escape", "comma at the end", "brace missing", "nested deeply"}


def test_a_profile_and_a_refusal_are_read_however_they_come(subtests):
    for name in [name for name in MANGLINGS if name not in DAMAGES]:
        with subtests.test(name=name):
            mangle = MANGLINGS[name]
            profile = parse_userinfo(mangle(body(PROFILE)))

            assert profile.openid == PROFILE["openid"]
            # GB18030 is read as UTF-8 as far as it can be.
            assert profile.nickname == PROFILE["nickname"] or name == "GB18030"
            with pytest.raises(WeChatRefusal) as caught:
                parse_userinfo(mangle(b'{"errcode":48001,"errmsg":"api unauthorized"}'))
            assert caught.value.errcode == 48001


def test_a_body_in_gbk_that_breaks_as_utf_8_is_read_as_gbk():
    raw = '{"openid":"o1","nickname":"縗"}'.encode("gbk")  # whose second byte is a backslash

    assert parse_userinfo(raw).nickname == "縗"


def test_single_fields_are_never_picked_out_of_a_profile_which_holds_words_of_users():
    with pytest.raises(WeChatFault):
        parse_userinfo(b'{"openid":"o1","nickname":"\\x","unionid":"oU1"}')


def test_what_grows_without_end_when_unpacked_is_not_unpacked_whole():
    with pytest.raises(WeChatFault):
        parse_token_reply(brotli.compress(b" " * 100_000_000))


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
        (b"7", "7"),
        (b"[]", ""),
        (b'"\xe7\x8e\x8b\xe5\xb0"', "王�"),  # cut inside a character
        (b'"' + b"x" * 300 + b'"', "x" * 255),  # as much as a store holds
    ]:
        with subtests.test(raw=raw, nickname=nickname):
            read = parse_userinfo(b'{"openid":"o1","nickname":' + raw + b"}").nickname

            assert read == nickname
            assert read.encode().decode() == nickname


@pytest.mark.parametrize(
    "url", ["", None, "javascript:alert(1)", "/relative", 7, "https://x/\u0001", "https://x/" + "a" * 2048]
)
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
            (b'{"errcode":' + b"9" * 60_000 + b"}", FaultReason.MALFORMED),
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


@given(
    st.dictionaries(st.sampled_from(["scope", "expires_in", "refresh_token", "unionid", "x"]), json_values),
    st.sampled_from(sorted(MANGLINGS)),
    st.randoms(use_true_random=False),
)
def test_an_answer_with_openid_and_access_token_is_read_whatever_else_it_says(others, mangling, random):
    fields = list({**others, "openid": TOKENS["openid"], "access_token": TOKENS["access_token"]}.items())
    random.shuffle(fields)
    reply = parse_token_reply(MANGLINGS[mangling](json.dumps(dict(fields)).encode()))

    assert (reply.openid, reply.access_token) == (TOKENS["openid"], TOKENS["access_token"])
    assert 0 < reply.expires_in <= 30 * 86_400
    assert len(reply.scope) <= 255
    assert reply.unionid is None or len(reply.unionid) <= 128


def test_what_holds_credentials_does_not_show_them():
    shown = repr(ACCOUNT) + repr(parse_token_reply(body(TOKENS)))

    for credential in (ACCOUNT.secret, TOKENS["access_token"], TOKENS["refresh_token"]):
        assert credential not in shown


@pytest.mark.parametrize(
    ("nickname", "read"),
    [
        ("李娜".encode("gb18030"), "李娜"),
        ("李娜".encode(), "李娜"),
        ("李娜😀".encode()[:-1], "李娜�"),
        ("😀".encode()[:-1], "�"),
        ("é".encode("latin-1"), "�"),
    ],
)
def test_a_nickname_is_read_in_the_encoding_that_it_has(nickname, read):
    assert parse_userinfo(b'{"openid":"%b","nickname":"%b"}' % (PROFILE["openid"].encode(), nickname)).nickname == read
