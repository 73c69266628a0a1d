"""What the dashboard is handed of the service: actions on users, accounts without secrets, and who asks."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from tornado.httputil import HTTPServerRequest

from admin.operators.hashing_pool import Passwords
from admin.operators.sign_in_throttle import SignInThrottle
from admin.overview.stale_while_revalidate import Remembered
from admin.services import AccountPause, AccountSummary, ActionOutcome, AdminServices
from service.authorization.profiles import ProfileNotGranted, Profiles, SnapshotUser
from service.http.origins import parse_origin
from service.settings import Settings
from service.tokens.breaker import AccountPaused, Breaker
from service.tokens.manager import NoAuthorization, RefreshResult, TokenManager, TokenUnavailable
from service.wechat.account_check import CheckStatus, check_account
from service.wechat.client import WeChatClient
from service.wechat.endpoints import Endpoint
from service.wechat.errcodes import remedy_of, summary_of
from service.wechat.errors import WeChatError
from service.wechat.protocol import Account
from storage.base.clock import Clock
from storage.base.errors import SealError
from storage.base.passwords import PasswordHashes
from storage.sql.accounts.api_keys import ApiKeys
from storage.sql.accounts.attempts import SignInAttempts
from storage.sql.accounts.audit import AuditLog
from storage.sql.accounts.operators import Operators
from storage.sql.accounts.sessions import Sessions
from storage.sql.core.engine import Database
from storage.sql.work.instances import Instances
from storage.sql.work.jobs import Jobs
from storage.user_search import Forecast
from storage.users import Status
from storage.vault import TokenVault

__all__ = ["UserActions", "make_admin_services"]

#: An origin that no browser sends with a form: where ours cannot be told, no change is let through.
_NO_ORIGIN = "http://0.invalid"


class UserActions:
    """What operators may have done about a user. Each says how it ended instead of raising.

    Only `StoreUnavailable` is raised.

    Args:
        vault: Where authorizations are kept.
        client: What asks WeChat.
        tokens: Refreshes.
        profiles: What asks for profiles.
        breaker: What knows the accounts whose calls cannot succeed.
    """

    def __init__(
        self, vault: TokenVault, client: WeChatClient, tokens: TokenManager, profiles: Profiles, breaker: Breaker
    ) -> None:
        self._vault = vault
        self._client = client
        self._tokens = tokens
        self._profiles = profiles
        self._breaker = breaker

    async def refresh_now(self, appid: str, openid: str) -> ActionOutcome:
        """Refresh the user's token, however long it lives on."""
        return await _told(self._refresh(appid, openid))

    async def check_token(self, appid: str, openid: str) -> ActionOutcome:
        """Ask WeChat whether the stored access token is valid. Nothing is refreshed, nothing is changed."""
        return await _told(self._check(appid, openid))

    async def fetch_profile(self, appid: str, openid: str) -> ActionOutcome:
        """Ask WeChat for the user's profile and store it."""
        return await _told(self._fetch(appid, openid))

    async def _refresh(self, appid: str, openid: str) -> ActionOutcome:
        refresh = await self._tokens.refresh_now(appid, openid)
        succeeded = refresh.result is RefreshResult.REFRESHED
        if refresh.error is None:
            return ActionOutcome(succeeded, refresh.result)
        return ActionOutcome(succeeded, refresh.result, refresh.error.errcode, refresh.error.errmsg)

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
        return ActionOutcome(succeeded=True, result="valid" if valid else "invalid")

    async def _fetch(self, appid: str, openid: str) -> ActionOutcome:
        await self._profiles.of(appid, openid, anew=True)
        return ActionOutcome(succeeded=True, result="fetched")


async def _told(action: Awaitable[ActionOutcome]) -> ActionOutcome:  # noqa: PLR0911 - a table, one line for each case
    """Say what kept an action from being done."""
    try:
        return await action
    except NoAuthorization as error:
        return ActionOutcome(succeeded=False, result=error.status or "unknown_user")
    except TokenUnavailable as error:
        return ActionOutcome(succeeded=False, result="try_later", detail=str(error))
    except AccountPaused as error:
        return ActionOutcome(succeeded=False, result="paused", errcode=error.pause.errcode)
    except ProfileNotGranted:
        return ActionOutcome(succeeded=False, result="profile_not_granted")
    except SnapshotUser:
        return ActionOutcome(succeeded=False, result="snapshot_user")
    except WeChatError as error:
        return ActionOutcome(succeeded=False, result="failed", errcode=error.errcode, detail=error.errmsg)
    except SealError as error:
        return ActionOutcome(succeeded=False, result="sealed", detail=str(error))


def make_admin_services(
    settings: Settings,
    *,
    vault: TokenVault,
    key_ids: Sequence[str],
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
        key_ids: The keys that open tokens, the one that seals first.
        database: Where operators, their sessions and the audit log are kept.
        api_keys: The keys of other backends.
        client: What asks WeChat.
        tokens: Refreshes.
        profiles: What asks for profiles.
        breaker: What knows the accounts whose calls cannot succeed.
        clock: What tells the time.
        client_address: Tells where a request comes from.
        own_address: Tells which address of the dashboard a request's browser knows.
    """
    actions = UserActions(vault, client, tokens, profiles, breaker)
    return AdminServices(
        vault=vault,
        directory=vault.directory(),
        counts=Remembered(vault.counts, clock, good_for=20),
        forecast=Remembered(_forecaster(vault, settings.all_accounts(), clock), clock, good_for=5),
        jobs=Jobs(database),
        instances=Instances(database),
        store=settings.token_store,
        key_ids=key_ids,
        operators=Operators(database),
        sessions=Sessions(database),
        throttle=SignInThrottle(SignInAttempts(database), clock),
        audit=AuditLog(database),
        api_keys=api_keys,
        passwords=Passwords(PasswordHashes()),
        clock=clock,
        accounts=[_summary(account) for account in settings.all_accounts()],
        refresh_now=actions.refresh_now,
        check_token=actions.check_token,
        fetch_profile=actions.fetch_profile,
        remedy=remedy_of,
        summary=summary_of,
        pauses=lambda: [
            AccountPause(pause.appid, pause.endpoint, pause.kind, pause.errcode, pause.until)
            for pause in breaker.pauses()
        ],
        examine_account=_examiner(client, settings.all_accounts()),
        verification_files=lambda: _verification_files(settings.verification_files),
        client_address=client_address,
        own_origin=lambda request: _origin_of(own_address(request)),
    )


def _forecaster(
    vault: TokenVault, accounts: Sequence[Account], clock: Clock
) -> Callable[[], Awaitable[Forecast | None]]:
    directory = vault.directory()
    appids = [account.appid for account in accounts]

    async def forecast() -> Forecast | None:
        return None if directory is None else await asyncio.to_thread(directory.forecast, appids, clock.now())

    return forecast


def _summary(account: Account) -> AccountSummary:
    return AccountSummary(account.appid, account.name or account.appid, takes_events=bool(account.event_token))


def _examiner(client: WeChatClient, accounts: Sequence[Account]) -> Callable[[str], Awaitable[ActionOutcome]]:
    by_appid = {account.appid: account for account in accounts}

    async def examine(appid: str) -> ActionOutcome:
        check = await check_account(client, by_appid[appid])
        return ActionOutcome(check.status is CheckStatus.GOOD, check.status, errcode=check.errcode, detail=check.text)

    return examine


def _verification_files(folder: Path | None) -> list[str]:
    return sorted(path.name for path in folder.glob("MP_verify_*.txt")) if folder is not None else []


def _origin_of(address: str) -> str:
    try:
        return parse_origin(address)
    except ValueError:
        return _NO_ORIGIN
