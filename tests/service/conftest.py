"""The service on a real SQLite file and real sockets, with a simulated WeChat upstream and a clock that tests move."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from tornado.web import Application

from service.app import Service, make_private_app, make_public_app
from service.opening import open_service
from service.settings import Settings, load_settings
from service.simulator.people import DEFAULT_ACCOUNT, openid_of
from service.simulator.server import RunningSimulator, start_simulator
from service.simulator.wechat import SimulatedWeChat
from service.wechat.protocol import Account
from storage.clock import ManualClock
from storage.sealing import generate_key

ACCOUNT = Account(DEFAULT_ACCOUNT.appid, DEFAULT_ACCOUNT.secret)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def wechat(clock: ManualClock) -> SimulatedWeChat:
    return SimulatedWeChat(clock)


@pytest.fixture
def simulator(io_loop: IOLoop, wechat: SimulatedWeChat) -> Iterator[RunningSimulator]:
    running = io_loop.run_sync(lambda: start_simulator(wechat))
    yield running
    io_loop.run_sync(running.stop)


@pytest.fixture
def settings(tmp_path: Path, simulator: RunningSimulator) -> Settings:
    return replace(
        load_settings(environment={}),
        appid=ACCOUNT.appid,
        secret=ACCOUNT.secret,
        database_url=f"sqlite:///{tmp_path}/wechat-openid.db",
        secret_keys=generate_key(),
        wechat_api_url=simulator.url,
        wechat_authorize_url=simulator.authorize_url,
        wechat_timeout_seconds=2.0,
        rate_limit="",
        refresh_max_per_second=1000.0,
    )


@pytest.fixture
def service(io_loop: IOLoop, settings: Settings, clock: ManualClock) -> Iterator[Service]:
    resources = AsyncExitStack()
    yield io_loop.run_sync(lambda: resources.enter_async_context(open_service(settings, clock)))
    io_loop.run_sync(resources.aclose)


@dataclass
class Page:
    """A page in a browser: posts to the service and keeps its cookie."""

    client: AsyncHTTPClient
    url: str
    user_agent: str = "MicroMessenger/8.0"
    cookie: str | None = None

    async def post_code(self, code: str, **fields: Any) -> HTTPResponse:
        return await self.post(json.dumps({"code": code, **fields}).encode(), "application/json")

    async def post_form(self, **fields: str) -> HTTPResponse:
        return await self.post(urlencode(fields).encode(), "application/x-www-form-urlencoded")

    async def post(self, body: bytes, content_type: str) -> HTTPResponse:
        headers = {"Content-Type": content_type, "User-Agent": self.user_agent}
        if self.cookie:
            headers["Cookie"] = self.cookie
        response = await self.client.fetch(
            f"{self.url}/getCode", method="POST", body=body, headers=headers, raise_error=False
        )
        if "Set-Cookie" in response.headers:
            self.cookie = response.headers["Set-Cookie"].partition(";")[0]
        return response


@pytest.fixture
def http(io_loop: IOLoop) -> Iterator[AsyncHTTPClient]:
    client = AsyncHTTPClient(force_instance=True, max_clients=300)
    yield client
    client.close()


@asynccontextmanager
async def listening(application: Application) -> AsyncIterator[str]:
    """Serve an application on a free port and give its address."""
    server = HTTPServer(application)
    [listener] = bind_sockets(0, "127.0.0.1")
    server.add_socket(listener)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.stop()
        await server.close_all_connections()


@pytest.fixture
def serve(io_loop: IOLoop) -> Iterator[Callable[[Application], Awaitable[str]]]:
    """Serve applications until the test ends."""
    resources = AsyncExitStack()
    yield lambda application: resources.enter_async_context(listening(application))
    io_loop.run_sync(resources.aclose)


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
def open_another(
    io_loop: IOLoop, settings: Settings, clock: ManualClock
) -> Iterator[Callable[..., Awaitable[Service]]]:
    """Open more instances of the service on the same store, as other processes would."""
    resources = AsyncExitStack()

    def open_one(**changes: Any) -> Awaitable[Service]:
        return resources.enter_async_context(open_service(replace(settings, **changes), clock))

    yield open_one
    io_loop.run_sync(resources.aclose)
