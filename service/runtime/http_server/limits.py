"""What a client may send, how much of it, and how long it may take."""

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one request and one connection.

    Attributes:
        request_line_bytes: Of method, target and version. Tornado's server bounds only the whole head.
        head_bytes: Of the request line and all headers.
        headers: How many lines of them. Tornado's server bounds only their bytes.
        body_bytes: Of a body, without the framing of chunks.
        head_seconds: From the first byte of a request to the last one of its headers. Tornado's server counts this
            time as idle.
        body_seconds: From there to the end of the body.
        idle_seconds: Without any request; and without the client taking anything of an answer, which Tornado's
            server does not bound.
    """

    request_line_bytes: int = 16 * 1024
    head_bytes: int = 64 * 1024
    headers: int = 100
    body_bytes: int = 64 * 1024  # a code, a state and an appid fit into far less
    head_seconds: float = 20
    body_seconds: float = 10
    idle_seconds: float = 75
