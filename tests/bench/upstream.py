"""A stand-in for WeChat's exchange that answers as cheaply as Python can, so that load tests measure the service.

A code `PERSON_ANYTHING` is the person's, so that the same one may come again; any other is somebody new.

Usage: upstream.py PORT LATENCY_SECONDS TOKEN_SECONDS [CERTIFICATE KEY]
"""

import asyncio
import hashlib
import ssl
import sys

import uvloop

_TOKEN = "x" * 130


class Exchange(asyncio.Protocol):
    """Answers each request line that holds a code, or a refresh token, with a grant of its own."""

    def __init__(self, latency, token_seconds):
        self.latency = latency
        self.token_seconds = token_seconds

    def connection_made(self, transport):
        self.transport = transport
        self.buffer = b""

    def data_received(self, data):
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
            reply = self.reply_to(head)
            if self.latency:
                asyncio.get_running_loop().call_later(self.latency, self.transport.write, reply)
            else:
                self.transport.write(reply)

    def reply_to(self, head):
        line = head.partition(b"\r\n")[0]
        if b"refresh_token=" in line:
            openid = line.partition(b"refresh_token=")[2].partition(b" ")[0][:28].decode()
        else:
            code = line.partition(b"code=")[2].partition(b"&")[0]
            openid = openid_of(code.partition(b"_")[0])
        body = (
            f'{{"access_token":"{_TOKEN}","expires_in":{self.token_seconds},"refresh_token":"{openid}{_TOKEN[28:]}",'
            f'"openid":"{openid}","scope":"snsapi_base"}}'
        )
        return (f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()


def openid_of(person):
    """Return the openid of the person whom a code names."""
    return "o" + hashlib.sha256(person).hexdigest()[:27]


async def main(port, latency, token_seconds, certificate=None, key=None):
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Exchange(float(latency), int(token_seconds)), "127.0.0.1", int(port), ssl=context, backlog=4096
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
