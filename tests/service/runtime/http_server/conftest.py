"""Both servers, each on the event loops that it runs on, before an application that writes down what reaches it."""

import asyncio

import pytest
import uvloop
from tornado.web import Application

from tests.service.harness import listening
from tests.service.runtime.http_server.handlers import ROUTES
from tests.service.runtime.http_server.talking import Client

#: A server, and the event loop below it.
SERVERS = [("llhttp", "asyncio"), ("llhttp", "uvloop"), ("tornado", "asyncio")]


@pytest.fixture(params=SERVERS, ids=" on ".join)
def server_and_loop(request, monkeypatch):
    kind, loop = request.param
    if loop == "uvloop":
        monkeypatch.setattr(asyncio, "new_event_loop", uvloop.new_event_loop)
    return kind


@pytest.fixture
def kind(server_and_loop):
    return server_and_loop


@pytest.fixture
def io_loop(server_and_loop, io_loop):
    return io_loop


@pytest.fixture
def seen():
    """What has reached the application."""
    return []


@pytest.fixture
def hung_up():
    """The paths of requests whose clients went before the answer."""
    return []


@pytest.fixture
def release():
    """Lets held requests be answered."""
    return asyncio.Event()


@pytest.fixture
def application(seen, hung_up, release):
    return Application(ROUTES, seen=seen, hung_up=hung_up, release=release, log_function=lambda _: None)


@pytest.fixture
def serve_recorder(io_loop, kind, application):
    """Serve the application, within limits if there are any, and give its address."""
    opened = []

    async def start(limits=None):
        opened.append(listening(application, kind, limits))
        return await opened[-1].__aenter__()

    yield start
    for server in opened:
        io_loop.run_sync(lambda server=server: server.__aexit__(None, None, None))


@pytest.fixture
def connect(io_loop):
    """Open connections; they are closed when the test ends."""
    opened = []

    async def open_one(url, first=b""):
        opened.append(await Client.open(url))
        opened[-1].send(first)
        return opened[-1]

    yield open_one
    for client in opened:
        client.close()
