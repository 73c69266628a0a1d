"""What the dashboard is given: stores, the time, and what only the service can do."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from tornado.httputil import HTTPServerRequest

from admin.operators.hashing_pool import Passwords
from admin.operators.sign_in_throttle import SignInThrottle
from admin.overview.stale_while_revalidate import Remembered
from storage.base.clock import Clock
from storage.sql.accounts.api_keys import ApiKeys
from storage.sql.accounts.audit import AuditLog
from storage.sql.accounts.operators import Operators
from storage.sql.accounts.sessions import Sessions
from storage.sql.work.instances import Instances
from storage.sql.work.jobs import Jobs
from storage.user_search import Forecast, UserDirectory
from storage.users import Counts
from storage.vault import TokenVault

__all__ = ["AccountPause", "AccountSummary", "ActionOutcome", "AdminServices", "UserAction"]


@dataclass(frozen=True, slots=True)
class AccountSummary:
    """An Official Account without its secrets.

    Attributes:
        name: For people; the appid where none is set.
        takes_events: Whether WeChat's pushed events are taken for it.
    """

    appid: str
    name: str
    takes_events: bool = False


@dataclass(frozen=True, slots=True)
class AccountPause:
    """Calls of an account to an endpoint of WeChat pause in this process, because they could not succeed."""

    appid: str
    endpoint: str
    kind: str
    errcode: int | None
    until: int


@dataclass(frozen=True, slots=True)
class ActionOutcome:
    """How something that involves WeChat ended.

    Attributes:
        succeeded: Whether it did what was asked.
        result: A word for it, which pages translate: `refreshed`, `valid`, `invalid`, `paused` …
        errcode: WeChat's number, where it answered with one.
        detail: A sentence for people; never a secret or a token.
    """

    succeeded: bool
    result: str
    errcode: int | None = None
    detail: str = ""


#: Does something about the user (appid, openid). It raises `StorageError` only.
UserAction = Callable[[str, str], Awaitable[ActionOutcome]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminServices:
    """Everything behind the pages.

    Attributes:
        directory: What finds users; None where the token store has no such thing.
        counts: How many users there are.
        forecast: What is coming; None where nobody can tell.
        store: The token store's name.
        key_ids: The keys that open tokens, the one that seals first.
        remedy: What a person can do about an errcode (None: no usable answer), in a locale such as `zh_CN`, where
            a call failed such as `access_token` (None: any).
        summary: What an errcode means, in a locale.
        pauses: The accounts' pauses that this process knows of.
        examine_account: Asks WeChat whether an account's appid, secret and address are good.
        verification_files: Names of the files by which WeChat checks the domains of pages. Blocking.
        client_address: Where a request comes from, behind trusted proxies.
        own_origin: The scheme, host and port by which a request's browser knows the dashboard.
    """

    vault: TokenVault
    directory: UserDirectory | None
    counts: Remembered[Counts]
    forecast: Remembered[Forecast | None]
    jobs: Jobs
    instances: Instances
    store: str
    key_ids: Sequence[str]
    operators: Operators
    sessions: Sessions
    throttle: SignInThrottle
    audit: AuditLog
    api_keys: ApiKeys
    passwords: Passwords
    clock: Clock
    accounts: Sequence[AccountSummary]
    refresh_now: UserAction
    check_token: UserAction
    fetch_profile: UserAction
    remedy: Callable[[int | None, str, str | None], str]
    summary: Callable[[int | None, str], str]
    pauses: Callable[[], Sequence[AccountPause]]
    examine_account: Callable[[str], Awaitable[ActionOutcome]]
    verification_files: Callable[[], Sequence[str]]
    client_address: Callable[[HTTPServerRequest], str]
    own_origin: Callable[[HTTPServerRequest], str]

    @property
    def account_names(self) -> dict[str, str]:
        """The accounts' names by their appids."""
        return {account.appid: account.name for account in self.accounts}
