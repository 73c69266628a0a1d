"""Handlers that write down what reaches them, and answer in all the ways there are."""

import asyncio

from tornado.httputil import HTTPHeaders, ResponseStartLine
from tornado.iostream import StreamClosedError
from tornado.web import RequestHandler, stream_request_body


class Recorder(RequestHandler):
    """Answers every request with its own path, after its body has been written down."""

    async def prepare(self):
        self.settings["seen"].append((self.request.method, self.request.path, self.request.body))
        if self.request.path.startswith("/held"):
            await self.settings["release"].wait()
        self.set_header("X-Path", self.request.path)
        if self.request.path.startswith("/unchanged"):
            self.set_status(304)
            self.finish()
        elif self.request.path.startswith("/parts"):
            await self._write_parts()
        else:
            self.finish(self.request.path)

    async def _write_parts(self):
        for part in self.get_query_arguments("part"):
            self.write(part)
            await self.flush()
        self.finish()

    def on_connection_close(self):
        self.settings["hung_up"].append(self.request.path)

    def compute_etag(self):
        return None


class Flood(RequestHandler):
    """Sends until the client hangs up, no faster than it takes."""

    async def get(self):
        try:
            while True:
                self.write(b"x" * 65536)
                await self.flush()
                self.settings["seen"].append("part")
        except StreamClosedError:
            self.settings["hung_up"].append("flood")


@stream_request_body
class Slow(RequestHandler):
    """Takes a body part by part, and waits before each."""

    async def prepare(self):
        self.settings["seen"].append("prepared")
        await self.settings["release"].wait()

    async def data_received(self, chunk):
        self.settings["seen"].append(chunk)
        await asyncio.sleep(0)

    def post(self):
        self.finish("taken")

    def on_connection_close(self):
        self.finish("too late")
        self.settings["hung_up"].append(self.request.path)


@stream_request_body
class Impatient(RequestHandler):
    """Answers before the body is there."""

    def prepare(self):
        self.finish("no, thank you")

    def data_received(self, chunk):
        self.settings["seen"].append(chunk)


class Split(RequestHandler):
    """Has a line end in a header."""

    def get(self):
        headers = HTTPHeaders({"X-A": "b\r\nX-Evil: c"})
        self.request.connection.write_headers(ResponseStartLine("HTTP/1.1", 200, "OK"), headers)


class Broken(RequestHandler):
    """Says more, or less, than it has announced."""

    def get(self):
        self.set_header("Content-Length", "3")
        connection = self.request.connection
        connection.write_headers(ResponseStartLine("HTTP/1.1", 200, "OK"), self._headers, b"ab")
        connection.write(b"cd" if self.get_argument("more", "") else b"")
        connection.finish()


ROUTES = [
    ("/slow", Slow),
    ("/split", Split),
    ("/impatient", Impatient),
    ("/broken", Broken),
    ("/flood", Flood),
    (".*", Recorder),
]
