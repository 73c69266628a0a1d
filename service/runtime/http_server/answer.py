"""`Answer`: the answer to one request, as Tornado's handlers write it."""

from asyncio import Future
from collections.abc import Callable
from typing import Final, Protocol

from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPOutputError,
    RequestStartLine,
    ResponseStartLine,
)

__all__ = ["Answer", "Context", "Line"]

_BODILESS: Final = frozenset({204, 304})
_FIRST_FINAL_STATUS: Final = 200


class Context:
    """Who is at the other end of a connection; requests take `remote_ip` and `protocol` from it."""

    protocol = "http"

    def __init__(self, remote_ip: str) -> None:
        self.remote_ip = remote_ip

    def __str__(self) -> str:
        return self.remote_ip


class Line(Protocol):
    """The connection, as an answer sees it."""

    context: Context

    def may_continue(self) -> bool:
        """Return whether the connection can take another request after this answer."""
        ...

    def send(self, data: bytes) -> Future[None]:
        """Send data; done when the client has taken nearly all of it, failed where it has hung up."""
        ...

    def answered(self, *, keep: bool) -> None:
        """Note that the answer is written, and whether the connection may be kept."""
        ...

    def abort(self) -> None:
        """Give the connection up: what was written cannot be mended."""
        ...


class Answer(HTTPConnection):
    """Writes one answer, framed as the client understands it.

    Args:
        line: The connection.
        request: What is answered.
    """

    def __init__(self, line: Line, request: RequestStartLine) -> None:
        self.context = line.context
        self.has_begun = False
        self._line = line
        self._request = request
        self._on_close: Callable[[], None] | None = None
        self._left: int | None = None  # of the announced length
        self._is_chunked = False
        self._keep = False

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Set what is called if the client hangs up before the answer is written."""
        self._on_close = callback

    def client_hung_up(self) -> None:
        """Tell whoever is at work on the answer."""
        callback, self._on_close = self._on_close, None
        if callback is not None:
            callback()

    def write_headers(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        chunk: bytes | None = None,
    ) -> Future[None]:
        """Write the status line, the headers and a first part of the body; see `HTTPConnection`.

        Raises:
            ValueError: A header holds a line end.
            HTTPOutputError: The body is longer than announced.
        """
        assert isinstance(start_line, ResponseStartLine)
        method, _, version = self._request
        code = start_line.code
        is_bodiless = method == "HEAD" or code in _BODILESS or code < _FIRST_FINAL_STATUS
        if "Content-Length" in headers:
            self._left = 0 if is_bodiless else int(headers["Content-Length"])
        elif is_bodiless:
            self._left = 0
        elif version == "HTTP/1.1":
            self._is_chunked = True
            headers["Transfer-Encoding"] = "chunked"
        # Without a length and without chunks only the end of the connection tells where the body ends.
        self._keep = self._line.may_continue() and (self._is_chunked or self._left is not None)
        if not self._keep:
            headers["Connection"] = "close"
        elif version == "HTTP/1.0":
            headers["Connection"] = "Keep-Alive"
        lines = [f"HTTP/1.1 {code} {start_line.reason}", *(f"{name}: {value}" for name, value in headers.get_all())]
        text = "\r\n".join(lines)
        if not text.count("\r") == text.count("\n") == len(lines) - 1:
            raise ValueError("a header holds a line end")
        head = f"{text}\r\n\r\n".encode("latin-1")
        self.has_begun = True
        return self._line.send(head + self._framed(chunk) if chunk else head)

    def write(self, chunk: bytes) -> Future[None]:
        """Write a part of the body; see `HTTPConnection`.

        Raises:
            HTTPOutputError: The body is longer than announced.
        """
        return self._line.send(self._framed(chunk))

    def finish(self) -> None:
        """End the answer.

        Raises:
            HTTPOutputError: The body is shorter than announced.
        """
        if self._left:
            self._line.abort()
            raise HTTPOutputError(f"{self._left} bytes of the announced body are missing")
        if self._is_chunked:
            self._line.send(b"0\r\n\r\n")
        self._on_close = None
        self._line.answered(keep=self._keep)

    def _framed(self, chunk: bytes) -> bytes:
        if self._left is not None:
            self._left -= len(chunk)
            if self._left < 0:
                self._line.abort()
                raise HTTPOutputError("the body is longer than announced")
        if self._is_chunked and chunk:  # an empty one would end the body
            return b"%x\r\n%b\r\n" % (len(chunk), chunk)
        return chunk
