"""`Connection`: one client's connection, on which requests are read and answered one after the other."""

import asyncio
import logging
import math
import re
from collections.abc import Awaitable
from enum import IntEnum
from http import HTTPStatus
from typing import Final, Protocol, cast

from tornado.gen import convert_yielded
from tornado.httputil import HTTPInputError, HTTPMessageDelegate, HTTPServerConnectionDelegate
from tornado.iostream import StreamClosedError

from service.runtime.http_server.answer import Answer, Context
from service.runtime.http_server.limits import Limits
from service.runtime.http_server.request_body import Body, ChunkedBody, SizedBody
from service.runtime.http_server.request_head import Head, Refused, read_head

__all__ = ["Connection", "Owner"]

_HEAD_END: Final = b"\r\n\r\n"
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_LONE_LINE_FEED: Final = re.compile(rb"(?<!\r)\n")
_EMPTY_LINES: Final = re.compile(rb"(?:\r\n)*")
_METHOD_BEGINS: Final = re.compile(rb"[A-Z]|\r?\Z")
#: How long a refused client has to read the refusal. Closed at once, while it still sends, it would see only a reset.
_FAREWELL_SECONDS: Final = 2

_logger = logging.getLogger(__name__)


class Owner(Protocol):
    """The server, as its connections see it."""

    application: HTTPServerConnectionDelegate
    limits: Limits
    is_stopping: bool

    def opened(self, connection: "Connection") -> None:
        """Note a connection."""
        ...

    def closed(self, connection: "Connection") -> None:
        """Note that it has ended."""
        ...


class _State(IntEnum):
    """What a connection is at; up to `BODY` it reads."""

    IDLE = 0  # waits for a request
    HEAD = 1  # has the beginning of one
    BODY = 2
    HELD = 3  # the application has asked to wait before it takes more of the body
    ANSWER = 4  # the request is read, its answer is not yet written
    ENDING = 5  # the last word is sent; what still comes is thrown away


class Connection(asyncio.Protocol):
    """Reads a request, lets the application answer, and only then looks at the next one.

    So answers have the order of their requests, and a client that sends ahead fills no memory. What a client may send
    and how long it may take are the server's `Limits`; the server calls `check_time` now and then.
    """

    def __init__(self, owner: Owner, context: Context) -> None:
        self.context = context
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._state = _State.IDLE
        self._deadline = self._loop.time() + owner.limits.idle_seconds
        self._data = b""  # received and not yet understood
        self._is_paused = False  # reading is
        self._head: Head | None = None
        self._body: Body | None = None
        self._delegate: HTTPMessageDelegate | None = None
        self._answer: Answer | None = None
        self._sent = self._loop.create_future()
        self._sent.set_result(None)

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to serve."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one, without saying so
        self._owner.opened(self)

    def data_received(self, data: bytes) -> None:
        """Take what the client sends; what is too much for now waits in the system's buffers."""
        if self._state is _State.ENDING:
            return
        self._data = self._data + data if self._data else data
        if self._state <= _State.BODY:
            self._advance()
        if len(self._data) > self._owner.limits.head_bytes and not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()

    def eof_received(self) -> None:
        """Let the transport close: a client that sends no more has gone, as far as anybody can tell."""

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - whatever the reason, the client has gone
        """Tell whoever reads the request or works on its answer."""
        self._transport = None
        self._state = _State.ENDING
        self._data = b""
        self._fail_sending()
        self._owner.closed(self)
        self._drop_request()

    def pause_writing(self) -> None:
        """Let senders wait: the client is slow."""
        if self._sent.done():
            self._sent = self._loop.create_future()
            if self._state is _State.ANSWER:
                self._deadline = self._loop.time() + self._owner.limits.idle_seconds

    def resume_writing(self) -> None:
        """Let senders go on."""
        if not self._sent.done():
            self._sent.set_result(None)
            if self._state is _State.ANSWER:
                self._deadline = math.inf
            self._loop.call_soon(self._go_on)

    # What the server calls.

    def check_time(self, now: float) -> None:
        """End what has taken too long."""
        if now < self._deadline:
            return
        if self._state in (_State.HEAD, _State.BODY) and self._sent.done():
            self._refuse(Refused(408, "the request took too long"))
        else:
            self.abort()

    def abort(self) -> None:
        """Close without another word."""
        if self._transport is not None:
            self._transport.abort()

    # What the answer calls.

    def may_continue(self) -> bool:
        """Return whether the connection can take another request after the answer that begins now."""
        return (
            self._state is _State.ANSWER
            and self._head is not None
            and self._head.keeps_connection
            and not self._owner.is_stopping
        )

    def send(self, data: bytes) -> "asyncio.Future[None]":
        """Send data; done when the client has taken nearly all of it, failed where it has hung up."""
        if self._transport is None or self._state is _State.ENDING or self._transport.is_closing():
            self._fail_sending()
        else:
            self._transport.write(data)
        return self._sent

    def answered(self, *, keep: bool) -> None:
        """Go on to the next request, or end."""
        was_read = self._state is _State.ANSWER
        self._answer = None
        self._drop_request()
        if self._state is _State.ENDING or self._transport is None:
            return
        if not was_read:
            self._say_farewell()
        elif keep:
            self._state = _State.IDLE
            self._deadline = self._loop.time() + self._owner.limits.idle_seconds
            if self._data:
                self._loop.call_soon(self._go_on)
        else:
            self._end(self._owner.limits.idle_seconds)
            self._transport.close()

    # Reading.

    def _go_on(self) -> None:
        """Look at what has come in while something else had to be done first."""
        if self._state <= _State.BODY:
            self._advance()
        if self._is_paused and len(self._data) <= self._owner.limits.head_bytes and self._transport is not None:
            self._is_paused = False
            self._transport.resume_reading()

    def _advance(self) -> None:
        """Understand as much of what was received as the state allows."""
        try:
            # Who takes no answers is not given more of them.
            if self._state <= _State.HEAD and self._sent.done():
                self._read_head()
            if self._state is _State.BODY:
                self._read_body()
        except Refused as refusal:
            self._refuse(refusal)
        except HTTPInputError:  # the application's reading of headers, such as of two hosts
            self._refuse(Refused(400, "the headers are malformed"))
        except Exception:  # whatever it is, other connections are not to suffer from it
            _logger.exception("a request could not be handed to the application")
            self.abort()

    def _read_head(self) -> None:
        limits = self._owner.limits
        data = self._data
        if data.startswith(b"\r\n"):  # some clients send it between requests (RFC 9112, section 2.2)
            data = _EMPTY_LINES.sub(b"", data, 1)
        end = data.find(_HEAD_END, 0, limits.head_bytes) + len(_HEAD_END)
        if end < len(_HEAD_END):
            self._await_head(data)
            return
        self._data = data[end:]
        self._head = head = read_head(data[:end], limits)
        self._answer = answer = Answer(self, head.start_line)
        self._state = _State.BODY
        self._deadline = self._loop.time() + limits.body_seconds
        self._body = ChunkedBody(limits.body_bytes) if head.body_bytes is None else SizedBody(head.body_bytes)
        self._delegate = self._owner.application.start_request(self, answer)
        self._wait_for(self._delegate.headers_received(head.start_line, head.headers))
        if head.expects_continue and not (answer.has_begun or self._body.is_complete or self._data):
            self.send(_CONTINUE)

    def _await_head(self, data: bytes) -> None:
        limits = self._owner.limits
        if not _METHOD_BEGINS.match(data) or _LONE_LINE_FEED.search(data):
            raise Refused(400, "what was sent is not HTTP/1.1")
        if len(data) > limits.request_line_bytes and b"\n" not in data[: limits.request_line_bytes]:
            raise Refused(414, "the request line is too long")
        if len(data) >= limits.head_bytes:
            raise Refused(431, "the headers are too large")
        if data and self._state is _State.IDLE:
            self._state = _State.HEAD
            self._deadline = self._loop.time() + limits.head_seconds
        self._data = data

    def _read_body(self) -> None:
        assert self._body is not None
        while self._state is _State.BODY and not self._body.is_complete:
            content, self._data = self._body.take(self._data)
            if not content:
                break
            assert self._delegate is not None
            self._wait_for(self._delegate.data_received(content))
        if self._state is _State.BODY and self._body.is_complete:
            self._state = _State.ANSWER
            self._deadline = math.inf
            delegate, self._delegate = self._delegate, None
            assert delegate is not None
            delegate.finish()

    def _wait_for(self, taken: Awaitable[None] | None) -> None:
        """Read no further until the application has taken what it was given."""
        if taken is None or self._state is not _State.BODY:
            return
        future = convert_yielded(taken)
        if future.done() and not future.cancelled() and future.exception() is None:
            return
        self._state = _State.HELD
        self._deadline = math.inf
        future.add_done_callback(self._was_taken)

    def _was_taken(self, future: "asyncio.Future[None]") -> None:
        if self._state is not _State.HELD:
            return
        if future.cancelled() or future.exception() is not None:
            _logger.error("a body could not be handed to the application", exc_info=future.exception())
            self.abort()
            return
        self._state = _State.BODY
        self._deadline = self._loop.time() + self._owner.limits.body_seconds
        self._go_on()

    # Ending.

    def _refuse(self, refusal: Refused) -> None:
        _logger.debug("a request from %s was refused: %s", self.context, refusal)
        if self._answer is not None and self._answer.has_begun:
            self.abort()
            return
        status = HTTPStatus(refusal.status)
        self.send(
            b"HTTP/1.1 %d %b\r\nConnection: close\r\nContent-Length: 0\r\n\r\n" % (status, status.phrase.encode())
        )
        self._say_farewell()

    def _say_farewell(self) -> None:
        """Send no more, and throw away what still comes until the client has seen the end."""
        self._end(_FAREWELL_SECONDS)
        self._drop_request()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write_eof()
            if self._is_paused:
                self._transport.resume_reading()

    def _end(self, seconds: float) -> None:
        self._state = _State.ENDING
        self._deadline = self._loop.time() + seconds
        self._data = b""

    def _drop_request(self) -> None:
        """Forget the request; tell whoever was to read it, or works on its answer, that nothing will come of it."""
        delegate, answer = self._delegate, self._answer
        self._delegate = self._answer = self._head = self._body = None
        try:
            if delegate is not None:
                delegate.on_connection_close()
            elif answer is not None:
                answer.client_hung_up()
        except Exception:
            _logger.exception("the end of a connection could not be told to the application")

    def _fail_sending(self) -> None:
        if self._sent.done():
            self._sent = self._loop.create_future()
        self._sent.set_exception(StreamClosedError())
        self._sent.exception()  # whoever waits sees it; nobody need
