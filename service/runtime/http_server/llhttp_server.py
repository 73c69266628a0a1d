"""`LlhttpServer`: serves an application of Tornado's by asyncio's transports and llhttp's parser."""

import asyncio
import logging
import socket
from collections.abc import Sequence
from typing import Any, Final

from tornado.httputil import HTTPServerConnectionDelegate

from service.runtime.http_server.acceptor import Acceptor
from service.runtime.http_server.answer import Context
from service.runtime.http_server.connection import Connection
from service.runtime.http_server.limits import Limits

__all__ = ["LlhttpServer"]

#: Parts of the shortest time limit in which connections are looked at.
_LOOKS: Final = 10
_LEAST_LOOK_SECONDS: Final = 0.02
_MOST_LOOK_SECONDS: Final = 1.0

_logger = logging.getLogger(__name__)


class LlhttpServer:
    """Serves what Tornado's server would, at about half its processor time. Belongs to one event loop.

    Args:
        application: Tornado's, which starts to read each request.
        name: The listener's name in the log.
        max_connections: How many connections may be open at once.
        limits: What a client may send.
    """

    def __init__(
        self, application: HTTPServerConnectionDelegate, *, name: str, max_connections: int, limits: Limits
    ) -> None:
        self.application = application
        self.limits = limits
        self.is_stopping = False
        self._acceptor = Acceptor(name, max_connections, self._take)
        self._loop = asyncio.get_running_loop()
        self._connections: set[Connection] = set()
        self._beginnings: set[asyncio.Task[None]] = set()
        shortest = min(limits.head_seconds, limits.body_seconds, limits.idle_seconds) / _LOOKS
        self._look_seconds = min(max(shortest, _LEAST_LOOK_SECONDS), _MOST_LOOK_SECONDS)
        self._next_look: asyncio.TimerHandle | None = None

    def add_sockets(self, sockets: Sequence[socket.socket]) -> None:
        """Start to accept the connections of these sockets."""
        self._acceptor.start(sockets)
        self._look()

    def stop(self) -> None:
        """Stop listening; see `HttpServer`."""
        self._acceptor.stop()
        self.is_stopping = True

    async def emptied_within(self, seconds: float) -> None:
        """Return when no connection is open any more, or after so many seconds."""
        await self._acceptor.emptied_within(seconds)

    async def close_all_connections(self) -> None:
        """Close what is open, whatever is under way there."""
        while self._connections or self._beginnings:
            for connection in self._connections:
                connection.abort()
            await asyncio.sleep(0)  # in which transports tell their connections
        if self._next_look is not None:
            self._next_look.cancel()

    def opened(self, connection: Connection) -> None:
        """Note a connection."""
        self._connections.add(connection)

    def closed(self, connection: Connection) -> None:
        """Make room for another connection."""
        self._connections.discard(connection)
        self._acceptor.release()
        self.application.on_close(connection)

    def _look(self) -> None:
        """Look at all connections: a timer for each would be set and cancelled with each request."""
        now = self._loop.time()
        for connection in tuple(self._connections):
            connection.check_time(now)
        self._next_look = self._loop.call_later(self._look_seconds, self._look)

    def _take(self, connection: socket.socket, address: Any) -> None:
        remote_ip = address[0] if connection.family in (socket.AF_INET, socket.AF_INET6) else "0.0.0.0"  # noqa: S104 - what Tornado calls clients without an address
        task = self._loop.create_task(self._begin(connection, Context(remote_ip)))
        self._beginnings.add(task)
        task.add_done_callback(self._beginnings.discard)

    async def _begin(self, connection: socket.socket, context: Context) -> None:
        connection.setblocking(False)
        try:
            await self._loop.connect_accepted_socket(lambda: Connection(self, context), connection)
        except Exception:  # whatever it is, the next connection is not to suffer from it
            _logger.exception("a connection could not be served")
            connection.close()
            self._acceptor.release()
