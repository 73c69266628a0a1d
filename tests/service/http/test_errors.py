import pytest

from service.authorization.exchange import CODE_MALFORMED, CODE_USED, CodeRefused
from service.http.errors import ApiError, api_error_for
from service.tokens.breaker import AccountPaused
from service.tokens.manager import NoAuthorization, TokenUnavailable
from service.tokens.unavailable import UnavailableReason
from service.wechat.endpoints import Endpoint
from service.wechat.errcodes import ERRCODES, Kind, kind_of
from service.wechat.errors import FaultReason, WeChatFault, WeChatRefusal
from storage.base.errors import CannotOpen, StoreBusy, StoreUnavailable, UnknownKey
from storage.pauses import AccountPause
from storage.users import Status

APPID, OPENID = "wx0000000000000001", "o6_bmjrPTlm6_2sgVt7hMZOPfL2M"

BY_KIND = {
    Kind.RETRY: (-1, 503, 2),
    Kind.RATE_LIMITED: (45009, 503, 60),
    Kind.REFRESH: (42001, 502, None),
    Kind.REAUTHORIZE: (40163, 400, None),
    Kind.UPGRADE_SCOPE: (48001, 403, None),
    Kind.CONFIGURATION: (40125, 500, None),
    Kind.BLOCKED: (50002, 403, None),
    Kind.REQUEST: (41008, 400, None),
    Kind.UNKNOWN: (99999, 502, None),
}


def a_refusal(errcode, endpoint=Endpoint.USERINFO, errmsg="words of WeChat"):
    return WeChatRefusal(endpoint, APPID, errcode, errmsg)


def a_pause(kind, errcode):
    return AccountPaused(AccountPause(APPID, Endpoint.EXCHANGE, kind, errcode, until=100), retry_after=17)


def test_every_kind_of_wechats_has_its_answer(subtests):
    for kind in Kind:
        with subtests.test(kind=kind):
            errcode, status, retry_after = BY_KIND[kind]
            error = a_refusal(errcode)
            assert error.kind is kind
            error = api_error_for(error)
            assert (error.status, error.kind, error.retry_after) == (status, kind, retry_after)
            if kind is not Kind.CONFIGURATION:
                assert (error.errcode, error.errmsg) == (errcode, "words of WeChat")


def test_every_known_errcode_is_answered_by_its_kind(subtests):
    for endpoint in Endpoint:
        for errcode in [row.errcode for row in ERRCODES]:
            with subtests.test(endpoint=endpoint, errcode=errcode):
                kind = kind_of(errcode, endpoint)
                error = api_error_for(a_refusal(errcode, endpoint))
                assert error.kind == kind
                assert error.status == BY_KIND[kind][1]


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (FaultReason.TIMEOUT, 504),
        (FaultReason.CONNECTION, 503),
        (FaultReason.HTTP_STATUS, 502),
        (FaultReason.NOT_JSON, 502),
        (FaultReason.TOO_LARGE, 502),
        (FaultReason.MALFORMED, 502),
    ],
)
def test_a_missing_answer_of_wechats_is_told_with_its_reason_and_when_to_try_again(reason, status):
    error = api_error_for(WeChatFault(Endpoint.EXCHANGE, APPID, reason, reply_started=True, detail="some detail"))
    assert (error.status, error.kind, error.errcode, error.retry_after) == (status, Kind.RETRY, None, 2)
    assert error.errmsg == f"WeChat gave no usable answer ({reason})"


@pytest.mark.parametrize("reason", FaultReason)
def test_no_reason_is_left_out(reason):
    assert api_error_for(WeChatFault(Endpoint.AUTH, APPID, reason, reply_started=False)).status >= 500


@pytest.mark.parametrize(
    "error",
    [
        a_refusal(40125, errmsg="invalid appsecret, view more at"),
        a_refusal(40164, errmsg="invalid ip 10.1.2.3, not in whitelist"),
        a_pause(Kind.CONFIGURATION, 40125),
        CannotOpen("the sealed value of wx|o|access_token does not open"),
        UnknownKey("sealed with key 01020304"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_configured_wrongly_is_not_told_outside(error):
    error = api_error_for(error)
    assert (error.status, error.kind, error.errcode) == (500, Kind.CONFIGURATION, None)
    assert error.errmsg == "the service is not configured correctly; its operator has been told"


def test_what_the_service_itself_refuses_has_its_answer(subtests):
    for raised, status, kind, errcode, retry_after in [
        (CodeRefused(APPID, CODE_MALFORMED, "invalid code"), 400, "reauthorize", 40029, None),
        (CodeRefused(APPID, CODE_USED, "code been used"), 400, "reauthorize", 40163, None),
        (a_pause(Kind.RATE_LIMITED, 45011), 503, "rate_limited", 45011, 17),
        (NoAuthorization(APPID, OPENID, None), 404, "not_found", None, None),
        (NoAuthorization(APPID, OPENID, Status.REVOKED), 409, "reauthorize", None, None),
        (NoAuthorization(APPID, OPENID, Status.REAUTHORIZATION_REQUIRED), 409, "reauthorize", None, None),
        (TokenUnavailable(APPID, OPENID, 5, UnavailableReason.REFRESH_IN_PROGRESS), 503, "retry", None, 5),
        (TokenUnavailable(APPID, OPENID, -5, UnavailableReason.REFRESH_IN_PROGRESS), 503, "retry", None, 1),
        (StoreBusy("4096 writes wait"), 503, "busy", None, 2),
        (StoreUnavailable("connection to db.internal refused"), 503, "store_unavailable", None, 2),
    ]:
        with subtests.test(raised=raised, status=status, kind=kind, errcode=errcode, retry_after=retry_after):
            error = api_error_for(raised)
            assert (error.status, error.kind, error.errcode, error.retry_after) == (status, kind, errcode, retry_after)
            assert error.errmsg
            assert "db.internal" not in error.errmsg


def test_an_api_error_is_its_own_answer():
    error = ApiError(403, "forbidden_origin", "this origin is not allowed")
    assert api_error_for(error) is error


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), RuntimeError("x")], ids=repr)
def test_what_nobody_foresaw_has_no_answer(error):
    assert api_error_for(error) is None
