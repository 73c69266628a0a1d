import pytest

from service.wechat.endpoints import Endpoint
from service.wechat.errcodes import AUTHORIZE_PAGE_ERRCODES, ERRCODES, Kind, kind_of, remedy_of, summary_of

KINDS = {
    Kind.RETRY: {-1},
    Kind.RATE_LIMITED: {45009, 45011},
    Kind.REFRESH: {42001, 40014, 40001},
    Kind.REAUTHORIZE: {40029, 40163, 42003, 40030, 42002, 42007, 50001},
    Kind.UPGRADE_SCOPE: {48001},
    Kind.CONFIGURATION: {
        *(40013, 40066, 40125, 40164, 40187, 40200, 40243, 43104, 45032, 45035, 48017, 50004, 50007),
        *(61003, 61004, 61007, 61011, 61014, 61015, 61016, 61017, 61024, 61028),
        *(89501, 89503, 89506, 89507, 200011, 9001020),
    },
    Kind.BLOCKED: {45102, 45501, 48004, 50002},
    Kind.REQUEST: {40002, 40003, 41001, 41002, 41003, 41004, 41008, 41009, 43001, 43003},
}
AUTHORIZE_PAGE = {10003, 10004, 10005, 10006, 10009, 10010, 10011, 10012, 10013, 10014, 10015, 10016}


def test_kinds_are_exactly_those_that_others_act_on():
    assert set(Kind) == {
        "retry",
        "rate_limited",
        "refresh",
        "reauthorize",
        "upgrade_scope",
        "configuration",
        "blocked",
        "request",
        "unknown",
    }


def test_table_holds_every_errcode_of_the_web_authorization_once():
    assert sorted(row.errcode for row in ERRCODES) == sorted(code for codes in KINDS.values() for code in codes)


def test_errcode_asks_for_the_same_wherever_it_does_not_matter_who_answers(subtests):
    for kind, errcode in [(kind, errcode) for kind, codes in KINDS.items() for errcode in codes]:
        with subtests.test(kind=kind, errcode=errcode):
            assert kind_of(errcode, Endpoint.USERINFO) is kind
            assert kind_of(errcode, Endpoint.AUTH) is kind
            if errcode not in {40001, 40014, 42001}:
                assert kind_of(errcode, Endpoint.EXCHANGE) is kind
                assert kind_of(errcode, Endpoint.REFRESH) is kind


def test_bad_credential_of_an_exchange_is_a_wrong_secret():
    assert kind_of(40001, Endpoint.EXCHANGE) is Kind.CONFIGURATION


@pytest.mark.parametrize("errcode", [40001, 40014, 42001])
def test_stale_token_at_a_refresh_is_only_retried(errcode):
    assert kind_of(errcode, Endpoint.REFRESH) is Kind.RETRY


def test_numbers_that_the_api_does_not_document_are_unknown(subtests):
    for errcode in [0, 1, 99999, *AUTHORIZE_PAGE]:
        with subtests.test(errcode=errcode):
            assert kind_of(errcode, Endpoint.EXCHANGE) is Kind.UNKNOWN
            assert remedy_of(errcode, "en")


def test_errcodes_of_the_authorize_page_are_kept_apart_and_have_remedies():
    assert {row.errcode for row in AUTHORIZE_PAGE_ERRCODES} == AUTHORIZE_PAGE
    assert "domain" in remedy_of(10003, "en")


PROMISES = ("by itself", "自动")


def test_nothing_promises_that_an_exchange_is_tried_again(subtests):
    for errcode in [None, 99999, *(row.errcode for row in ERRCODES)]:
        with subtests.test(errcode=errcode):
            for locale in ("en", "zh"):
                remedy = remedy_of(errcode, locale, Endpoint.EXCHANGE)
                assert remedy
                assert not any(promise in remedy for promise in PROMISES)


def test_a_refresh_that_failed_is_said_to_be_tried_again_and_a_question_is_to_be_asked_again():
    assert "by itself" in remedy_of(-1, "en", Endpoint.REFRESH)
    for endpoint in (None, Endpoint.USERINFO, Endpoint.AUTH):
        assert "by itself" not in remedy_of(-1, "en", endpoint)
        assert "by itself" not in remedy_of(None, "en", endpoint)
    assert "authorize page" in remedy_of(-1, "en", Endpoint.EXCHANGE)
    assert "Visitors cannot log in while this lasts" in remedy_of(None, "en", Endpoint.EXCHANGE)


def test_a_remedy_names_the_page_or_the_setting_where_it_is_mended(subtests):
    for errcode, page in [
        *((errcode, "微信开发者平台") for errcode in sorted(KINDS[Kind.CONFIGURATION] - {40066})),
        (48001, "微信开发者平台"),
        (48004, "mp.weixin.qq.com"),
        (10003, "mp.weixin.qq.com"),
        (10004, "mp.weixin.qq.com"),
        (40066, "WECHAT_API_URL"),
        (43003, "WECHAT_API_URL"),
    ]:
        with subtests.test(errcode=errcode):
            assert page in remedy_of(errcode, "en")
            assert page in remedy_of(errcode, "zh")


def test_a_bad_credential_is_explained_by_what_was_asked():
    assert "AppSecret" in remedy_of(40001, "en", Endpoint.EXCHANGE)
    assert "AppSecret" not in remedy_of(40001, "en", Endpoint.USERINFO)
    assert "snsapi_userinfo" not in remedy_of(48001, "en", Endpoint.EXCHANGE)


@pytest.mark.parametrize("errcode", [40126, 40244, 50003, 50008, 61005, 61029, 89504, 89505, 89508])
def test_a_number_beside_known_ones_stays_unknown(errcode):
    assert {kind_of(errcode, endpoint) for endpoint in Endpoint} == {Kind.UNKNOWN}


def test_every_remedy_and_summary_speaks_both_languages(subtests):
    for errcode in [None, 99999, *(row.errcode for row in (*ERRCODES, *AUTHORIZE_PAGE_ERRCODES))]:
        with subtests.test(errcode=errcode):
            for words in (remedy_of, summary_of):
                assert words(errcode, "en").isascii() or "（" in words(errcode, "en") or "(" in words(errcode, "en")
                assert any("一" <= char <= "鿿" for char in words(errcode, "zh_CN"))
                assert words(errcode, "zh-Hant") == words(errcode, "zh")
                assert words(errcode, "fr") == words(errcode, "en")
