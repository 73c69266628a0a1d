"""The transport over libcurl, by pycurl's own asyncio interface."""

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Final

import certifi
import pycurl
from pycurl import AsyncCurlMulti

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

__all__ = ["CurlTransport", "curl_version"]

_REASONS: Final = {
    pycurl.E_UNSUPPORTED_PROTOCOL: (FaultReason.MALFORMED, "the answer is not HTTP"),
    pycurl.E_COULDNT_RESOLVE_PROXY: (FaultReason.CONNECTION, "the name of the proxy cannot be resolved"),
    pycurl.E_COULDNT_RESOLVE_HOST: (FaultReason.CONNECTION, "the name cannot be resolved"),
    pycurl.E_COULDNT_CONNECT: (FaultReason.CONNECTION, "refused or unreachable"),
    pycurl.E_FTP_WEIRD_SERVER_REPLY: (FaultReason.MALFORMED, "the answer is not HTTP"),
    pycurl.E_PARTIAL_FILE: (FaultReason.CONNECTION, "closed in the middle of the reply"),
    pycurl.E_WRITE_ERROR: (FaultReason.TOO_LARGE, ""),  # only `_Handle` refuses to take what comes
    pycurl.E_OPERATION_TIMEDOUT: (FaultReason.TIMEOUT, ""),
    pycurl.E_SSL_CONNECT_ERROR: (FaultReason.CONNECTION, "the TLS handshake failed"),
    pycurl.E_GOT_NOTHING: (FaultReason.CONNECTION, "closed without an answer"),
    pycurl.E_SEND_ERROR: (FaultReason.CONNECTION, "broke while sending"),
    pycurl.E_RECV_ERROR: (FaultReason.CONNECTION, "broke while receiving"),
    pycurl.E_SSL_CACERT: (FaultReason.CONNECTION, "the server's certificate is not trusted"),
    # Only `_Handle` aborts: the connection was closed without an answer, and libcurl was about to send again.
    pycurl.E_ABORTED_BY_CALLBACK: (FaultReason.CONNECTION, "closed without an answer"),
}
_BEFORE_ANY_REPLY: Final = frozenset(
    {
        pycurl.E_COULDNT_RESOLVE_PROXY,
        pycurl.E_COULDNT_RESOLVE_HOST,
        pycurl.E_COULDNT_CONNECT,
        pycurl.E_SSL_CONNECT_ERROR,
        pycurl.E_GOT_NOTHING,
        pycurl.E_SEND_ERROR,
        pycurl.E_ABORTED_BY_CALLBACK,
    }
)
#: libcurl takes 0 milliseconds for "no limit".
_LEAST_MILLISECONDS: Final = 10
#: Load balancers and address translation of clouds forget connections that were idle for some minutes.
_MOST_IDLE_SECONDS: Final = 60
#: However busy a connection is, a name that has moved is followed after this time.
_MOST_SECONDS_OF_A_CONNECTION: Final = 600


def curl_version() -> str:
    """Return the versions of pycurl, of libcurl and of what that is built on."""
    return str(pycurl.version)


class _Handle:
    """An easy handle, set up once for all of its calls, and the body that it is receiving.

    One is used for `GET` only or for `POST` only, so that neither has to undo what the other has set.
    """

    def __init__(self, ca_certs: str, proxy: str) -> None:
        self.curl = pycurl.Curl()
        self._body = bytearray()
        self._is_sent = False
        for option, value in {
            # Over HTTP/2 all calls share a connection, and all are lost while it is dead without a word.
            pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
            pycurl.TCP_KEEPALIVE: 1,
            pycurl.TCP_KEEPIDLE: KEEPALIVE_IDLE_SECONDS,
            pycurl.TCP_KEEPINTVL: KEEPALIVE_INTERVAL_SECONDS,
            pycurl.MAXAGE_CONN: _MOST_IDLE_SECONDS,
            pycurl.MAXLIFETIME_CONN: _MOST_SECONDS_OF_A_CONNECTION,
            pycurl.PROXY: proxy,  # where it is empty, libcurl takes none from the environment either
            pycurl.HTTPPROXYTUNNEL: 1,  # a proxy is never shown a URL, which holds secrets
            pycurl.NOSIGNAL: 1,  # the store works in threads, where libcurl's signals are not safe
            pycurl.FOLLOWLOCATION: 0,
            pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
            pycurl.USERAGENT: USER_AGENT,
            pycurl.CAINFO: ca_certs,
            pycurl.WRITEFUNCTION: self._receive,
            pycurl.PREREQFUNCTION: self._may_send,
        }.items():
            self.curl.setopt(option, value)

    def prepare(self, url: str, seconds: float) -> pycurl.Curl:
        """Return the easy handle, ready for its next call."""
        self._body.clear()
        self._is_sent = False
        self.curl.setopt(pycurl.URL, url)
        milliseconds = max(round(1000 * seconds), _LEAST_MILLISECONDS)
        self.curl.setopt(pycurl.TIMEOUT_MS, milliseconds)
        self.curl.setopt(pycurl.CONNECTTIMEOUT_MS, round(CONNECT_SHARE * milliseconds))
        return self.curl

    def prepare_post(self, url: str, seconds: float, body: bytes, headers: Mapping[str, str]) -> pycurl.Curl:
        """Return the easy handle, ready to send a body."""
        self.curl.setopt(pycurl.POST, 1)
        self.curl.setopt(pycurl.POSTFIELDS, body)
        lines = [f"{name}: {value}" for name, value in headers.items()]
        # Without `Expect`, which few servers answer: libcurl would wait for them.
        self.curl.setopt(pycurl.HTTPHEADER, ["Accept-Encoding: identity", "Expect:", *lines])
        return self.prepare(url, seconds)

    def reply(self) -> RawReply:
        """Return what the call that has ended received."""
        content_type = self.curl.getinfo_raw(pycurl.CONTENT_TYPE) or b""
        return RawReply(self.curl.getinfo(pycurl.RESPONSE_CODE), bytes(self._body), content_type.decode("latin-1"))

    def fault(self, error: pycurl.error) -> TransportFault:
        """Return why the call that has ended failed, in a text of our own: libcurl's may quote the URL."""
        code = error.args[0] if error.args else None
        reason, words = _REASONS.get(code, (FaultReason.CONNECTION, "broken"))
        is_unsent = code == pycurl.E_OPERATION_TIMEDOUT and not self._is_sent
        if is_unsent:
            words = "while connecting"
        elif not self._is_sent and (status := self.curl.getinfo(pycurl.HTTP_CONNECTCODE)) >= HTTPStatus.BAD_REQUEST:
            words = proxy_refusal(status)
        detail = f"{words} (curl error {code})" if words else ""
        return TransportFault(reason, reply_started=code not in _BEFORE_ANY_REPLY and not is_unsent, detail=detail)

    def _may_send(self, *_ends: object) -> int:
        """Let a request be sent once.

        By itself libcurl sends one again, up to five times, when a kept connection closes without an answer. Whether
        a code may be sent again is for the caller to say.
        """
        if self._is_sent:
            return int(pycurl.PREREQFUNC_ABORT)
        self._is_sent = True
        return int(pycurl.PREREQFUNC_OK)

    def _receive(self, part: bytes) -> int:
        """Take a part of the body; a number other than its length makes libcurl give the call up."""
        if len(self._body) + len(part) > MAX_BODY_BYTES:
            return 0
        self._body += part
        return len(part)


#: Makes a handle ready for a call that may take so many seconds.
_Preparation = Callable[[_Handle, float], pycurl.Curl]


class CurlTransport(PostingTransport):
    """Speaks HTTP/1.1.

    A call that found no answer may have met a path that forgot its connections, or a name that has moved. Whatever
    was open or known at that time is used for no further call: those under way end, later ones begin anew.

    Args:
        timeout_seconds: How long a call may take in all, waiting for a free connection included.
        max_connections: How many calls may be under way at once.
        ca_certs: File of the certificate authorities to trust; those that come with `requests` where left out,
            because the path built into a binary libcurl is often another system's.
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
        self._make_handle = partial(_Handle, ca_certs or certifi.where(), proxy or "")
        self._multi = AsyncCurlMulti()  # holds the connections and the resolved names
        self._retired: set[AsyncCurlMulti] = set()
        self._free = asyncio.Semaphore(max_connections)
        self._getting: list[_Handle] = []
        self._posting: list[_Handle] = []

    async def get(self, url: str) -> RawReply:
        """Fetch a URL; see `Transport.get`."""
        return await self._call(
            self._getting, lambda handle, seconds: handle.prepare(url, seconds), self._timeout_seconds
        )

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, timeout_seconds: float) -> RawReply:
        """Send a body; see `PostingTransport.post`."""
        return await self._call(
            self._posting, lambda handle, seconds: handle.prepare_post(url, seconds, body, headers), timeout_seconds
        )

    async def _call(self, handles: list[_Handle], prepare: _Preparation, timeout_seconds: float) -> RawReply:
        deadline = time.monotonic() + timeout_seconds
        await self._take_connection(deadline)
        try:
            handle = handles.pop() if handles else self._make_handle()
            # A caller cancelled here ends the call, and its handle is not used again.
            outcome = await self._outcome(handle, prepare, deadline - time.monotonic())
            handles.append(handle)
        finally:
            self._free.release()
            await self._close_retired()
        if isinstance(outcome, TransportFault):
            raise outcome
        return outcome

    async def close(self) -> None:
        """Wait for calls under way and close the connections; see `Transport.close`."""
        under_way = [call for multi in (self._multi, *self._retired) for call in multi.futures()]
        if under_way:
            await asyncio.wait(under_way, timeout=self._timeout_seconds)
        for multi in (self._multi, *self._retired):
            await multi.aclose()

    async def _outcome(self, handle: _Handle, prepare: _Preparation, seconds: float) -> RawReply | TransportFault:
        """Return the fault, so that it is chained to nothing: libcurl's error may quote the URL."""
        multi = self._multi
        try:
            await multi.perform(prepare(handle, seconds))
        except pycurl.error as error:
            fault = handle.fault(error)
            if fault.is_unanswered and multi is self._multi:
                self._retired.add(multi)
                self._multi = AsyncCurlMulti()
            return fault
        return handle.reply()

    async def _close_retired(self) -> None:
        for multi in [multi for multi in self._retired if not multi.futures()]:
            self._retired.remove(multi)
            await multi.aclose()

    async def _take_connection(self, deadline: float) -> None:
        if not self._free.locked():
            await self._free.acquire()  # at once; only who has to wait needs a timer
            return
        is_late = False
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                await self._free.acquire()
        except TimeoutError:
            is_late = True
        if is_late:
            raise TransportFault(FaultReason.TIMEOUT, reply_started=False, detail="every connection is busy")
