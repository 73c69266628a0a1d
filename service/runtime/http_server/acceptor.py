"""`Acceptor`: accepts connections as long as there is room for them, and lets the others wait.

Out of file descriptors, `accept` fails at once while the connection keeps waiting, so that an event loop which tries
again at each turn does nothing else. Here accepting pauses, and each listener has a bound of its own, so that a flood
on one leaves room for the other.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from typing import Any

from tornado.ioloop import IOLoop

from storage.base.tasks import happens_within

__all__ = ["Acceptor"]

#: So many are accepted before others have their turn in the event loop.
_AT_ONCE = 128
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0
_LOG_EVERY_SECONDS = 60.0

_logger = logging.getLogger(__name__)


class Acceptor:
    """Accepts the connections of a listener. Belongs to one event loop.

    Args:
        name: The listener's name in the log.
        max_connections: How many may be open at once; the others wait until one is released.
        take: Called with each connection and its address.
    """

    def __init__(self, name: str, max_connections: int, take: Callable[[socket.socket, Any], None]) -> None:
        self._name = name
        self._max_connections = max_connections
        self._take = take
        self._sockets: Sequence[socket.socket] = ()
        self._open = 0
        self._none_open = asyncio.Event()
        self._none_open.set()
        self._listens = False
        self._pause: object | None = None
        self._next_pause_seconds = _FIRST_PAUSE_SECONDS
        self._quiet_until = 0.0

    def start(self, sockets: Sequence[socket.socket]) -> None:
        """Accept the connections of these sockets, which do not block."""
        self._sockets = sockets
        self._loop = IOLoop.current()
        self._listen()

    def stop(self) -> None:
        """Accept no more, and close the sockets."""
        self._stop_listening()
        if self._pause is not None:
            self._loop.remove_timeout(self._pause)
        for listener in self._sockets:
            listener.close()
        self._sockets = ()

    def release(self) -> None:
        """Note that a connection has been closed."""
        self._open -= 1
        if not self._open:
            self._none_open.set()
        if self._pause is None:
            self._listen()

    async def emptied_within(self, seconds: float) -> None:
        """Return when no connection is open any more, or after so many seconds."""
        await happens_within(seconds, self._none_open)

    def _listen(self) -> None:
        if not self._listens and self._open < self._max_connections:
            self._listens = True
            for listener in self._sockets:
                self._loop.add_handler(listener, self._accept, IOLoop.READ)

    def _stop_listening(self) -> None:
        if self._listens:
            self._listens = False
            for listener in self._sockets:
                self._loop.remove_handler(listener)

    def _accept(self, listener: socket.socket, _events: int) -> None:
        for _ in range(_AT_ONCE):
            if not self._listens:
                return
            if self._open >= self._max_connections:
                self._stop_listening()
                self._complain(f"{self._open} connections are open")
                return
            try:
                connection, address = listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:  # no descriptors or no memory left, for this process or for the whole system
                self._pause_for_a_while(error)
                return
            self._next_pause_seconds = _FIRST_PAUSE_SECONDS
            self._open += 1
            self._none_open.clear()
            self._hand_over(connection, address)

    def _hand_over(self, connection: socket.socket, address: Any) -> None:
        try:
            self._take(connection, address)
        except Exception:  # whatever it is, the next connection is not to suffer from it
            _logger.exception("a connection to %s could not be served", self._name)
            connection.close()
            self.release()

    def _pause_for_a_while(self, error: OSError) -> None:
        self._stop_listening()
        self._pause = self._loop.call_later(self._next_pause_seconds, self._resume)
        self._next_pause_seconds = min(2 * self._next_pause_seconds, _LONGEST_PAUSE_SECONDS)
        self._complain(error.strerror or type(error).__name__)

    def _resume(self) -> None:
        self._pause = None
        self._listen()

    def _complain(self, reason: str) -> None:
        """Log at most once a minute that connections wait."""
        now = self._loop.time()
        if now >= self._quiet_until:
            self._quiet_until = now + _LOG_EVERY_SECONDS
            _logger.error(
                "connections to %s wait to be accepted: %s; raise LimitNOFILE, or ulimit -n", self._name, reason
            )
