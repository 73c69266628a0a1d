"""Composition of `AdminServices`, with which the dashboard works."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from tornado.httputil import HTTPServerRequest

from admin.operators.hashing_pool import HashingPool
from admin.operators.known_browsers import KnownBrowsers
from admin.operators.sign_in_throttle import SignInThrottle
from admin.operators.step_cookies import StepCookies
from admin.overview.stale_while_revalidate import StaleWhileRevalidate
from admin.services import AdminServices
from service.authorization.profiles import Profiles
from service.runtime.admin_bridge.accounts import OfficialAccounts
from service.runtime.admin_bridge.origins import BrowserOrigins
from service.runtime.admin_bridge.sign_in import make_sign_in_ways
from service.runtime.admin_bridge.user_actions import OperatorActions
from service.runtime.background.call_log import CallLog
from service.settings import Settings
from service.tokens.account_credentials import AccountCredentials
from service.tokens.breaker import Breaker
from service.tokens.manager import TokenManager
from service.wechat.client import WeChatClient
from service.wechat.protocol import Account
from storage.base.clock import Clock
from storage.base.passwords import PasswordHashes
from storage.sealing import KeyRing
from storage.sql.accounts.api_key_uses import ApiKeyUses
from storage.sql.accounts.api_keys import ApiKeys
from storage.sql.accounts.attempts import SignInAttempts
from storage.sql.accounts.audit import AuditLog
from storage.sql.accounts.factors.operator_factors import OperatorFactors
from storage.sql.accounts.operators import Operators
from storage.sql.accounts.provider_operators import ProviderOperators
from storage.sql.accounts.sessions import OperatorSessions
from storage.sql.accounts.user_history import UserHistory
from storage.sql.core.engine import Database
from storage.sql.work.call_outcomes import CallOutcomes
from storage.sql.work.instances import Instances
from storage.sql.work.jobs import Jobs
from storage.user_search import Forecast
from storage.vault import TokenVault

__all__ = ["make_admin_services"]


def make_admin_services(
    settings: Settings,
    *,
    vault: TokenVault,
    keys: KeyRing,
    database: Database,
    api_keys: ApiKeys,
    history: UserHistory,
    client: WeChatClient,
    calls: CallLog,
    tokens: TokenManager,
    profiles: Profiles,
    credentials: AccountCredentials,
    breaker: Breaker,
    clock: Clock,
    client_address: Callable[[HTTPServerRequest], str],
    own_address: Callable[[HTTPServerRequest], str],
) -> AdminServices:
    """Compose what the dashboard works with.

    Args:
        settings: For the accounts and the name of the token store.
        vault: For users and counts.
        keys: For the ids of the keys, and to derive keys that sign.
        database: For operators, their sessions, jobs and the audit log.
        api_keys: The keys of other backends.
        history: What happened to users.
        client: For checks of accounts and tokens.
        calls: How calls to WeChat end, as far as this process has not stored it yet.
        tokens: For refreshes.
        profiles: For fetching profiles.
        credentials: The accounts' own.
        breaker: For pauses.
        clock: The time.
        client_address: Returns the address that a request comes from.
        own_address: Returns the address by which a request's browser knows the dashboard.
    """
    accounts = settings.all_accounts()
    return AdminServices(
        users=OperatorActions(
            vault=vault, client=client, tokens=tokens, profiles=profiles, breaker=breaker, clock=clock
        ),
        accounts=OfficialAccounts(
            accounts,
            client,
            calls,
            breaker,
            settings.verification_files,
            credentials=credentials,
            public_url=settings.public_url,
            allowed_origins=settings.allowed_origins,
        ),
        origins=BrowserOrigins(client_address, own_address),
        vault=vault,
        user_search=vault.user_search(),
        counts=StaleWhileRevalidate(vault.counts, clock, fresh_seconds=20),
        forecast=StaleWhileRevalidate(_forecaster(vault, accounts, clock), clock, fresh_seconds=5),
        jobs=Jobs(database),
        instances=Instances(database),
        call_outcomes=CallOutcomes(database),
        store=settings.token_store,
        shares_database=settings.token_store == "sql"  # noqa: S105 - a name
        and settings.token_store_url in {"", settings.database_url},
        key_ids=keys.key_ids,
        time_zone=settings.admin_timezone,
        ways=make_sign_in_ways(settings, clock),
        steps=StepCookies(keys.derived_keys("steps of signing in"), clock),
        operators=Operators(database),
        provider_operators=ProviderOperators(database),
        factors=OperatorFactors(database, keys),
        sessions=OperatorSessions(database),
        throttle=SignInThrottle(SignInAttempts(database), clock),
        known_browsers=KnownBrowsers(keys.derived_keys("known browser"), clock),
        audit=AuditLog(database),
        api_keys=api_keys,
        api_key_uses=ApiKeyUses(database),
        user_history=history,
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
