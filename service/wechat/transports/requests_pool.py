"""The transport over `requests`, in a pool of threads. Runs wherever Python does."""

import asyncio
import http.client
import io
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests import Request
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError, ReadTimeoutError
from urllib3.poolmanager import PoolManager, ProxyManager
from urllib3.util import Timeout

from service.observability.redaction import install_redaction
from service.wechat.errors import FaultReason
from service.wechat.transports.base import (
    CONNECT_SHARE,
    KEEPALIVE_IDLE_SECONDS,
    KEEPALIVE_INTERVAL_SECONDS,
    MAX_BODY_BYTES,
    USER_AGENT,
    PostingTransport,
    RawReply,
    TransportFault,
    proxy_refusal,
)

__all__ = ["RequestsTransport"]


class RequestsTransport(PostingTransport):
    """Speaks HTTP/1.1, each call in a thread of the transport's own pool.

    The threads share one session. What a session changes while it works is switched off (cookies, redirects, the
    environment) and its pool of connections is made to be shared, so that a call takes the connection used last,
    whichever thread used it.

    A thread is held no longer than the call's time, but for name resolution, which Python cannot interrupt.

    Args:
        timeout_seconds: How long a call may take in all, waiting for a free thread included.
        max_connections: How many calls may be under way at once.
        ca_certs: File of the certificate authorities to trust; those that come with `requests` where left out.
        proxy: The URL of a proxy to reach everything through.
    """

    def __init__(
        self,
        timeout_seconds: float = 4.0,
        max_connections: int = 64,
        *,
        ca_certs: str | None = None,
        proxy: str | None = None,
    ) -> None:
        install_redaction()
        self._timeout_seconds = timeout_seconds
        self._make_session = partial(_make_session, max_connections, ca_certs, proxy)
        self._session = self._make_session()
        self._renewing = threading.Lock()
        self._threads = ThreadPoolExecutor(max_connections, thread_name_prefix="wechat")

    async def get(self, url: str) -> RawReply:
        """Fetch a URL; see `Transport.get`."""
        return await self._call(Request("GET", url), self._timeout_seconds)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, timeout_seconds: float) -> RawReply:
        """Send a body; see `PostingTransport.post`."""
        return await self._call(Request("POST", url, data=body, headers=dict(headers)), timeout_seconds)

    async def _call(self, request: Request, timeout_seconds: float) -> RawReply:
        session = self._session
        call = self._threads.submit(self._fetch, request, time.monotonic() + timeout_seconds)
        outcome = asyncio.wrap_future(call)
        try:
            await asyncio.wait((outcome,), timeout=timeout_seconds)
        finally:
            never_sent = call.cancel()
        if never_sent or not outcome.done():
            if not never_sent:
                self._retire(session)  # its thread finds out a moment later, after the next call may have begun
            raise TransportFault(FaultReason.TIMEOUT, reply_started=not never_sent)
        reply = outcome.result()
        if isinstance(reply, TransportFault):
            raise reply
        return reply

    async def close(self) -> None:
        """Wait for calls under way and close the connections; see `Transport.close`."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        self._session.close()

    def _fetch(self, request: Request, deadline: float) -> RawReply | TransportFault:
        """Fetch in a thread. Returns the fault, so that it is chained to nothing: these libraries' errors hold URLs."""
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            return TransportFault(FaultReason.TIMEOUT, reply_started=False)
        session = self._session
        limit: Any = Timeout(
            total=remaining, connect=CONNECT_SHARE * remaining
        )  # which the stubs of requests do not know, unlike its documentation
        try:
            prepared = session.prepare_request(request)
            prepared.url = request.url  # as it is: `requests` writes a query anew
            with session.send(prepared, timeout=limit, stream=True, allow_redirects=False) as response:
                body = _body_of(response)
                if len(body) > MAX_BODY_BYTES:
                    return TransportFault(FaultReason.TOO_LARGE, reply_started=True)
                return RawReply(response.status_code, body, response.headers.get("Content-Type", ""))
        except Exception as error:  # noqa: BLE001 - what a hostile reply makes these libraries raise is not listed
            fault = _fault_of(error)
            if fault.is_unanswered:
                self._retire(session)
            return fault

    def _retire(self, session: requests.Session) -> None:
        """Give up the connections of a session. A call under way keeps its own, which is closed after it."""
        with self._renewing:
            if self._session is not session:
                return
            self._session = self._make_session()
        session.close()


def _make_session(max_connections: int, ca_certs: str | None, proxy: str | None) -> requests.Session:
    session = requests.Session()
    adapter = _Adapter(pool_connections=1, pool_maxsize=max_connections)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.trust_env = False
    session.verify = ca_certs or True
    session.proxies = {"https": proxy, "http": proxy} if proxy else {}
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "identity"})
    return session


def _body_of(response: requests.Response) -> bytes:
    """Read a body, or its first part if it is too large."""
    body = b""
    # urllib3 finds out only by reading on that a reply ended before the length it had announced.
    while len(body) <= MAX_BODY_BYTES and (part := response.raw.read(MAX_BODY_BYTES + 1, decode_content=False)):
        body += part
    return body


class _TimedReader(io.RawIOBase):
    """Reads a socket until a deadline, however slowly the bytes come."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: float) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(remaining)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    """A reply whose timeout bounds all of it; by itself Python bounds each wait for more bytes."""

    fp: io.BufferedReader

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        timeout = sock.gettimeout()
        assert timeout is not None, "every call has one"
        self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock, time.monotonic() + timeout))


class _Connection(HTTPConnection):
    response_class = _TimedResponse


class _SecureConnection(HTTPSConnection):
    response_class = _TimedResponse

    def connect(self) -> None:
        """Connect, through a proxy where there is one; time that runs out here is told from that of a reply."""
        try:
            super().connect()
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "in the middle of connecting") from error


class _Connections(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecureConnections(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


_SOCKET_OPTIONS = [
    *HTTPConnection.default_socket_options,
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    # Not every system lets these be set for a single connection.
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), seconds)
        for name, seconds in (("TCP_KEEPIDLE", KEEPALIVE_IDLE_SECONDS), ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL_SECONDS))
        if hasattr(socket, name)
    ),
]


class _Adapter(HTTPAdapter):
    """An adapter whose connections bound the time of whole replies."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _bound_time(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> ProxyManager:
        manager: ProxyManager = super().proxy_manager_for(*args, **kwargs)
        _bound_time(manager)
        return manager


def _bound_time(manager: PoolManager) -> None:
    manager.connection_pool_kw["socket_options"] = _SOCKET_OPTIONS
    manager.pool_classes_by_scheme = {"http": _Connections, "https": _SecureConnections}


#: Looked for in this order, among an error and all that caused it: what happened, whether a reply may have begun.
_CAUSES: tuple[tuple[type[BaseException], FaultReason, bool, str], ...] = (
    (NameResolutionError, FaultReason.CONNECTION, False, "the name cannot be resolved"),
    (NewConnectionError, FaultReason.CONNECTION, False, "refused or unreachable"),
    (ConnectTimeoutError, FaultReason.TIMEOUT, False, "while connecting"),
    (ReadTimeoutError, FaultReason.TIMEOUT, True, ""),
    (TimeoutError, FaultReason.TIMEOUT, True, ""),
    (ssl.SSLCertVerificationError, FaultReason.CONNECTION, False, "the server's certificate is not trusted"),
    (ssl.SSLError, FaultReason.CONNECTION, True, "TLS failed"),
    (http.client.RemoteDisconnected, FaultReason.CONNECTION, False, "closed without an answer"),
    (http.client.IncompleteRead, FaultReason.CONNECTION, True, "closed in the middle of the reply"),
    (http.client.HTTPException, FaultReason.MALFORMED, True, "the answer is not HTTP"),
    (ConnectionError, FaultReason.CONNECTION, True, "broke"),
)


#: How `http.client` tells in a bare OSError that a proxy does not CONNECT.
_PROXY_REFUSAL = re.compile(r"Tunnel connection failed: (\d{3})\b")


def _fault_of(error: Exception) -> TransportFault:
    """Return what the libraries report in a text of our own: theirs quote the URL."""
    causes = list(_causes_of(error))
    for seen in causes:
        if type(seen) is OSError and (refusal := _PROXY_REFUSAL.match(str(seen))):
            return TransportFault(FaultReason.CONNECTION, reply_started=False, detail=proxy_refusal(int(refusal[1])))
    for cause, reason, reply_started, detail in _CAUSES:
        if any(isinstance(seen, cause) for seen in causes):
            return TransportFault(reason, reply_started=reply_started, detail=detail)
    return TransportFault(FaultReason.MALFORMED, reply_started=True, detail=type(error).__name__)


def _causes_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it holds: these libraries wrap causes in attributes and arguments as well as chains."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        cause = waiting.pop()
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            waiting += [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]
