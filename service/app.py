"""Composition: from settings and collaborators to the two web applications. Opens nothing, starts nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tornado.web import Application, RequestHandler

from service.breaker import Breaker
from service.exchange import CodeExchange
from service.handlers import h5, internal, ops
from service.handlers.base import NotFoundHandler, log_request
from service.in_flight import InFlight
from service.keeper import TokenKeeper
from service.metrics import Metrics
from service.rate_limit import RateLimit
from service.refresh_policy import RefreshPolicy
from service.scheduler import RefreshScheduler
from service.settings import Settings
from service.signing import SessionSigner
from service.wechat.client import WeChatClient
from storage.clock import Clock
from storage.sealing import KeyRing
from storage.sql.api_keys import ApiKeys
from storage.vault import TokenVault

__all__ = ["Service", "make_private_app", "make_public_app", "make_service"]

Route = tuple[str, type[RequestHandler], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Service:
    """Everything that works behind the handlers, for one event loop."""

    settings: Settings
    clock: Clock
    keys: KeyRing
    vault: TokenVault
    api_keys: ApiKeys
    breaker: Breaker
    exchange: CodeExchange
    keeper: TokenKeeper
    scheduler: RefreshScheduler
    metrics: Metrics

    async def drain(self) -> None:
        """Finish exchanges and refreshes that are under way, and claim nothing more."""
        await self.scheduler.stop()
        await self.exchange.drain()
        await self.keeper.drain()


def make_service(
    settings: Settings,
    *,
    keys: KeyRing,
    vault: TokenVault,
    api_keys: ApiKeys,
    client: WeChatClient,
    clock: Clock,
    metrics: Metrics,
) -> Service:
    """Put the parts together. Call it in the event loop that will run them."""
    policy = RefreshPolicy(settings.refresh_ahead_seconds, settings.refresh_active_within_days)
    breaker = Breaker(clock, metrics.pause)
    keeper = TokenKeeper(vault, client, breaker, clock, policy)
    return Service(
        settings=settings,
        clock=clock,
        keys=keys,
        vault=vault,
        api_keys=api_keys,
        breaker=breaker,
        exchange=CodeExchange(vault, client, breaker, clock, policy),
        keeper=keeper,
        scheduler=RefreshScheduler(
            vault,
            keeper,
            breaker,
            clock,
            [account.appid for account in settings.all_accounts()],
            every_seconds=settings.refresh_every_seconds,
            concurrency=settings.refresh_concurrency,
            max_per_second=settings.refresh_max_per_second,
            observe=metrics.refresh,
        ),
        metrics=metrics,
    )


def make_public_app(service: Service, extra_routes: Sequence[Route] = ()) -> Application:
    """Return the application that pages in WeChat's browser reach."""
    settings = service.settings
    page_services = h5.PageServices(
        exchange=service.exchange,
        sessions=SessionSigner(service.keys, service.clock),
        accounts={account.appid: account for account in settings.all_accounts()},
        rate_limit=RateLimit(settings.rate_limit, settings.rate_limit_storage, service.clock),
        trusted_proxies=settings.trusted_proxies,
        secure_cookies=settings.public_url.startswith("https://"),
    )
    return _application(service.metrics, [*h5.routes(page_services), *ops.health_routes(), *extra_routes])


def make_private_app(service: Service) -> Application:
    """Return the application that operators and other backends reach."""
    return _application(
        service.metrics,
        [
            *internal.routes(service.keeper, service.api_keys, service.clock),
            *ops.routes(service.vault, service.metrics),
        ],
    )


def _application(metrics: Metrics, routes: Sequence[Route]) -> Application:
    def note(handler: RequestHandler) -> None:
        metrics.reply(type(handler).__name__, handler.get_status())
        log_request(handler)

    return Application(list(routes), default_handler_class=NotFoundHandler, log_function=note, in_flight=InFlight())
