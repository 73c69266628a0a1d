import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.wechat.endpoints import Endpoint
from service.wechat.errcodes import Kind
from service.wechat.errors import FaultReason, WeChatError, WeChatFault, WeChatRefusal

APPID = "wx0123456789abcdef"


def refusal(errmsg, errcode=40163):
    return WeChatRefusal(Endpoint.EXCHANGE, APPID, errcode, errmsg)


def test_words_of_wechat_are_split_from_the_rid(subtests):
    for errmsg, text, rid in [
        (
            "code been used, rid: 6206378a-793424c0-2e4091cc",
            "code been used",
            "6206378a-793424c0-2e4091cc",
        ),
        ("code been used, hints: [req_id: s3ClBa0052th26 ]", "code been used", "s3ClBa0052th26"),
        ("api unauthorized, hints: [ req_id: dhKB244ce-0jxEla ]", "api unauthorized", "dhKB244ce-0jxEla"),
        ("req id: BXk0ha0815ns55, invalid code", "invalid code", "BXk0ha0815ns55"),
        ("invalid code, req_id: BXk0ha0815ns55", "invalid code", "BXk0ha0815ns55"),
        ("api unauthorized hints: [jHmbeZXMRa-Rkng4a!]", "api unauthorized", "jHmbeZXMRa-Rkng4a"),
        ("appid missing hint: [Ln36_0041e575]", "appid missing", "Ln36_0041e575"),
        ("invalid appid, hints: [ Ln36_0041e575 ]", "invalid appid", "Ln36_0041e575"),
        (
            "not registered hint: [ZJ6NTA0211e578] requestIP: 58.1.2.3",
            "not registered requestIP: 58.1.2.3",
            "ZJ6NTA0211e578",
        ),
        ("invalid code, RID：6206378a-793424c0-2e4091cc", "invalid code", "6206378a-793424c0-2e4091cc"),
        ("invalid grant_type\n, rid: 65aa2cd5-0345a3f6-5c30965c", "invalid grant_type", "65aa2cd5-0345a3f6-5c30965c"),
        ("a hint: of words", "a hint: of words", None),
        ("invalid code", "invalid code", None),
        ("", "", None),
        ("a grid: of words", "a grid: of words", None),
        ("two\nlines\x00 and\x1b[31m colour", "two lines and[31m colour", None),
        (
            "invalid ip 203.0.113.9, not in whitelist rid: 1a-2b-3c",
            "invalid ip 203.0.113.9, not in whitelist",
            "1a-2b-3c",
        ),
    ]:
        with subtests.test(errmsg=errmsg, text=text, rid=rid):
            error = refusal(errmsg)
            assert (error.errmsg, error.rid) == (text, rid)


def test_a_rid_in_a_field_of_its_own_is_found_and_is_no_way_in_for_a_credential():
    rid = "6363877b-5c6d3083-27a85aff"

    assert WeChatRefusal(Endpoint.USERINFO, APPID, 48001, "api unauthorized", rid=rid).rid == rid
    assert WeChatRefusal(Endpoint.USERINFO, APPID, 48001, "x, rid: 1a-2b-3c", rid=rid).rid == "1a-2b-3c"
    assert WeChatRefusal(Endpoint.USERINFO, APPID, 48001, "x", rid="aB3_-9" * 20).rid is None


@pytest.mark.parametrize("reason", FaultReason)
def test_a_fault_of_an_exchange_sends_the_user_through_the_authorize_page_again(reason):
    fault = WeChatFault(Endpoint.EXCHANGE, APPID, reason, reply_started=True)

    assert "authorize page again" in fault.remedy
    assert "重新进入授权页面" in fault.remedy_in("zh")
    assert "authorize page" not in WeChatFault(Endpoint.REFRESH, APPID, reason, reply_started=True).remedy


def test_sentence_says_what_failed_for_whom_and_what_to_do():
    assert str(refusal("code been used, rid: 6206378a-793424c0-2e4091cc")) == (
        "WeChat refused access_token for wx0123456789abcdef: 40163 code been used "
        "(rid 6206378a-793424c0-2e4091cc). Send the user through the authorize page again. The page must post each "
        "code once and then take it out of its address."
    )


def test_sentence_of_a_fault_says_what_happened():
    fault = WeChatFault(Endpoint.USERINFO, APPID, FaultReason.CONNECTION, reply_started=False, detail="refused")

    assert str(fault).startswith(
        "WeChat gave no usable answer to userinfo for wx0123456789abcdef: the connection failed: refused. Check that"
    )
    assert (fault.kind, fault.errcode, fault.rid, fault.reply_started) == (Kind.RETRY, None, None, False)


@pytest.mark.parametrize("reason", FaultReason)
def test_every_fault_has_a_sentence_and_a_remedy_in_both_languages(reason):
    fault = WeChatFault(Endpoint.AUTH, APPID, reason, reply_started=True)

    assert fault.errmsg in str(fault)
    assert fault.remedy in str(fault)
    assert fault.remedy_in("zh_CN") != fault.remedy


def test_words_that_look_like_a_credential_are_dropped(subtests):
    for length in [20, 28, 32, 110, 154, 512]:
        for before in ["", "rid: ", "invalid credential ", "req_id: x, token=", "令牌"]:
            with subtests.test(length=length, before=before):
                credential = ("aB3_-9" * 100)[:length]
                error = refusal(f"{before}{credential} rid: 1a-2b")

                assert credential not in str(error) + repr(error) + str(error.rid)


def test_credential_cut_by_control_characters_is_dropped():
    assert "abcdef" not in refusal("token 0123456789\x00abcdefghij").errmsg


@given(st.text(max_size=500))
def test_any_words_become_one_short_line(errmsg):
    error = refusal(errmsg)

    assert len(error.errmsg) <= 200
    assert error.errmsg.isprintable()
    assert str(error).encode()


def test_words_of_any_length_are_read_in_time_that_grows_with_it():
    # A pattern that tries all ways to split the spaces would take hours.
    assert refusal(", hints: [ " * 6_000 + " " * 60_000 + "rid:").errmsg.startswith("hints")


def test_refusals_and_faults_are_errors_of_wechat():
    assert issubclass(WeChatRefusal, WeChatError)
    assert issubclass(WeChatFault, WeChatError)
