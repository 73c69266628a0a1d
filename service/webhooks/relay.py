"""`MessageRelay`: passes pushed messages on to the server that an account's team runs, and brings its replies back."""

import logging
import re
import string
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from urllib.parse import quote

from service.observability.log_throttle import LogThrottle
from service.wechat.errors import FaultReason
from service.wechat.protocol import Account
from service.wechat.transports import PostingTransport, TransportFault

__all__ = ["RELAY_SECONDS", "MessageRelay", "PushReply", "PushedMessage", "RelayOutcome"]

#: WeChat gives up after 5 seconds and shows the user an error.
RELAY_SECONDS = 4.5
#: How this service is called in the header `Via` (RFC 9110, 7.6.3), which stops a message from going in circles.
_PSEUDONYM = "wechat-openid"
#: What a query may hold; the rest, which WeChat does not send, is percent-encoded.
_QUERY_CHARACTERS = string.ascii_letters + string.digits + string.punctuation.replace("#", "")
_CONTENT_TYPE = re.compile(r"[\x20-\x7e]{1,200}")

_logger = logging.getLogger(__name__)


class RelayOutcome(StrEnum):
    """How passing a message on ended."""

    ANSWERED = "answered"
    TIMEOUT = "timeout"  #: no whole reply in time
    CONNECTION = "connection"  #: refused, broken, or its certificate is not trusted
    HTTP_STATUS = "http_status"  #: a server's error, or a redirect
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"  #: not HTTP
    LOOP = "loop"  #: the message has come through here before


@dataclass(frozen=True, slots=True)
class PushedMessage:
    """A delivery as received.

    Attributes:
        query: The whole query, as received.
        via: What the header `Via` says.
        received_at: When, on the monotonic clock.
    """

    query: str = field(repr=False)
    body: bytes = field(repr=False)
    content_type: str = ""
    via: str = ""
    received_at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True)
class PushReply:
    """What to answer. `success` ends a delivery: WeChat shows the user nothing and does not deliver again."""

    status: int = HTTPStatus.OK
    body: bytes = field(default=b"success", repr=False)
    content_type: str = "text/plain; charset=utf-8"


class MessageRelay:
    """Passes messages on. Belongs to one event loop.

    Args:
        transport: What carries them; it bounds how many are under way and how large a reply may be.
        within_seconds: How long forwarding may take in all, counted from when the message was received.
        observe: Called with the appid and the outcome of each message.
    """

    def __init__(
        self,
        transport: PostingTransport,
        *,
        within_seconds: float = RELAY_SECONDS,
        observe: Callable[[str, RelayOutcome], None] = lambda _appid, _outcome: None,
    ) -> None:
        self._transport = transport
        self._within_seconds = within_seconds
        self._observe = observe
        self._log_throttle = LogThrottle()

    async def forward(self, account: Account, message: PushedMessage) -> PushReply | None:
        """Return what the account's own server answers, as it is; None when it gives no answer for WeChat.

        The server gets the bytes and the query as WeChat sent them, so that it can check the signature by itself.
        """
        outcome, detail, reply = await self._ask(account, message)
        self._observe(account.appid, outcome)
        if reply is None and self._log_throttle.passes((account.appid, outcome)):
            _logger.warning(
                "a message for %s was answered with success, since the server of EVENT_FORWARD_URL did not answer: %s",
                account.appid,
                f"{outcome}, {detail}" if detail else outcome,
            )
        return reply

    async def close(self) -> None:
        """Wait for messages under way and close the connections."""
        await self._transport.close()

    async def _ask(self, account: Account, message: PushedMessage) -> tuple[RelayOutcome, str, PushReply | None]:
        if _PSEUDONYM in message.via:
            return RelayOutcome.LOOP, "EVENT_FORWARD_URL leads back to this service", None
        seconds = self._within_seconds - (time.monotonic() - message.received_at)
        if seconds <= 0:
            return RelayOutcome.TIMEOUT, "no time was left", None
        headers = {"Via": f"1.1 {_PSEUDONYM}", "Content-Type": _content_type(message.content_type) or "text/xml"}
        try:
            reply = await self._transport.post(
                _with_query(account.event_forward_url, message.query), message.body, headers, timeout_seconds=seconds
            )
        except TransportFault as fault:
            return _OUTCOMES[fault.reason], fault.detail, None
        if not _is_answer(reply.status):
            return RelayOutcome.HTTP_STATUS, f"status {reply.status}", None
        return RelayOutcome.ANSWERED, "", PushReply(reply.status, reply.body, _content_type(reply.content_type))


_OUTCOMES = {
    FaultReason.TIMEOUT: RelayOutcome.TIMEOUT,
    FaultReason.CONNECTION: RelayOutcome.CONNECTION,
    FaultReason.TOO_LARGE: RelayOutcome.TOO_LARGE,
    FaultReason.MALFORMED: RelayOutcome.MALFORMED,
}


def _content_type(text: str) -> str:
    """Return a content type as it may stand in a header; nothing where it is of no such form."""
    return text if _CONTENT_TYPE.fullmatch(text) else ""


def _is_answer(status: int) -> bool:
    """Return whether a status is one to pass back: neither a server's error nor a redirect: WeChat follows none."""
    return (
        HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES
        or HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    )


def _with_query(url: str, query: str) -> str:
    """Put a query behind a URL that may have one already."""
    separator = "&" if "?" in url else "?"
    return f"{url}{separator}{quote(query.encode('latin-1', errors='replace'), safe=_QUERY_CHARACTERS)}"
