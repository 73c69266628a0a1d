"""Serves applications of Tornado's over HTTP/1.1: on llhttp where httptools is installed, by Tornado elsewhere.

TLS is for the proxy in front.
"""

import socket
from collections.abc import Sequence
from typing import Protocol

from tornado.web import Application

from service.runtime.http_server.limits import Limits
from service.settings import HttpServerName

__all__ = ["HttpServer", "HttpServerUnavailable", "make_http_server"]


class HttpServerUnavailable(Exception):
    """The server asked for is not installed. The text holds the command that installs it."""


class HttpServer(Protocol):
    """What serves an application on listening sockets."""

    def add_sockets(self, sockets: Sequence[socket.socket]) -> None:
        """Start to accept the connections of these sockets, which do not block. It is called once."""
        ...

    def stop(self) -> None:
        """Stop listening; requests under way may still end. From now on each answer ends its connection, and says so.

        A client that keeps connections sends its next request elsewhere then. Were a connection closed under it, the
        request that it is just sending would be lost.
        """
        ...

    async def emptied_within(self, seconds: float) -> None:
        """Return when no connection is open any more, or after so many seconds."""
        ...

    async def close_all_connections(self) -> None:
        """Close what is open, whatever is under way there."""
        ...


def make_http_server(
    kind: HttpServerName | None,
    application: Application,
    *,
    name: str,
    max_connections: int,
    limits: Limits | None = None,
) -> HttpServer:
    """Make the server of this kind; None takes llhttp where it is installed. Call it on the event loop's thread.

    Args:
        kind: `llhttp` takes about half the processor time of `tornado`, which runs everywhere.
        application: What is served.
        name: The listener's name in the log.
        max_connections: How many may be open at once; more wait until one is closed.
        limits: What a client may send.

    Raises:
        HttpServerUnavailable: `llhttp` without httptools.
    """
    limits = limits or Limits()
    # Only the parser in use is loaded.
    if kind != "tornado":
        try:
            from service.runtime.http_server.llhttp_server import LlhttpServer  # noqa: PLC0415
        except ImportError as error:  # httptools may not be installed
            if kind == "llhttp":
                raise HttpServerUnavailable(
                    f"HTTP_SERVER is set to llhttp, which cannot be loaded ({error}). Install it by: "
                    "pip install 'wechat-openid[fast]'"
                ) from error
        else:
            return LlhttpServer(application, name=name, max_connections=max_connections, limits=limits)
    from service.runtime.http_server.tornado_server import TornadoServer  # noqa: PLC0415

    return TornadoServer(application, name=name, max_connections=max_connections, limits=limits)
