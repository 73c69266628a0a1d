"""The transport over libcurl, by Tornado's client. Needs pycurl."""

import asyncio
from typing import Final

import pycurl
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from tornado.curl_httpclient import CurlAsyncHTTPClient, CurlError
from tornado.httpclient import HTTPRequest, HTTPResponse

from service.redaction import install_redaction
from service.wechat.errors import FaultReason
from service.wechat.transports.base import MAX_BODY_BYTES, USER_AGENT, RawReply, Transport, TransportFault

__all__ = ["CurlTransport"]

_REASONS: Final = {
    pycurl.E_UNSUPPORTED_PROTOCOL: (FaultReason.MALFORMED, "the answer is not HTTP"),
    pycurl.E_COULDNT_RESOLVE_HOST: (FaultReason.CONNECTION, "the name cannot be resolved"),
    pycurl.E_COULDNT_CONNECT: (FaultReason.CONNECTION, "refused or unreachable"),
    pycurl.E_FTP_WEIRD_SERVER_REPLY: (FaultReason.MALFORMED, "the answer is not HTTP"),
    pycurl.E_PARTIAL_FILE: (FaultReason.CONNECTION, "closed in the middle of the reply"),
    pycurl.E_WRITE_ERROR: (FaultReason.MALFORMED, "the headers cannot be read"),
    pycurl.E_OPERATION_TIMEDOUT: (FaultReason.TIMEOUT, ""),
    pycurl.E_SSL_CONNECT_ERROR: (FaultReason.CONNECTION, "the TLS handshake failed"),
    pycurl.E_GOT_NOTHING: (FaultReason.CONNECTION, "closed without an answer"),
    pycurl.E_SEND_ERROR: (FaultReason.CONNECTION, "broke while sending"),
    pycurl.E_RECV_ERROR: (FaultReason.CONNECTION, "broke while receiving"),
    pycurl.E_SSL_CACERT: (FaultReason.CONNECTION, "the server's certificate is not trusted"),
}
_BEFORE_ANY_REPLY: Final = frozenset(
    {
        pycurl.E_COULDNT_RESOLVE_HOST,
        pycurl.E_COULDNT_CONNECT,
        pycurl.E_SSL_CONNECT_ERROR,
        pycurl.E_GOT_NOTHING,
        pycurl.E_SEND_ERROR,
    }
)
#: libcurl takes 0 milliseconds for "no limit".
_LEAST_SECONDS: Final = 0.01


class CurlTransport(Transport):
    """Speaks HTTP/2 where TLS offers it, else HTTP/1.1. Make it on the thread of its event loop.

    Args:
        timeout_seconds: How long a call may take in all, waiting for a free connection included.
        max_connections: How many calls may be under way at once.
        ca_certs: File of the certificate authorities to trust; those that come with `requests` where left out,
            because the path built into a binary libcurl is often another system's.
    """

    def __init__(self, timeout_seconds: float = 4.0, max_connections: int = 64, *, ca_certs: str | None = None) -> None:
        install_redaction()
        self._timeout_seconds = timeout_seconds
        self._ca_certs = ca_certs or DEFAULT_CA_BUNDLE_PATH
        self._client = CurlAsyncHTTPClient(
            force_instance=True, max_clients=max_connections, max_body_size=MAX_BODY_BYTES
        )
        # Calls wait here, not in the client's own queue, which would still send one whose caller has given up.
        self._free = asyncio.Semaphore(max_connections)
        self._under_way: set[asyncio.Future[HTTPResponse]] = set()

    async def get(self, url: str) -> RawReply:
        """Fetch a URL; see `Transport.get`."""
        deadline = asyncio.get_running_loop().time() + self._timeout_seconds
        await self._take_connection(deadline)
        future = self._start(url, deadline)
        # The future is waited for and never cancelled: Tornado logs the errors of futures that were.
        await asyncio.wait((future,), timeout=self._remaining(deadline))
        if not future.done():
            raise TransportFault(FaultReason.TIMEOUT, reply_started=True)
        error = future.exception()
        if error is not None:
            raise _fault_of(error)
        response = future.result()
        return RawReply(response.code, response.body)

    async def close(self) -> None:
        """Wait for calls under way and close the connections; see `Transport.close`."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=self._timeout_seconds)
        self._client.close()

    async def _take_connection(self, deadline: float) -> None:
        if not self._free.locked():
            await self._free.acquire()  # at once; only who has to wait needs a timer
            return
        is_late = False
        try:
            async with asyncio.timeout_at(deadline):
                await self._free.acquire()
        except TimeoutError:
            is_late = True
        if is_late:
            raise TransportFault(FaultReason.TIMEOUT, reply_started=False, detail="every connection is busy")

    def _start(self, url: str, deadline: float) -> "asyncio.Future[HTTPResponse]":
        remaining = self._remaining(deadline)
        future = self._client.fetch(
            HTTPRequest(
                url,
                connect_timeout=remaining,
                request_timeout=remaining,
                follow_redirects=False,
                decompress_response=False,
                user_agent=USER_AGENT,
                ca_certs=self._ca_certs,
                prepare_curl_callback=_prepare,
            ),
            raise_error=False,
        )
        self._under_way.add(future)
        future.add_done_callback(self._end)
        return future

    def _end(self, future: "asyncio.Future[HTTPResponse]") -> None:
        self._under_way.discard(future)
        self._free.release()
        future.exception()  # seen, even where the caller has gone

    def _remaining(self, deadline: float) -> float:
        return max(deadline - asyncio.get_running_loop().time(), _LEAST_SECONDS)


def _prepare(curl: pycurl.Curl) -> None:
    curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
    curl.setopt(pycurl.PROXY, "")  # otherwise libcurl takes one from the environment
    curl.setopt(pycurl.NOSIGNAL, 1)  # the store works in threads, where libcurl's signals are not safe


def _fault_of(error: BaseException) -> TransportFault:
    """Say in the service's words what libcurl reports. Its own may quote the URL."""
    if not isinstance(error, CurlError):
        return TransportFault(FaultReason.CONNECTION, reply_started=False, detail="the request cannot be made")
    if error.errno == pycurl.E_WRITE_ERROR and "max_body_size" in str(error.message):
        return TransportFault(FaultReason.TOO_LARGE, reply_started=True)
    reason, words = _REASONS.get(error.errno, (FaultReason.CONNECTION, "broken"))
    detail = f"{words} (curl error {error.errno})" if words else ""
    return TransportFault(reason, reply_started=error.errno not in _BEFORE_ANY_REPLY, detail=detail)
