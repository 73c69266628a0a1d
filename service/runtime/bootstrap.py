"""Opens what the settings name: keys, store, database, transport."""

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from service.observability.metrics import Metrics
from service.runtime.app import Service, make_service
from service.runtime.background.call_log import CallLog
from service.settings import Settings, SettingsError
from service.webhooks.relay import RELAY_SECONDS, MessageRelay
from service.wechat.client import WeChatClient
from service.wechat.endpoints import Endpoint
from service.wechat.errors import WeChatError
from service.wechat.transports import PostingTransport, TransportUnavailable, make_transport
from storage.base.clock import Clock, SystemClock
from storage.base.errors import NotMadeYet, SchemaNotReady, StorageError, StoreUnavailable
from storage.base.risks import RISK_SENTENCES
from storage.base.schema_report import SchemaReport, SchemaState
from storage.credentials.vault import CredentialVault
from storage.registry import load_store
from storage.sealing import KeyRing, read_key_file
from storage.sql.accounts.session_ends import SessionEnds
from storage.sql.accounts.user_history import UserHistory
from storage.sql.core.addresses import sqlite_file
from storage.sql.core.engine import HOW_TO_MIGRATE, Database
from storage.sql.core.revisions import schema_report
from storage.sql.work.call_outcomes import CallOutcomes
from storage.store import TokenStore
from storage.vault import TokenVault

__all__ = ["DEFAULT_KEY_FILE", "open_client", "open_database", "open_keys", "open_service", "open_store"]

DEFAULT_KEY_FILE = Path("var/secret-keys")
#: Messages that are passed on at once, in each process; more wait within their time.
_RELAY_CONNECTIONS = 64

#: How often a code is risked where a store refuses grants although it takes probes, in seconds.
_RELAPSE_SECONDS = 10.0

_logger = logging.getLogger(__name__)


def open_keys(settings: Settings) -> KeyRing:
    """Return the ring of keys; without a setting, that of the key file.

    Raises:
        InvalidKey: What is there is not a key.
        NotMadeYet: There is no key file.
    """
    return KeyRing.parse(settings.secret_keys or read_key_file(DEFAULT_KEY_FILE))


def open_database(settings: Settings) -> Database:
    """Return the database, its tables as the code expects them. A file that is not there is not made.

    Raises:
        NotMadeYet: There is no such SQLite file.
        SchemaNotReady: The tables are missing or behind; the text holds the command to type.
        SettingsError: DATABASE_URL cannot be used.
    """
    try:
        _require_file(settings.database_url)
        database = Database.open(settings.database_url)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    try:
        _require_current(database.read(schema_report))
    except StorageError:
        database.close()
        raise
    return database


def open_store(settings: Settings) -> TokenStore:
    """Return the token store, its tables as the code expects them. An SQLite file that is not there is not made.

    Raises:
        RegistryError: There is no such store, or it does not fit.
        NotMadeYet: There is no such SQLite file.
        SchemaNotReady: Its tables are missing or behind.
        StorageError: Its server is set up to lose users.
        SettingsError: Its URL cannot be used.
    """
    url = settings.token_store_url or settings.database_url
    try:
        if settings.token_store == "sql":  # noqa: S105 - a name
            _require_file(url)
        store = load_store(settings.token_store).open(url)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    _require_current(store.check_schema())
    for risk in store.risks():
        _logger.warning("the token store: %s", RISK_SENTENCES[risk])
    return store


def open_client(
    settings: Settings,
    metrics: Metrics,
    ended: Callable[[Endpoint, str, WeChatError | None], None] = lambda *_: None,
) -> WeChatClient:
    """Return a client of WeChat, which tells `ended` of each call. Call it in the event loop that will use it.

    Raises:
        SettingsError: WECHAT_TRANSPORT names one that is not installed.
    """
    transport = _open_transport(
        settings,
        settings.wechat_timeout_seconds,
        settings.wechat_max_connections,
        ca_certs=settings.wechat_ca_file or None,
        proxy=settings.wechat_proxy or None,
    )
    api_url, *further_api_urls = settings.wechat_api_url.split(",")
    return WeChatClient(
        transport,
        api_url=api_url,
        further_api_urls=further_api_urls,
        timeout_seconds=settings.wechat_timeout_seconds,
        observe=metrics.call,
        ended=ended,
    )


def open_relay(settings: Settings, metrics: Metrics) -> MessageRelay:
    """Return what passes pushed messages on. Call it in the event loop that will use it.

    Raises:
        SettingsError: WECHAT_TRANSPORT names one that is not installed.
    """
    transport = _open_transport(settings, RELAY_SECONDS, _RELAY_CONNECTIONS)
    return MessageRelay(transport, within_seconds=RELAY_SECONDS, observe=metrics.relay)


@asynccontextmanager
async def open_service(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Service]:
    """Open everything, make sure that the keys fit what is stored, and close it all in the end. Makes nothing new.

    Args:
        settings: What to open.
        clock: What tells the time, if not the machine's clock.

    Raises:
        SettingsError, StorageError: Something cannot be used; the text says what to do.
    """
    settings.all_accounts()  # before anything is made or opened
    keys = open_keys(settings)
    database = await asyncio.to_thread(open_database, settings)
    store = await asyncio.to_thread(open_store, settings)
    metrics = Metrics([account.appid for account in settings.all_accounts()])
    instance = f"{socket.gethostname()[:32]}:{os.getpid()}:{secrets.token_hex(4)}"
    clock = clock or SystemClock()
    session_ends, history = SessionEnds(database), UserHistory(database)

    def note_end(appid: str, openid: str, erased: bool) -> None:
        session_ends.end(appid, openid, clock.now())
        if erased:
            history.forget(appid, openid)

    vault = TokenVault(
        store,
        keys,
        instance=instance,
        # Each worker finds out for itself; all of them together risk a code no more often than one would.
        relapse_seconds=_RELAPSE_SECONDS * settings.workers,
        on_availability=metrics.store_up,
        on_ended=note_end,
    )
    calls = CallLog(CallOutcomes(database), clock)
    client = open_client(settings, metrics, calls.ended)
    relay = open_relay(settings, metrics)
    try:
        await vault.check_keys()
        with suppress(StoreUnavailable):  # the vault says so, and refuses exchanges until the store takes them
            await vault.check_writable()
        yield make_service(
            settings,
            keys=keys,
            vault=vault,
            credential_vault=CredentialVault(store, keys, instance=instance),
            database=database,
            client=client,
            relay=relay,
            calls=calls,
            clock=clock,
            session_ends=session_ends,
            history=history,
            metrics=metrics,
        )
    finally:
        await relay.close()
        await client.close()
        await vault.close()
        database.close()


def _open_transport(
    settings: Settings,
    timeout_seconds: float,
    max_connections: int,
    *,
    ca_certs: str | None = None,
    proxy: str | None = None,
) -> PostingTransport:
    try:
        return make_transport(
            settings.wechat_transport, timeout_seconds, max_connections, ca_certs=ca_certs, proxy=proxy
        )
    except TransportUnavailable as error:
        raise SettingsError(str(error)) from None


def _require_file(url: str) -> None:
    file = sqlite_file(url)
    if file is not None and not file.exists():
        raise NotMadeYet(
            f"there is no database {file}: run this in the folder of the service, or set DATABASE_URL; "
            "the first `wechat-openid serve` makes it"
        )


def _require_current(report: SchemaReport) -> None:
    if report.state is SchemaState.AHEAD:
        _logger.warning("the database is at %s, ahead of this version's %s", report.current, report.expected)
    elif report.state is not SchemaState.CURRENT:
        raise SchemaNotReady(
            f"the database's tables are {report.state} (at {report.current or 'none'}, expected {report.expected}); "
            f"{HOW_TO_MIGRATE}"
        )
