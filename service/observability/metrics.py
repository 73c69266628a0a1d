"""`Metrics`: the metrics for Prometheus.

Labels are created at start, so that an alert can be written before the first failure.
"""

from collections.abc import Iterable, Mapping

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from service.authorization.exchange import CODE_MALFORMED, CODE_USED
from service.authorization.exchange_budget import Standing
from service.observability.multiprocess import is_shared
from service.tokens.credential_fetcher import FetchResult
from service.tokens.refresher import Refresh, RefreshResult
from service.webhooks.receiver import MessageKind
from service.webhooks.relay import RelayOutcome
from service.wechat.endpoints import Endpoint
from service.wechat.errcodes import Kind
from service.wechat.errors import WeChatError
from storage.credentials.records import CredentialKind
from storage.pauses import AccountPause

__all__ = ["Metrics"]

#: What an alert on made-up codes (40029) looks at; used ones (40163) are what shared links and double posts give.
_RESULT_OF_ERRCODE: Mapping[int | None, str] = {CODE_MALFORMED: "invalid_code", CODE_USED: "used_code"}
_EXCHANGE_RESULTS = ("ok", *_RESULT_OF_ERRCODE.values(), "other")
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Metrics:
    """The metrics of one process.

    Args:
        appids: The accounts that are configured.
    """

    def __init__(self, appids: Iterable[str] = ()) -> None:
        self._registry = CollectorRegistry()
        self._calls = Counter(
            "wechat_openid_wechat_calls", "Calls to WeChat.", ["endpoint", "outcome"], registry=self._registry
        )
        self._call_seconds = Histogram(
            "wechat_openid_wechat_call_seconds",
            "How long WeChat took to answer.",
            ["endpoint"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._refreshes = Counter(
            "wechat_openid_refreshes", "Scheduled refreshes by result.", ["result"], registry=self._registry
        )
        self._credentials = Counter(
            "wechat_openid_credential_refreshes",
            "Fetches of accounts' own access tokens and tickets by result.",
            ["kind", "result"],
            registry=self._registry,
        )
        self._pauses = Counter(
            "wechat_openid_account_pauses",
            "How often calls of an account were paused.",
            ["appid", "endpoint", "kind"],
            registry=self._registry,
        )
        self._exchanges = Counter(
            "wechat_openid_exchanges",
            "Codes that WeChat was asked about.",
            ["appid", "result"],
            registry=self._registry,
        )
        self._budget_refusals = Counter(
            "wechat_openid_exchange_budget_refusals",
            "Exchanges that the account's budget had no part left for.",
            ["appid", "standing"],
            registry=self._registry,
        )
        self._api_key_uses = Counter(
            "wechat_openid_api_key_uses",
            "Tokens and users that API keys were answered with.",
            ["key", "appid"],
            registry=self._registry,
        )
        self._messages = Counter(
            "wechat_openid_pushed_messages",
            "Messages that WeChat pushed, by what they are.",
            ["appid", "kind"],
            registry=self._registry,
        )
        self._relays = Counter(
            "wechat_openid_relayed_messages",
            "Messages that were passed on to EVENT_FORWARD_URL, by what came of it.",
            ["appid", "outcome"],
            registry=self._registry,
        )
        self._replies = Counter(
            "wechat_openid_http_replies", "HTTP replies.", ["handler", "status"], registry=self._registry
        )
        self._store_up = Gauge(
            "wechat_openid_store_up",
            "Whether the store answered last time (1) or not (0).",
            registry=self._registry,
            multiprocess_mode="livemin",
        )
        self._store_up.set(1)
        outcomes = ("ok", *Kind)
        self._calls_by = {(e, o): self._calls.labels(e, o) for e in Endpoint for o in outcomes}
        self._seconds_by = {endpoint: self._call_seconds.labels(endpoint) for endpoint in Endpoint}
        for appid in appids:
            for result in _EXCHANGE_RESULTS:
                self._exchanges.labels(appid, result)
            for standing in Standing:
                self._budget_refusals.labels(appid, standing)
            for message_kind in MessageKind:
                self._messages.labels(appid, message_kind)
            for relay_outcome in RelayOutcome:
                self._relays.labels(appid, relay_outcome)
            for endpoint in Endpoint:
                for kind in (Kind.CONFIGURATION, Kind.RATE_LIMITED):  # those that a breaker pauses for
                    self._pauses.labels(appid, endpoint, kind)
        self._credentials_by = {(k, r): self._credentials.labels(k, r) for k in CredentialKind for r in FetchResult}
        self._refreshes_by = {result: self._refreshes.labels(result) for result in RefreshResult}

    def reply(self, handler: str, status: int) -> None:
        """Count one HTTP reply."""
        self._replies.labels(handler, status).inc()

    def call(self, endpoint: Endpoint, outcome: str, seconds: float) -> None:
        """Count one call to WeChat."""
        self._calls_by[endpoint, outcome].inc()
        self._seconds_by[endpoint].observe(seconds)

    def good_code(self, appid: str) -> None:
        """Count one code that WeChat accepted."""
        self._exchanges.labels(appid, "ok").inc()

    def failed_exchange(self, error: WeChatError) -> None:
        """Count one code that WeChat refused, or gave no usable answer about."""
        self._exchanges.labels(error.appid, _RESULT_OF_ERRCODE.get(error.errcode, "other")).inc()

    def budget_refusal(self, appid: str, standing: Standing) -> None:
        """Count one exchange that was refused because the account's budget was spent."""
        self._budget_refusals.labels(appid, standing).inc()

    def api_key_use(self, name: str, appid: str) -> None:
        """Count one answer about a user to the backend of an API key."""
        self._api_key_uses.labels(name, appid).inc()

    def refresh(self, refresh: Refresh) -> None:
        """Count one scheduled refresh."""
        self._refreshes_by[refresh.result].inc()

    def credential(self, kind: CredentialKind, result: FetchResult) -> None:
        """Count one fetch of an account's own credential."""
        self._credentials_by[kind, result].inc()

    def pause(self, pause: AccountPause) -> None:
        """Count the beginning of a pause."""
        self._pauses.labels(pause.appid, pause.endpoint, pause.kind).inc()

    def message(self, appid: str, kind: MessageKind) -> None:
        """Count one message that WeChat pushed."""
        self._messages.labels(appid, kind).inc()

    def relay(self, appid: str, outcome: RelayOutcome) -> None:
        """Count one message that was passed on."""
        self._relays.labels(appid, outcome).inc()

    def store_up(self, up: bool) -> None:
        """Note whether the store answers."""
        self._store_up.set(up)

    def expose(self) -> tuple[str, bytes]:
        """Return the content type and the text, added up over all workers where there are several."""
        registry = self._registry
        if is_shared():
            registry = CollectorRegistry()
            MultiProcessCollector(registry)
        return CONTENT_TYPE_LATEST, generate_latest(registry)
