"""`read_head`: the request line and headers of one request, parsed by llhttp and held to one reading.

Whatever two servers in a row could read differently is refused, because the second would take a part of one request
for another (https://www.rfc-editor.org/rfc/rfc9112#section-11.2). llhttp, as httptools sets it up, refuses most of it:
line feeds alone, folded lines, spaces before colons, control characters, several lengths, a length beside chunks. What
it leaves lenient is refused here.
"""

from dataclasses import dataclass

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from tornado.httputil import HTTPHeaders, RequestStartLine

from service.runtime.http_server.limits import Limits

__all__ = ["Head", "Refused", "read_head"]

#: Of a length that is worth reading as a number.
_MOST_DIGITS = 20


class Refused(Exception):
    """A request that is not taken. The text says why, and quotes nothing of it."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(slots=True)
class Head:
    """What stands before a request's body.

    Attributes:
        body_bytes: How many follow; None if they come in chunks.
        keeps_connection: Whether the client may send another request afterwards.
        expects_continue: Whether it waits for leave to send the body.
    """

    start_line: RequestStartLine
    headers: HTTPHeaders
    body_bytes: int | None
    keeps_connection: bool
    expects_continue: bool


class _Parts:
    """What llhttp calls back."""

    __slots__ = ("lines", "on_header", "target")

    def __init__(self) -> None:
        self.target = b""
        self.lines: list[tuple[str, str]] = []
        add = self.lines.append
        self.on_header = lambda name, value: add((name.decode("latin-1"), value.decode("latin-1")))

    def on_url(self, target: bytes) -> None:
        self.target += target


def read_head(data: bytes, limits: Limits) -> Head:
    """Parse the head of one request.

    Args:
        data: All of it, to the empty line and no further.
        limits: How long the request line may be, and how many headers and bytes of a body may follow.

    Raises:
        Refused: It is malformed, ambiguous or too large.
    """
    parts = _Parts()
    parser = HttpRequestParser(parts)
    try:
        parser.feed_data(data)
    except HttpParserUpgrade:
        pass  # nobody upgrades here, and whoever asks is answered as if they had not (RFC 9110, section 7.8)
    except HttpParserError as error:
        raise Refused(400, str(error)) from None
    start_line = _start_line(data, parser.get_method(), parts.target, limits)
    if len(parts.lines) > limits.headers:
        raise Refused(431, "too many headers")
    headers = HTTPHeaders()
    for name, value in parts.lines:
        if name in headers:
            headers.add(name, value.strip(" \t"))
        else:
            headers[name] = value.strip(" \t")
    connection = headers.get("Connection", "").lower()
    is_current = start_line.version == "HTTP/1.1"
    return Head(
        start_line,
        headers,
        _body_bytes(headers, limits, is_current=is_current),
        keeps_connection="close" not in connection and (is_current or "keep-alive" in connection),
        expects_continue=is_current and headers.get("Expect", "").lower() == "100-continue",
    )


def _start_line(data: bytes, method: bytes, target: bytes, limits: Limits) -> RequestStartLine:
    """Return the first line, which must hold exactly what llhttp read in it."""
    line = method + b" " + target + b" HTTP/1."
    if len(line) > limits.request_line_bytes:
        raise Refused(414, "the request line is too long")
    version = data[len(line) : len(line) + 3]
    if not data.startswith(line) or version not in {b"1\r\n", b"0\r\n"}:
        raise Refused(400, "the request line is malformed")
    if not target.startswith(b"/") and not (target == b"*" and method == b"OPTIONS"):
        raise Refused(400, "the target is not a path")
    return RequestStartLine(method.decode(), target.decode("latin-1"), f"HTTP/1.{version[:1].decode()}")


def _body_bytes(headers: HTTPHeaders, limits: Limits, *, is_current: bool) -> int | None:
    if "Transfer-Encoding" in headers:
        if not is_current or "Content-Length" in headers or headers["Transfer-Encoding"].lower() != "chunked":
            raise Refused(400, "the length of the body is ambiguous")
        return None
    length = headers.get("Content-Length", "0")
    if not (length.isascii() and length.isdigit()):
        raise Refused(400, "the length of the body is not a number")
    if len(length) > _MOST_DIGITS or int(length) > limits.body_bytes:
        raise Refused(413, "the body is too large")
    return int(length)
