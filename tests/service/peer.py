"""A peer that behaves as a test tells it to, byte by byte."""

import asyncio
import re
import socket
import struct

TIMEOUT_SECONDS = 0.5


def http(body, status="200 OK", headers=""):
    """Write an HTTP reply as WeChat does."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


class Peer:
    """A server on the loopback. It answers each path by what `acts` holds for it, all others by `{}`."""

    def __init__(self, acts, ssl_context=None):
        self.acts = acts
        self.connections = 0
        self.heads = []
        self.bodies = []
        self.asked = asyncio.Event()
        self.alpn = []
        self._ssl_context = ssl_context
        self._tasks = set()

    async def start(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._ssl_context)
        scheme = "https" if self._ssl_context else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def stop(self):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # in which the sockets are closed

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        self.connections += 1
        tls = writer.get_extra_info("ssl_object")
        if tls is not None:
            self.alpn.append(tls.selected_alpn_protocol())
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.heads.append(head)
                length = re.search(r"(?im)^content-length: (\d+)", head)
                self.bodies.append(await reader.readexactly(int(length[1])) if length else b"")
                self.asked.set()
                path = head.split(" ")[1].split("?")[0]
                await self.acts.get(path, answer(http(b"{}")))(writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.transport.abort()


def answer(*parts, close=False, pause=0.0):
    """Send bytes, one part after the other, and keep or close the connection."""

    async def act(writer):
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        if close:
            writer.close()

    return act


async def hang(_writer):
    await asyncio.Event().wait()


async def reset(writer):
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def drip(start, drop):
    """Send `drop` again and again, slower than a reply may take in all but faster than a read times out."""

    async def act(writer):
        writer.write(start)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(TIMEOUT_SECONDS / 10)

    return act


def ways_to_misbehave():
    """Every way to answer that is not a whole reply of WeChat's, by name."""
    return {
        "hang": hang,
        "reset": reset,
        "close": answer(close=True),
        "half a reply": answer(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"openid"', close=True),
        "half a reply, then hang": answer(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"openid"'),
        "drip a body": drip(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", b" "),
        "drip headers": drip(b"HTTP/1.1 200 OK\r\nX-Long: ", b"x"),
        "ten megabytes": answer(http(b"[" * 10_000_000), close=True),
        "endless chunks": drip(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
        ),
        "another protocol": answer(b"SSH-2.0-OpenSSH_9.9\r\n", close=True),
        "html": answer(http("<html>内部错误</html>".encode())),
        "bad gateway": answer(http(b"<html>502</html>", "502 Bad Gateway")),
        "redirect": answer(http(b"", "302 Found", "Location: /elsewhere\r\n")),
        "empty": answer(http(b"")),
        "a list": answer(http(b"[]")),
        "no fields": answer(http(b"{}")),
    }
