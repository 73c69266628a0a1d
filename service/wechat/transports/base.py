"""The contracts of transports."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from service.wechat.errors import FaultReason

__all__ = [
    "CONNECT_SHARE",
    "KEEPALIVE_IDLE_SECONDS",
    "KEEPALIVE_INTERVAL_SECONDS",
    "MAX_BODY_BYTES",
    "USER_AGENT",
    "PostingTransport",
    "RawReply",
    "Transport",
    "TransportFault",
    "proxy_refusal",
]

#: WeChat's replies have at most a few kilobytes.
MAX_BODY_BYTES = 64 * 1024
USER_AGENT = "wechat-openid"
#: The share of a call's time after which connecting is given up, so that another address can still be asked.
CONNECT_SHARE = 0.5
#: The kernel asks the other side of an idle connection whether it is there.
KEEPALIVE_IDLE_SECONDS = 15
KEEPALIVE_INTERVAL_SECONDS = 5


@dataclass(frozen=True, slots=True)
class RawReply:
    """An HTTP reply: its status, its body as it came, and what its Content-Type says; empty where it says nothing."""

    status: int
    body: bytes = field(repr=False)
    content_type: str = ""


def proxy_refusal(status: int) -> str:
    """Return what to tell of a proxy that answers CONNECT by this status."""
    if status in {HTTPStatus.PROXY_AUTHENTICATION_REQUIRED, HTTPStatus.UNAUTHORIZED}:  # Tinyproxy answers the latter
        return f"the proxy does not take the user name and password of WECHAT_PROXY (HTTP {status})"
    return f"the proxy refuses to connect (HTTP {status})"


class TransportFault(Exception):
    """There is no complete reply. Nothing that it is chained to holds the URL.

    Args:
        reason: What happened.
        reply_started: Whether any byte of a reply may have been seen; False only where that is certain.
        detail: What the library reports, in a text that cannot hold a credential.
    """

    def __init__(self, reason: FaultReason, *, reply_started: bool, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.reply_started = reply_started
        self.detail = detail

    @property
    def is_unanswered(self) -> bool:
        """Whether nobody may be at the other end any more: the call timed out, or its connection failed."""
        return self.reason in {FaultReason.TIMEOUT, FaultReason.CONNECTION}


class Transport(ABC):
    """Sends GET requests. Belongs to one event loop; any number of calls may be under way.

    A request is sent once, also when the connection that it took was kept from an earlier call and closes unanswered.
    After a call without an answer, later calls use no connection that was open then and resolve names anew.
    """

    @abstractmethod
    async def get(self, url: str) -> RawReply:
        """Fetch a URL. A caller who is cancelled leaves nothing behind but a call that ends in its time.

        Raises:
            TransportFault: No complete reply of at most 64 KiB came within the time of the transport. A request that
                was still waiting for a connection then is never sent.
        """

    @abstractmethod
    async def close(self) -> None:
        """Wait for calls under way, which end within their time, and close the connections."""


class PostingTransport(Transport):
    """A transport that also sends bodies."""

    @abstractmethod
    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, timeout_seconds: float) -> RawReply:
        """Send a body to a URL, over HTTP/1.1 and with exactly these headers beside those of every call.

        Args:
            url: Where to; ASCII.
            body: What to send.
            headers: Such as its Content-Type.
            timeout_seconds: How long the call may take in all, in the place of the transport's own time.

        Raises:
            TransportFault: As `get` does.
        """
