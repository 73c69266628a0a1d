"""What the dashboard is handed of the service: actions on users, accounts without secrets, and who asks."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from tornado.httputil import HTTPServerRequest

from admin.operators.hashing_pool import HashingPool
from admin.operators.known_browsers import KnownBrowsers
from admin.operators.sign_in_throttle import SignInThrottle
from admin.overview.stale_while_revalidate import StaleWhileRevalidate
from admin.services import (
    AccountCheck,
    AccountCheckResult,
    AccountSummary,
    ActionOutcome,
    ActionResult,
    AdminServices,
    ErrcodeText,
)
from service.authorization.profiles import ProfileNotGranted, Profiles, SnapshotUser
from service.http.origins import parse_origin
from service.settings import Settings
from service.tokens.breaker import AccountPaused, Breaker
from service.tokens.manager import NoAuthorization, TokenManager, TokenUnavailable, UnavailableReason
from service.tokens.refresher import RefreshResult
from service.wechat.account_check import CheckStatus, check_account
from service.wechat.client import WeChatClient
from service.wechat.endpoints import Endpoint
from service.wechat.errcodes import remedy_of, summary_of
from service.wechat.errors import WeChatError
from service.wechat.protocol import Account
from storage.base.clock import Clock
from storage.base.errors import SealError
from storage.base.passwords import PasswordHashes
from storage.pauses import AccountPause
from storage.sealing import KeyRing
from storage.sql.accounts.api_keys import ApiKeys
from storage.sql.accounts.attempts import SignInAttempts
from storage.sql.accounts.audit import AuditLog
from storage.sql.accounts.operators import Operators
from storage.sql.accounts.sessions import Sessions
from storage.sql.core.engine import Database
from storage.sql.work.instances import Instances
from storage.sql.work.jobs import JobAction, Jobs
from storage.user_search import Forecast
from storage.users import Status
from storage.vault import TokenVault

__all__ = [
    "REFRESH_RESULTS",
    "STATUS_RESULTS",
    "UNAVAILABLE_RESULTS",
    "BrowserOrigins",
    "OfficialAccounts",
    "OperatorActions",
    "make_admin_services",
]

#: An origin that no browser sends with a form: where ours cannot be told, no change is let through.
_NO_ORIGIN = "http://0.invalid"


#: What an operator is told of a refresh, of a user who cannot be refreshed, and of a token that is not to be had now.
REFRESH_RESULTS: Mapping[RefreshResult, ActionResult] = {
    RefreshResult.REFRESHED: ActionResult.REFRESHED,
    RefreshResult.REAUTHORIZATION_REQUIRED: ActionResult.REFRESH_TOKEN_REFUSED,
    RefreshResult.FELL_BACK: ActionResult.FELL_BACK,
    RefreshResult.FAILED: ActionResult.FAILED,
    # Asked for by an operator, a refresh is left out for want of a refresh token alone.
    RefreshResult.LEFT_TO_USE: ActionResult.NO_REFRESH_TOKEN,
    RefreshResult.SUPERSEDED: ActionResult.SUPERSEDED,
}
STATUS_RESULTS: Mapping[Status | None, ActionResult] = {
    None: ActionResult.UNKNOWN_USER,
    Status.REAUTHORIZATION_REQUIRED: ActionResult.REAUTHORIZATION_REQUIRED,
    Status.REVOKED: ActionResult.ALREADY_REVOKED,
}
UNAVAILABLE_RESULTS: Mapping[UnavailableReason, ActionResult] = {
    UnavailableReason.WAITING_AFTER_FAILURE: ActionResult.WAITING_AFTER_FAILURE,
    UnavailableReason.JUST_REFRESHED: ActionResult.JUST_REFRESHED,
    UnavailableReason.REFRESH_IN_PROGRESS: ActionResult.REFRESH_IN_PROGRESS,
    UnavailableReason.REFRESH_FAILED: ActionResult.REFRESH_FAILED,
    UnavailableReason.ACCOUNT_PAUSED: ActionResult.PAUSED,
}


class OperatorActions:
    """What operators may have done about a user: the dashboard's `UserActions`.

    Args:
        vault: Where authorizations are kept.
        client: What asks WeChat.
        tokens: Refreshes.
        profiles: What asks for profiles.
        breaker: Pauses calls that cannot succeed.
        clock: What tells the time.
    """

    def __init__(
        self,
        *,
        vault: TokenVault,
        client: WeChatClient,
        tokens: TokenManager,
        profiles: Profiles,
        breaker: Breaker,
        clock: Clock,
    ) -> None:
        self._vault = vault
        self._client = client
        self._tokens = tokens
        self._profiles = profiles
        self._breaker = breaker
        self._clock = clock

    async def perform(self, action: JobAction, appid: str, openid: str) -> ActionOutcome:
        """Do it and say how it ended.

        Raises:
            StoreUnavailable: The store does not answer.
        """
        try:
            return await self._try(action, appid, openid)
        except (NoAuthorization, TokenUnavailable, AccountPaused, WeChatError, SealError) as error:
            return self._explain(error)
        except ProfileNotGranted:
            return ActionOutcome(succeeded=False, result=ActionResult.PROFILE_NOT_GRANTED)
        except SnapshotUser:
            return ActionOutcome(succeeded=False, result=ActionResult.SNAPSHOT_USER)

    async def _try(self, action: JobAction, appid: str, openid: str) -> ActionOutcome:
        match action:
            case JobAction.REFRESH:
                return await self._refresh(appid, openid)
            case JobAction.CHECK:
                return await self._check(appid, openid)
            case JobAction.PROFILE:
                await self._profiles.of(appid, openid, anew=True)
                return ActionOutcome(succeeded=True, result=ActionResult.PROFILE_FETCHED)
            case JobAction.REVOKE:
                return await self._revoke(appid, openid)
            case JobAction.ERASE:
                return _done(ActionResult.ERASED, was_there=await self._vault.erase(appid, openid))

    async def _refresh(self, appid: str, openid: str) -> ActionOutcome:
        refresh = await self._tokens.refresh_now(appid, openid)
        if refresh.result is RefreshResult.PAUSED:
            return self._paused(appid, Endpoint.REFRESH)
        errcode = refresh.error.errcode if refresh.error is not None else None
        next_try_at = None
        if refresh.result is RefreshResult.FAILED:
            authorization = await self._vault.get(appid, openid)
            next_try_at = authorization.next_refresh_at if authorization is not None else None
        return ActionOutcome(
            refresh.result is RefreshResult.REFRESHED, REFRESH_RESULTS[refresh.result], errcode, next_try_at
        )

    async def _check(self, appid: str, openid: str) -> ActionOutcome:
        authorization = await self._vault.get(appid, openid)
        if authorization is None or authorization.status is Status.REVOKED:
            raise NoAuthorization(appid, openid, authorization.status if authorization else None)
        self._breaker.check(appid, Endpoint.AUTH)
        try:
            valid = await self._client.check_token(appid, self._vault.open(authorization).access_token, openid)
        except WeChatError as error:
            self._breaker.note(error)
            raise
        return ActionOutcome(succeeded=True, result=ActionResult.VALID if valid else ActionResult.INVALID)

    async def _revoke(self, appid: str, openid: str) -> ActionOutcome:
        authorization = await self._vault.get(appid, openid)
        if authorization is not None and authorization.status is Status.REVOKED:
            return ActionOutcome(succeeded=True, result=ActionResult.ALREADY_REVOKED)
        return _done(ActionResult.REVOKED, was_there=await self._vault.revoke(appid, openid))

    def _explain(
        self, error: NoAuthorization | TokenUnavailable | AccountPaused | WeChatError | SealError
    ) -> ActionOutcome:
        """Say what kept an action from being done."""
        match error:
            case NoAuthorization():
                return ActionOutcome(succeeded=False, result=STATUS_RESULTS[error.status])
            case TokenUnavailable():
                result = UNAVAILABLE_RESULTS[error.reason]
                in_progress = result is ActionResult.REFRESH_IN_PROGRESS
                next_try_at = None if in_progress else self._clock.now() + error.retry_after
                return ActionOutcome(False, result, error.errcode, next_try_at)
            case AccountPaused():
                return ActionOutcome(False, ActionResult.PAUSED, error.pause.errcode, error.pause.until)
            case WeChatError():
                return ActionOutcome(succeeded=False, result=ActionResult.FAILED, errcode=error.errcode)
            case SealError():
                return ActionOutcome(succeeded=False, result=ActionResult.SEALED)

    def _paused(self, appid: str, endpoint: Endpoint) -> ActionOutcome:
        for pause in self._breaker.pauses():
            if (pause.appid, pause.endpoint) == (appid, endpoint):
                return ActionOutcome(False, ActionResult.PAUSED, pause.errcode, pause.until)
        return ActionOutcome(succeeded=False, result=ActionResult.PAUSED)


def _done(result: ActionResult, *, was_there: bool) -> ActionOutcome:
    return ActionOutcome(succeeded=was_there, result=result if was_there else ActionResult.UNKNOWN_USER)


class OfficialAccounts:
    """The accounts of the settings, and what WeChat says about them: the dashboard's `Accounts`.

    Args:
        accounts: The accounts, whose secrets never leave this object.
        client: What asks WeChat.
        breaker: Knows the pauses.
        verification_folder: Where the verification files are, if anywhere.
    """

    def __init__(
        self, accounts: Sequence[Account], client: WeChatClient, breaker: Breaker, verification_folder: Path | None
    ) -> None:
        self._accounts = {account.appid: account for account in accounts}
        self._client = client
        self._breaker = breaker
        self._verification_folder = verification_folder

    @property
    def summaries(self) -> Sequence[AccountSummary]:
        """All accounts, in the order of the settings."""
        return [
            AccountSummary(account.appid, account.name or account.appid, takes_events=bool(account.event_token))
            for account in self._accounts.values()
        ]

    def pauses(self) -> Sequence[AccountPause]:
        """Return the pauses that this process knows of."""
        return self._breaker.pauses()

    async def check(self, appid: str) -> AccountCheck:
        """Ask WeChat whether an account's appid, secret and this server's address are good."""
        check = await check_account(self._client, self._accounts[appid])
        match check.status:
            case CheckStatus.GOOD:
                return AccountCheck(AccountCheckResult.ACCEPTED)
            case CheckStatus.WARNING:
                return AccountCheck(AccountCheckResult.NOT_WECHAT)
            case CheckStatus.BAD:
                return AccountCheck(AccountCheckResult.REFUSED, check.errcode)

    def verification_files(self) -> Sequence[str]:
        """Return the names of the files by which WeChat checks the domains of pages. Blocking."""
        folder = self._verification_folder
        return sorted(path.name for path in folder.glob("MP_verify_*.txt")) if folder is not None else []

    def explain(self, errcode: int | None, locale: str, endpoint: str | None) -> ErrcodeText:
        """Return what a failed call means; see `remedy_of` for the arguments."""
        return ErrcodeText(summary_of(errcode, locale), remedy_of(errcode, locale, endpoint))


class BrowserOrigins:
    """The dashboard's `RequestOrigins`.

    Args:
        client_address: Tells where a request comes from.
        own_address: Tells which address of the dashboard a request's browser knows.
    """

    def __init__(
        self,
        client_address: Callable[[HTTPServerRequest], str],
        own_address: Callable[[HTTPServerRequest], str],
    ) -> None:
        self._client_address = client_address
        self._own_address = own_address

    def client_address(self, request: HTTPServerRequest) -> str:
        """Return the address of whoever asks."""
        return self._client_address(request)

    def own_origin(self, request: HTTPServerRequest) -> str:
        """Return the scheme, host and port by which the browser knows the dashboard."""
        try:
            return parse_origin(self._own_address(request))
        except ValueError:
            return _NO_ORIGIN


def make_admin_services(
    settings: Settings,
    *,
    vault: TokenVault,
    keys: KeyRing,
    database: Database,
    api_keys: ApiKeys,
    client: WeChatClient,
    tokens: TokenManager,
    profiles: Profiles,
    breaker: Breaker,
    clock: Clock,
    client_address: Callable[[HTTPServerRequest], str],
    own_address: Callable[[HTTPServerRequest], str],
) -> AdminServices:
    """Put together what the dashboard works with.

    Args:
        settings: What is known of the accounts.
        vault: Where authorizations are kept.
        keys: What opens tokens, and what the keys that sign are derived from.
        database: Where operators, their sessions and the audit log are kept.
        api_keys: The keys of other backends.
        client: What asks WeChat.
        tokens: Refreshes.
        profiles: What asks for profiles.
        breaker: Pauses calls that cannot succeed.
        clock: What tells the time.
        client_address: Tells where a request comes from.
        own_address: Tells which address of the dashboard a request's browser knows.
    """
    accounts = settings.all_accounts()
    return AdminServices(
        users=OperatorActions(
            vault=vault, client=client, tokens=tokens, profiles=profiles, breaker=breaker, clock=clock
        ),
        accounts=OfficialAccounts(accounts, client, breaker, settings.verification_files),
        origins=BrowserOrigins(client_address, own_address),
        vault=vault,
        user_search=vault.user_search(),
        counts=StaleWhileRevalidate(vault.counts, clock, fresh_seconds=20),
        forecast=StaleWhileRevalidate(_forecaster(vault, accounts, clock), clock, fresh_seconds=5),
        jobs=Jobs(database),
        instances=Instances(database),
        store=settings.token_store,
        key_ids=keys.key_ids,
        operators=Operators(database),
        sessions=Sessions(database),
        throttle=SignInThrottle(SignInAttempts(database), clock),
        known_browsers=KnownBrowsers(keys.derived_keys("known browser"), clock),
        audit=AuditLog(database),
        api_keys=api_keys,
        passwords=HashingPool(PasswordHashes()),
        clock=clock,
    )


def _forecaster(
    vault: TokenVault, accounts: Sequence[Account], clock: Clock
) -> Callable[[], Awaitable[Forecast | None]]:
    search = vault.user_search()
    appids = [account.appid for account in accounts]

    async def forecast() -> Forecast | None:
        return None if search is None else await asyncio.to_thread(search.forecast, appids, clock.now())

    return forecast
