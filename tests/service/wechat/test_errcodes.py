import pytest

from service.wechat.endpoints import Endpoint
from service.wechat.errcodes import AUTHORIZE_PAGE_ERRCODES, ERRCODES, Kind, kind_of, remedy_of, summary_of

KINDS = {
    Kind.RETRY: {-1},
    Kind.RATE_LIMITED: {45009, 45011},
    Kind.REFRESH: {42001, 40014, 40001},
    Kind.REAUTHORIZE: {40029, 40163, 42003, 40030, 42002, 42007, 50001},
    Kind.UPGRADE_SCOPE: {48001},
    Kind.CONFIGURATION: {40013, 40125, 40164, 48017},
    Kind.BLOCKED: {48004, 50002},
    Kind.REQUEST: {40002, 40003, 41001, 41002, 41003, 41004, 41008, 41009, 43001, 43003},
}
AUTHORIZE_PAGE = {10003, 10005, 10006, 10009, 10012, 10013, 10014, 10015, 10016}


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


def test_every_remedy_and_summary_speaks_both_languages(subtests):
    for errcode in [None, 99999, *(row.errcode for row in (*ERRCODES, *AUTHORIZE_PAGE_ERRCODES))]:
        with subtests.test(errcode=errcode):
            for words in (remedy_of, summary_of):
                assert words(errcode, "en").isascii() or "（" in words(errcode, "en") or "(" in words(errcode, "en")
                assert any("一" <= char <= "鿿" for char in words(errcode, "zh_CN"))
                assert words(errcode, "zh-Hant") == words(errcode, "zh")
                assert words(errcode, "fr") == words(errcode, "en")
