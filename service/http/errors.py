"""How failures look to HTTP clients: the one place where exceptions become statuses and kinds."""

from dataclasses import dataclass

from service.authorization.exchange import CodeRefused, ExchangeUnderWay
from service.authorization.exchange_budget import BudgetSpent
from service.authorization.profiles import ProfileNotGranted, SnapshotUser
from service.authorization.states import InvalidState
from service.tokens.account_credentials import UnknownAccount
from service.tokens.breaker import AccountPaused
from service.tokens.manager import NoAuthorization
from service.tokens.unavailable import Unavailable
from service.webhooks.receiver import PushesNotTaken
from service.webhooks.signed_query import InvalidSignature
from service.wechat.errcodes import Kind
from service.wechat.errors import FaultReason, WeChatError, WeChatFault
from storage.base.errors import InvalidRecord, NotKept, SealError, StorageError, StoreBusy

__all__ = ["CODE_MISSING", "DECLINED", "ApiError", "api_error_for"]

#: WeChat's errcode for a missing code.
CODE_MISSING = 41008

_STATUS = {
    Kind.RETRY: 503,
    Kind.RATE_LIMITED: 503,
    Kind.REFRESH: 502,
    Kind.REAUTHORIZE: 400,
    Kind.UPGRADE_SCOPE: 403,
    Kind.CONFIGURATION: 500,
    Kind.BLOCKED: 403,
    Kind.REQUEST: 400,
    Kind.UNKNOWN: 502,
}
_FAULT_STATUS = {
    FaultReason.TIMEOUT: 504,
    FaultReason.CONNECTION: 503,
    FaultReason.HTTP_STATUS: 502,
    FaultReason.NOT_JSON: 502,
    FaultReason.TOO_LARGE: 502,
    FaultReason.MALFORMED: 502,
}
_RETRY_AFTER_SECONDS = 2
_RATE_LIMITED_RETRY_AFTER_SECONDS = 60
#: Which of the service's own settings is wrong is nobody's business outside.
_CONFIGURATION_MESSAGE = "the service is not configured correctly; its operator has been told"


@dataclass(eq=False)
class ApiError(Exception):
    """An error reply.

    Attributes:
        status: The HTTP status.
        kind: A word for programs; for WeChat's refusals their kind.
        errmsg: A sentence for people. Never a secret, a token or a code.
        errcode: WeChat's errcode where one fits.
        retry_after: Seconds after which trying again makes sense.
    """

    status: int
    kind: str
    errmsg: str
    errcode: int | None = None
    retry_after: int | None = None


#: The visitor declined on WeChat's page. Authorizing again by itself would ask them again and again.
DECLINED = ApiError(403, "access_denied", "the user declined")


def api_error_for(error: BaseException) -> ApiError | None:  # noqa: C901, PLR0911, PLR0912 - a table, one line for each case
    """Return the error reply for an exception, or None for an unexpected one."""
    match error:
        case ApiError():
            return error
        case CodeRefused():
            return ApiError(400, Kind.REAUTHORIZE, str(error), error.errcode)
        case BudgetSpent():
            return ApiError(503, Kind.RATE_LIMITED, str(error), retry_after=error.retry_after)
        case ExchangeUnderWay():
            return ApiError(504, Kind.RETRY, str(error), retry_after=1)
        case PushesNotTaken():
            return ApiError(404, "not_found", "nothing is taken for this account: its EVENT_TOKEN is not set")
        case InvalidSignature():
            return ApiError(403, "signature", str(error))
        case InvalidState():
            return ApiError(400, Kind.REAUTHORIZE, str(error))
        case ProfileNotGranted():
            return ApiError(403, Kind.UPGRADE_SCOPE, "the user has to be asked for the profile first")
        case SnapshotUser():
            message = "this is the virtual identity of a snapshot page; the user has to open the full page first"
            return ApiError(403, "snapshot_user", message)
        case WeChatError():
            return _api_error_for_wechat(error)
        case AccountPaused() if error.pause.kind == Kind.CONFIGURATION:
            return ApiError(500, Kind.CONFIGURATION, _CONFIGURATION_MESSAGE)
        case AccountPaused():
            message = "WeChat limits the calls of this account"
            return ApiError(503, Kind.RATE_LIMITED, message, error.pause.errcode, error.retry_after)
        case NoAuthorization() if error.status is None:
            return ApiError(404, "not_found", "this user has not authorized this account here")
        case NoAuthorization():
            return ApiError(409, Kind.REAUTHORIZE, "the user must authorize again")
        case UnknownAccount():
            return ApiError(404, "not_found", str(error))
        case Unavailable():
            return ApiError(503, Kind.RETRY, str(error), retry_after=error.retry_after)
        case StoreBusy():
            return ApiError(503, "busy", "too many requests at once", retry_after=_RETRY_AFTER_SECONDS)
        case InvalidRecord():
            return ApiError(502, Kind.UNKNOWN, "what WeChat answered about this user cannot be stored")
        case SealError():
            return ApiError(500, Kind.CONFIGURATION, _CONFIGURATION_MESSAGE)
        case NotKept():
            return ApiError(501, "unsupported", str(error))
        case StorageError():
            message = "authorizations cannot be stored or read just now"
            return ApiError(503, "store_unavailable", message, retry_after=_RETRY_AFTER_SECONDS)
        case _:
            return None


def _api_error_for_wechat(error: WeChatError) -> ApiError:
    if error.kind is Kind.CONFIGURATION:
        return ApiError(500, Kind.CONFIGURATION, _CONFIGURATION_MESSAGE)
    if isinstance(error, WeChatFault):
        message = f"WeChat gave no usable answer ({error.reason})"
        return ApiError(_FAULT_STATUS[error.reason], error.kind, message, retry_after=_RETRY_AFTER_SECONDS)
    retry_after = {
        Kind.RETRY: _RETRY_AFTER_SECONDS,
        Kind.RATE_LIMITED: _RATE_LIMITED_RETRY_AFTER_SECONDS,
    }.get(error.kind)
    return ApiError(_STATUS[error.kind], error.kind, error.errmsg, error.errcode, retry_after)
