"""`TornadoServer`: Tornado's own server on connections that an `Acceptor` accepts."""

import socket
from collections.abc import Sequence
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream

from service.runtime.http_server.acceptor import Acceptor
from service.runtime.http_server.limits import Limits

__all__ = ["TornadoServer"]


class TornadoServer(HTTPServer):
    """Tornado's server; of the limits it keeps those that it knows.

    Args:
        name: The listener's name in the log.
        max_connections: How many connections may be open at once.
        limits: What a client may send.
    """

    def initialize(  # type: ignore[override]  # only `make_http_server` makes one
        self, application: Any, *, name: str, max_connections: int, limits: Limits
    ) -> None:
        """Take what the server needs: Tornado's constructor leads here."""
        super().initialize(
            application,
            max_header_size=limits.head_bytes,
            max_body_size=limits.body_bytes,
            body_timeout=limits.body_seconds,
            idle_connection_timeout=limits.idle_seconds,
        )
        self._acceptor = Acceptor(name, max_connections, self._take)

    def add_sockets(self, sockets: Sequence[socket.socket]) -> None:  # type: ignore[override]  # it is called once
        """Start to accept the connections of these sockets."""
        self._acceptor.start(sockets)

    def stop(self) -> None:
        """Stop listening; see `HttpServer`."""
        self._acceptor.stop()
        self.conn_params.no_keep_alive = True

    async def emptied_within(self, seconds: float) -> None:
        """Return when no connection is open any more, or after so many seconds."""
        await self._acceptor.emptied_within(seconds)

    def on_close(self, server_conn: object) -> None:
        """Make room for another connection."""
        super().on_close(server_conn)
        self._acceptor.release()

    def _take(self, connection: socket.socket, address: Any) -> None:
        self.handle_stream(IOStream(connection), address)
