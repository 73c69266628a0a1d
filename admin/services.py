"""What the dashboard is given: stores, the time, and three protocols for what only the service can do."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from zoneinfo import ZoneInfo

from tornado.httputil import HTTPServerRequest

from admin.operators.hashing_pool import HashingPool
from admin.operators.known_browsers import KnownBrowsers
from admin.operators.sign_in_throttle import SignInThrottle
from admin.operators.sign_in_ways import SignInWays
from admin.operators.step_cookies import StepCookies
from admin.overview.stale_while_revalidate import StaleWhileRevalidate
from storage.base.clock import Clock
from storage.credentials.records import Credential
from storage.pauses import AccountPause
from storage.sql.accounts.api_key_uses import ApiKeyUses
from storage.sql.accounts.api_keys import ApiKeys
from storage.sql.accounts.audit import AuditLog
from storage.sql.accounts.factors.operator_factors import OperatorFactors
from storage.sql.accounts.operators import Operators
from storage.sql.accounts.provider_operators import ProviderOperators
from storage.sql.accounts.sessions import OperatorSessions
from storage.sql.accounts.user_history import UserHistory
from storage.sql.work.call_outcomes import CallOutcomes
from storage.sql.work.instances import Instances
from storage.sql.work.jobs import JobAction, Jobs
from storage.user_search import Forecast, UserSearch
from storage.users import Counts
from storage.vault import TokenVault

__all__ = [
    "AccountCheck",
    "AccountCheckResult",
    "AccountSummary",
    "Accounts",
    "ActionOutcome",
    "ActionResult",
    "AdminServices",
    "Concern",
    "ErrcodeText",
    "ForcedToken",
    "RequestOrigins",
    "UserActions",
]


class ActionResult(StrEnum):
    """How an action on a user ended. The values are stored, in the results of jobs and in the audit log."""

    REFRESHED = "refreshed"
    VALID = "valid"
    INVALID = "invalid"
    PROFILE_FETCHED = "fetched"
    REVOKED = "revoked"
    ERASED = "erased"

    ALREADY_REVOKED = "already_revoked"  #: it was revoked before; nothing was done
    REAUTHORIZATION_REQUIRED = "reauthorization_required"  #: it was so before; WeChat was not asked
    #: WeChat has just said so: the user must authorize again.
    REFRESH_TOKEN_REFUSED = "refresh_token_refused"  # noqa: S105 - a result
    #: WeChat refuses the grant; a newer one, which was held beside it, has taken its place.
    FELL_BACK = "fell_back"
    #: WeChat gave no refresh token: the access token is good until it expires.
    NO_REFRESH_TOKEN = "no_refresh_token"  # noqa: S105 - a result
    UNKNOWN_USER = "unknown_user"
    PROFILE_NOT_GRANTED = "profile_not_granted"
    SNAPSHOT_USER = "snapshot_user"

    FAILED = "failed"  #: WeChat refused, or gave no usable answer
    PAUSED = "paused"  #: the account's calls are paused; nothing was asked
    REFRESH_FAILED = "refresh_failed"  #: the token has expired and WeChat would not refresh it
    WAITING_AFTER_FAILURE = "waiting_after_failure"  #: the token has expired; its next refresh waits after a failure
    JUST_REFRESHED = "just_refreshed"  #: WeChat refuses a token that was refreshed a moment ago; the next refresh waits
    REFRESH_IN_PROGRESS = "refresh_in_progress"  #: somebody else is refreshing the token
    SUPERSEDED = "superseded"  #: somebody else changed the user at the same moment
    SEALED = "sealed"  #: the stored tokens cannot be decrypted

    @classmethod
    def from_stored(cls, word: str) -> "ActionResult | None":
        """Return the result that a stored word stands for, today's or a former one; None for any other."""
        word = _FORMER_RESULTS.get(word, word)
        return cls(word) if word in cls.__members__.values() else None


#: Words that results were stored by, before each reason had its own.
_FORMER_RESULTS = {
    "needs_reauthorization": "reauthorization_required",
    "reauthorization_needed": "refresh_token_refused",
    "try_later": "refresh_in_progress",
}


@dataclass(frozen=True, slots=True)
class ActionOutcome:
    """How an action on a user ended, and why.

    Attributes:
        succeeded: Whether it did what was asked.
        errcode: WeChat's number, where it is the reason.
        next_try_at: When the service tries again by itself, or calls go on.
    """

    succeeded: bool
    result: ActionResult
    errcode: int | None = None
    next_try_at: int | None = None


class UserActions(Protocol):
    """The actions on a user that operators may start."""

    async def perform(self, action: JobAction, appid: str, openid: str) -> ActionOutcome:
        """Do it and say how it ended.

        Raises:
            StoreUnavailable: The store does not answer.
        """


@dataclass(frozen=True, slots=True)
class AccountSummary:
    """An Official Account without its secrets.

    Attributes:
        name: For people; the appid where none is set.
        is_official: Whether it is an Official Account, which has credentials of its own, and no website.
        takes_events: Whether WeChat's pushed events are taken for it.
        forwards_to: Where they are passed on to, without what may be a key; empty where they are not.
    """

    appid: str
    name: str
    is_official: bool = True
    takes_events: bool = False
    forwards_to: str = ""


class AccountCheckResult(StrEnum):
    """Whether WeChat accepts an account."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    NOT_WECHAT = "not_wechat"  #: what answered accepts a made-up code


@dataclass(frozen=True, slots=True)
class AccountCheck:
    """What a check of an account found; `errcode` is WeChat's number, where it refused with one."""

    result: AccountCheckResult
    errcode: int | None = None


@dataclass(frozen=True, slots=True)
class ForcedToken:
    """How forcing a new access token of an account ended.

    Attributes:
        errcode: WeChat's number, where it refused with one.
        retry_after: Seconds after which it may be tried again, where there is none.
    """

    succeeded: bool
    errcode: int | None = None
    retry_after: int = 0


@dataclass(frozen=True, slots=True)
class ErrcodeText:
    """What an errcode means, and what a person can do about it, in one language."""

    summary: str
    remedy: str


class Concern(StrEnum):
    """Whom a failed call to WeChat concerns."""

    OPERATOR = "operator"  #: somebody has to act
    VISITOR = "visitor"  #: what one visitor brought, or took back
    NOBODY = "nobody"  #: the service makes up for it by itself


class Accounts(Protocol):
    """The Official Accounts, and what WeChat says about them."""

    @property
    def summaries(self) -> Sequence[AccountSummary]:
        """All accounts, in the order of the settings."""

    def pauses(self) -> Sequence[AccountPause]:
        """Return the pauses that this process knows of."""

    async def check(self, appid: str) -> AccountCheck:
        """Ask WeChat whether an account's appid, secret and this server's address are good."""

    async def credentials(self, appid: str) -> Sequence[Credential]:
        """Return an account's own credentials, sealed; none where the store keeps none.

        Raises:
            StoreUnavailable: The store does not answer.
        """

    async def force_token(self, appid: str, by: str) -> ForcedToken:
        """Make WeChat end an Official Account's access token and give another; `by` is the operator, for the log.

        Raises:
            StoreUnavailable: The store does not answer.
        """

    def verification_files(self) -> Sequence[str]:
        """Return the names of the files by which WeChat checks the domains of pages. Blocking."""

    def authorize_link(self, appid: str, *, profile: bool) -> str:
        """Return where a user of an account authorizes; empty where the service does not know its own address."""

    def authorize_picture(self, appid: str, *, profile: bool) -> str:
        """Return the QR code of that link as an element of HTML; empty where there is no link. Blocking."""

    def explain(self, errcode: int | None, locale: str, endpoint: str | None) -> ErrcodeText:
        """Return what a failed call means.

        Args:
            errcode: WeChat's number; None for a call that got no usable answer.
            locale: Such as `zh_CN`.
            endpoint: Where it failed, such as `access_token`; None where that is not known.
        """

    def concern(self, errcode: int | None, endpoint: str) -> Concern:
        """Return whom a failed call concerns; see `explain` for the arguments."""


class RequestOrigins(Protocol):
    """Where requests come from, behind trusted proxies."""

    def client_address(self, request: HTTPServerRequest) -> str:
        """Return the client's address."""

    def own_origin(self, request: HTTPServerRequest) -> str:
        """Return the scheme, host and port by which the browser knows the dashboard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminServices:
    """Everything behind the pages.

    Attributes:
        user_search: What lists and searches users; None where the token store cannot.
        counts: How many users there are.
        forecast: Upcoming refreshes; None where the store cannot tell.
        store: The token store's name.
        shares_database: Whether the token store is in the dashboard's own database.
        time_zone: What pages are written in where the viewer's own zone is not known.
        ways: By what operators may sign in.
        key_ids: The keys that open tokens, the one that seals first.
    """

    users: UserActions
    accounts: Accounts
    origins: RequestOrigins
    vault: TokenVault
    user_search: UserSearch | None
    counts: StaleWhileRevalidate[Counts]
    forecast: StaleWhileRevalidate[Forecast | None]
    jobs: Jobs
    instances: Instances
    call_outcomes: CallOutcomes
    store: str
    shares_database: bool
    key_ids: Sequence[str]
    time_zone: ZoneInfo
    ways: SignInWays
    steps: StepCookies
    operators: Operators
    provider_operators: ProviderOperators
    factors: OperatorFactors
    sessions: OperatorSessions
    throttle: SignInThrottle
    known_browsers: KnownBrowsers
    audit: AuditLog
    api_keys: ApiKeys
    api_key_uses: ApiKeyUses
    user_history: UserHistory
    passwords: HashingPool
    clock: Clock

    @property
    def account_names(self) -> dict[str, str]:
        """The accounts' names by their appids."""
        return {account.appid: account.name for account in self.accounts.summaries}
