"""Connections to a port of the loopback that are kept and used again, for load that begins on a timetable."""

import asyncio
import re
from typing import Self

__all__ = ["KeptConnections"]

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


class KeptConnections:
    """As many connections as there are requests under way at once, closed at the end of an `async with`.

    Attributes:
        open: How many there are.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self.open = 0
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self, request: bytes, *, keep: bool = True) -> tuple[int, bytes]:
        """Send a request on an idle connection, or on a new one; return the status and the body.

        Args:
            request: The whole request, whose answer has a Content-Length.
            keep: Whether the connection is used again; otherwise it is closed.

        Raises:
            OSError, EOFError: The connection broke.
        """
        reader, writer = self._pop_idle() or await self._connect()
        kept = False
        try:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(int(_LENGTH.search(head)[1]))
            kept = keep and b"connection: close" not in head.lower()
        finally:
            if kept:
                self._idle.append((reader, writer))
            else:
                self._close(writer)
        return int(head.split(maxsplit=2)[1]), body

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        connection = await asyncio.open_connection("127.0.0.1", self._port)
        self.open += 1
        return connection

    def _close(self, writer: asyncio.StreamWriter) -> None:
        writer.close()
        self.open -= 1

    def _pop_idle(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """Return a connection that the server has not closed meanwhile."""
        for reader, writer in [one for one in self._idle if one[0].at_eof()]:
            self._idle.remove((reader, writer))
            self._close(writer)
        return self._idle.pop() if self._idle else None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for _, writer in self._idle:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for _, writer in self._idle), return_exceptions=True)
