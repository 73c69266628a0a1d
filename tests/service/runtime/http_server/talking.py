"""A client that sends bytes as they are, and reads answers by their own framing."""

import asyncio
import contextlib
from dataclasses import dataclass


@dataclass
class Reply:
    """An answer.

    Attributes:
        headers: By names in lower case.
    """

    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """One connection to a server."""

    def __init__(self, reader, writer):
        self.reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, url):
        host, _, port = url.removeprefix("http://").partition(":")
        return cls(*await asyncio.open_connection(host, int(port)))

    def send(self, data):
        self._writer.write(data)

    async def sent(self):
        """Return when what was sent is on its way, and the server has had a turn."""
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()
        await asyncio.sleep(0)

    def close(self):
        self._writer.close()

    def hang_up(self):
        self._writer.transport.abort()

    async def reply(self, *, to_head=False):
        """Return the next answer; None if the connection ended instead."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = int(first.split()[1])
        body = b"" if to_head or status in {100, 204, 304} else await self._body(headers)
        return Reply(status, headers, body)

    async def _body(self, headers):
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(await self.reader.readline(), 16):
                body += await self.reader.readexactly(size)
                assert await self.reader.readexactly(2) == b"\r\n"
            assert await self.reader.readexactly(2) == b"\r\n"
            return body
        if "content-length" in headers:
            return await self.reader.readexactly(int(headers["content-length"]))
        return await self.reader.read()

    async def ended(self):
        """Return whether the server has closed the connection, and sent nothing more."""
        try:
            return await self.reader.read() == b""
        except ConnectionError:
            return True


def get(path, *headers, version="1.1"):
    """Return a request."""
    return "\r\n".join([f"GET {path} HTTP/{version}", "Host: x", *headers, "", ""]).encode()


def post(path, body, *headers):
    """Return a request with a body."""
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body
