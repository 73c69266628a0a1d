"""Pages, browsers and servers of the service that `tests/conftest.py` opens."""

from collections.abc import Callable

import pytest
from tornado.httpclient import AsyncHTTPClient
from tornado.ioloop import IOLoop

from service.runtime.app import Service, make_private_app, make_public_app
from service.simulator.people import openid_of
from service.simulator.wechat import SimulatedWeChat
from tests.service.harness import ACCOUNT, Page
from tests.service.peer import Peer, ways_to_misbehave


@pytest.fixture
def public_url(io_loop: IOLoop, service: Service, serve) -> str:
    return io_loop.run_sync(lambda: serve(make_public_app(service)))


@pytest.fixture
def private_url(io_loop: IOLoop, service: Service, serve) -> str:
    return io_loop.run_sync(lambda: serve(make_private_app(service)))


@pytest.fixture
def page(http: AsyncHTTPClient, public_url: str) -> Page:
    return Page(http, public_url)


@pytest.fixture
def another_page(http: AsyncHTTPClient, public_url: str) -> Page:
    return Page(http, public_url, user_agent="another browser")


@pytest.fixture
def openid_for(wechat: SimulatedWeChat) -> Callable[[str], str]:
    """Give a person's openid at the default account."""
    return lambda person: openid_of(wechat.find_person(person), ACCOUNT.appid)


@pytest.fixture
def misbehaviours():
    return ways_to_misbehave()


@pytest.fixture
def start_peer(io_loop):
    """Start servers that answer as a test tells them; they stop when it ends."""
    peers = []

    async def start(acts=None, ssl_context=None):
        peers.append(await Peer({} if acts is None else acts, ssl_context).start())
        return peers[-1]

    yield start
    for peer in peers:
        io_loop.run_sync(peer.stop)
