"""Composition: from settings and collaborators to the two web applications. Opens nothing, starts nothing."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from urllib.parse import urlsplit

from tornado.web import Application, RequestHandler

from admin.jobs.runner import JobRunner
from admin.routes import make_admin_routes
from admin.services import AdminServices
from service.authorization.counters import Counters
from service.authorization.exchange import CodeExchange, FailedExchange
from service.authorization.exchange_budget import ExchangeBudget, budget_of_process
from service.authorization.id_tokens import IdTokens, public_keys
from service.authorization.profiles import Profiles
from service.authorization.sessions import SessionSigner
from service.authorization.states import States
from service.authorization.visitor_sessions import VisitorSessions
from service.http.api_key_access import ApiKeyAccess
from service.http.clients import Clients
from service.http.cookies import CookiePolicy
from service.http.cors import RefusedOrigins
from service.http.handlers import authorize, callback, events, files, h5, internal, jssdk, jwks, ops, profile, session
from service.http.handlers.base import NotFoundHandler, Route
from service.http.handlers.internal import InternalServices
from service.http.handlers.page import PageServices
from service.http.handlers.private_application import PrivateApplication
from service.http.in_flight import InFlight
from service.http.known_networks import KnownNetworks
from service.http.origins import AllowedOrigins
from service.http.outside_wechat import OutsideWeChat
from service.http.private_side import PrivateSide
from service.http.rate_limit import RateLimit
from service.http.request_ids import RequestIds
from service.http.request_log import RequestLog
from service.observability.metrics import Metrics
from service.runtime.admin_bridge.services import make_admin_services
from service.runtime.background.activity_log import ActivityLog
from service.runtime.background.api_key_use_log import ApiKeyUseLog
from service.runtime.background.audit_retention import AuditRetention
from service.runtime.background.call_log import CallLog
from service.runtime.background.heartbeat import Heartbeat
from service.runtime.background.user_history_log import UserHistoryLog
from service.settings import Settings
from service.tokens.account_credentials import AccountCredentials
from service.tokens.breaker import Breaker
from service.tokens.manager import TokenManager
from service.tokens.refresh_policy import RefreshPolicy
from service.tokens.refresher import TokenRefresher
from service.tokens.scheduler import RefreshScheduler
from service.webhooks.processor import EventProcessor
from service.webhooks.receiver import PushReceiver
from service.webhooks.relay import MessageRelay
from service.wechat.client import WeChatClient
from storage.activity import ActivityKind
from storage.base.clock import Clock
from storage.credentials.vault import CredentialVault
from storage.sealing import KeyRing
from storage.sql.accounts.api_key_uses import ApiKeyUses
from storage.sql.accounts.api_keys import ApiKeys
from storage.sql.accounts.audit import AuditLog
from storage.sql.accounts.session_ends import SessionEnds
from storage.sql.accounts.user_history import UserHistory
from storage.sql.core.engine import Database
from storage.sql.work.event_deliveries import EventDeliveries
from storage.sql.work.instances import Instances
from storage.vault import TokenVault

__all__ = ["Service", "make_private_app", "make_public_app", "make_service"]

#: How long a job waits for its next users: nobody sits in front of it.
_JOBS_PATIENCE_SECONDS = 30.0
#: A visitor looks at their own profile, an address may have many visitors.
_PROFILES_OF_USER_DIVIDED_BY = 10


@dataclass(frozen=True, slots=True)
class Service:
    """Everything that works behind the handlers, for one event loop."""

    settings: Settings
    clock: Clock
    keys: KeyRing
    vault: TokenVault
    api_keys: ApiKeys
    dashboard: AdminServices
    audit_retention: AuditRetention
    activity: ActivityLog
    calls: CallLog
    api_key_use_log: ApiKeyUseLog
    user_history_log: UserHistoryLog
    heartbeat: Heartbeat
    jobs: JobRunner
    breaker: Breaker
    exchange: CodeExchange
    visitor_sessions: VisitorSessions
    tokens: TokenManager
    credentials: AccountCredentials
    profiles: Profiles
    pushes: PushReceiver
    scheduler: RefreshScheduler
    metrics: Metrics
    counters: Counters

    async def drain(self) -> None:
        """Finish exchanges and refreshes that are under way, and claim nothing more."""
        for background in (self.scheduler, self.audit_retention, self.jobs):
            await background.stop()
        for work in (self.exchange, self.profiles, self.pushes, self.tokens):
            await work.drain()
        await self.credentials.stop()
        for log in (self.activity, self.calls, self.api_key_use_log, self.user_history_log, self.heartbeat):
            await log.stop()
        await self.counters.close()


def make_service(
    settings: Settings,
    *,
    keys: KeyRing,
    vault: TokenVault,
    credential_vault: CredentialVault,
    database: Database,
    client: WeChatClient,
    relay: MessageRelay,
    calls: CallLog,
    clock: Clock,
    metrics: Metrics,
    session_ends: SessionEnds,
    history: UserHistory,
) -> Service:
    """Put the parts together. Call it in the event loop that will run them."""
    visitor_sessions = VisitorSessions(session_ends, vault, clock)
    counters = Counters.open(settings.rate_limit_storage, clock)
    policy = RefreshPolicy(settings.refresh_ahead_seconds, settings.refresh_active_within_days)
    breaker = Breaker(clock, metrics.pause)
    history_log = UserHistoryLog(history, clock)
    refresher = TokenRefresher(vault, client, breaker, clock, policy, note_failure=history_log.refresh_failed)
    tokens = TokenManager(vault, refresher, clock, policy)
    profiles = Profiles(vault, client, tokens, breaker, clock, cache_seconds=settings.profile_cache_seconds)
    api_keys = ApiKeys(database)
    activity = ActivityLog(vault, clock)
    operators = Clients(settings.trusted_proxies, settings.admin_url)
    credentials = AccountCredentials(
        settings.all_accounts(),
        credential_vault,
        client,
        breaker,
        clock=clock,
        policy=policy,
        every_seconds=settings.refresh_every_seconds,
        observe=metrics.credential,
    )
    dashboard = make_admin_services(
        settings,
        vault=vault,
        keys=keys,
        database=database,
        api_keys=api_keys,
        history=history,
        client=client,
        calls=calls,
        tokens=tokens,
        profiles=profiles,
        credentials=credentials,
        breaker=breaker,
        clock=clock,
        client_address=operators.address,
        own_address=operators.service_address,
    )
    return Service(
        settings=settings,
        clock=clock,
        keys=keys,
        vault=vault,
        api_keys=api_keys,
        dashboard=dashboard,
        audit_retention=AuditRetention(AuditLog(database), clock, settings.audit_retention_days),
        activity=activity,
        calls=calls,
        api_key_use_log=ApiKeyUseLog(ApiKeyUses(database), clock, metrics.api_key_use),
        user_history_log=history_log,
        heartbeat=Heartbeat(
            Instances(database),
            name=vault.instance,
            version=version("wechat-openid"),
            clock=clock,
            pauses=breaker.pauses,
        ),
        jobs=JobRunner(
            dashboard,
            vault.user_search(_JOBS_PATIENCE_SECONDS),
            vault.instance,
            max_per_second=settings.refresh_max_per_second,
        ),
        breaker=breaker,
        exchange=CodeExchange(
            vault,
            client,
            breaker,
            clock,
            policy,
            budget=ExchangeBudget(budget_of_process(settings), counters, clock, refused=metrics.budget_refusal),
            is_signed_in=visitor_sessions.is_good,
            accepted=metrics.good_code,
            failed=metrics.failed_exchange,
            refused=partial(_note_refused, activity, calls),
        ),
        visitor_sessions=visitor_sessions,
        tokens=tokens,
        credentials=credentials,
        profiles=profiles,
        pushes=PushReceiver(
            {account.appid: account for account in settings.all_accounts()},
            EventProcessor(vault, profiles, EventDeliveries(database), clock),
            relay,
            clock,
            observe=metrics.message,
        ),
        scheduler=RefreshScheduler(
            vault,
            refresher,
            breaker,
            clock,
            [account.appid for account in settings.all_accounts()],
            every_seconds=settings.refresh_every_seconds,
            concurrency=settings.refresh_concurrency,
            max_per_second=settings.refresh_max_per_second,
            observe=metrics.refresh,
        ),
        metrics=metrics,
        counters=counters,
    )


def _note_refused(activity: ActivityLog, calls: CallLog, failed: FailedExchange) -> None:
    activity.note(failed.appid, ActivityKind.EXCHANGE_FAILED, failed.errcode)
    calls.refused(failed)


def make_public_app(service: Service, extra_routes: Sequence[Route] = ()) -> Application:
    """Return the application of the public listener."""
    settings = service.settings
    page_services = _page_services(service)
    for_pages = (h5, authorize, callback, profile, session, jssdk)
    routes: list[Route] = [
        *(route for module in for_pages for route in module.routes(page_services)),
        *jwks.routes(public_keys(service.keys)),
        *files.routes(settings.verification_files),
        *events.routes(service.pushes),
        *ops.health_routes(),
        *extra_routes,
    ]
    return _application(service, routes, page_services.clients, page_services.origins)


def _page_services(service: Service) -> PageServices:
    settings = service.settings
    origins = AllowedOrigins.of(settings.allowed_origins, settings.public_url)
    cookies = CookiePolicy.suiting(settings.public_url, origins)
    id_tokens = None
    if settings.id_token_audience:
        id_tokens = IdTokens(
            service.keys, service.clock, issuer=settings.public_url, audience=settings.id_token_audience
        )
    limit = partial(RateLimit, settings.rate_limit, service.counters, service.clock)
    return PageServices(
        exchange=service.exchange,
        profiles=service.profiles,
        sessions=SessionSigner(service.keys, service.clock, cookies.prefix),
        visitor_sessions=service.visitor_sessions,
        states=States(service.keys, service.clock, cookies.prefix),
        id_tokens=id_tokens,
        accounts={account.appid: account for account in settings.all_accounts()},
        rate_limit=limit("exchange"),
        begin_limit=limit("begin"),
        profile_limit=limit("profile"),
        profile_limit_of_user=limit("profile of user", divided_by=_PROFILES_OF_USER_DIVIDED_BY),
        jssdk_limit=limit("wx.config"),
        credentials=service.credentials,
        clock=service.clock,
        known_networks=KnownNetworks(),
        clients=Clients(settings.trusted_proxies, settings.public_url),
        origins=origins,
        refused_origins=RefusedOrigins(service.clock),
        cookies=cookies,
        authorize_pages=settings.authorize_pages(),
        outside_wechat=OutsideWeChat(settings.outside_wechat, settings.wechat_authorize_url),
        require_state=settings.require_state,
    )


def make_private_app(service: Service) -> Application:
    """Return the application of the private listener."""
    settings = service.settings
    clients = Clients(settings.trusted_proxies, "")
    side = PrivateSide(
        [*settings.admin_hosts, settings.admin_listen.host, urlsplit(settings.admin_url).hostname or ""],
        own_address=service.dashboard.origins.own_origin,
        asked_address=clients.service_address,
    )
    backends = InternalServices(
        service.tokens,
        service.credentials,
        service.vault,
        ApiKeyAccess(service.api_keys, service.counters, service.clock),
        service.api_key_use_log.note,
        service.user_history_log.token_read,
    )
    return _application(
        service,
        [
            *internal.routes(backends),
            *ops.routes(service.vault, service.metrics),
            *make_admin_routes(service.dashboard),
        ],
        clients,
        AllowedOrigins(()),
        partial(PrivateApplication, side=side),
    )


def _application(
    service: Service,
    routes: Sequence[Route],
    clients: Clients,
    origins: AllowedOrigins,
    kind: Callable[..., Application] = Application,
) -> Application:
    log = RequestLog(clients.address, logging.INFO if service.settings.access_log else logging.DEBUG)

    def note(handler: RequestHandler) -> None:
        service.metrics.reply(type(handler).__name__, handler.get_status())
        log.note(handler)

    return kind(
        list(routes),
        default_handler_class=NotFoundHandler,
        log_function=note,
        in_flight=InFlight(),
        request_ids=RequestIds(clients.is_from_proxy),
        origins=origins,
    )
