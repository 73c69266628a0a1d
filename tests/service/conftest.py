"""The service on a real SQLite file and real sockets, with a simulated WeChat upstream and a clock that tests move."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient
from tornado.ioloop import IOLoop
from tornado.web import Application

from service.runtime.app import Service, make_private_app, make_public_app
from service.runtime.bootstrap import open_service
from service.settings import Settings, load_settings
from service.simulator.people import DEFAULT_ACCOUNT, openid_of
from service.simulator.server import RunningSimulator, start_simulator
from service.simulator.wechat import SimulatedWeChat
from service.wechat.protocol import Account
from storage.base.clock import ManualClock
from storage.sealing import generate_key
from tests.service.harness import Page, RunningProcess, RunningServer, environment_of, listening

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


@pytest.fixture
def http(io_loop: IOLoop) -> Iterator[AsyncHTTPClient]:
    client = AsyncHTTPClient(force_instance=True, max_clients=300)
    yield client
    client.close()


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
def page_at(http: AsyncHTTPClient) -> Callable[["RunningServer"], Page]:
    """Give a new browser's page of a server."""
    return lambda server: Page(http, server.url)


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

    def open_one(clock: ManualClock = clock, **changes: Any) -> Awaitable[Service]:
        return resources.enter_async_context(open_service(replace(settings, **changes), clock))

    yield open_one
    io_loop.run_sync(resources.aclose)


@pytest.fixture
def start_process(tmp_path: Path, settings: Settings) -> Iterator[Callable[..., RunningProcess]]:
    """Start commands of the product; what still runs when the test ends is killed."""
    running: list[RunningProcess] = []

    def start(*arguments: str, **environment: str) -> RunningProcess:
        log = tmp_path / f"process-{len(running)}.log"
        running.append(RunningProcess(list(arguments), {**environment_of(settings), **environment}, log))
        return running[-1]

    yield start
    for one in running:
        one.kill()


@pytest.fixture
def start_server(tmp_path: Path, settings: Settings) -> Iterator[Callable[..., RunningServer]]:
    """Start servers; what still runs when the test ends is killed."""
    running: list[RunningServer] = []

    def start(*arguments: str, **environment: str) -> RunningServer:
        log = tmp_path / f"server-{len(running)}.log"
        running.append(RunningServer(settings, log, *arguments, **environment))
        return running[-1]

    yield start
    for one in running:
        one.kill()
