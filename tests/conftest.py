"""What tests of several parts share: the service on real files and sockets, a simulated WeChat, and a clock."""

import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from tornado.httpclient import AsyncHTTPClient
from tornado.ioloop import IOLoop
from tornado.web import Application

from service.runtime.app import Service
from service.runtime.bootstrap import open_service
from service.runtime.first_start import make_what_is_missing
from service.settings import Settings, load_settings
from service.simulator.server import RunningSimulator, start_simulator
from service.simulator.wechat import SimulatedWeChat
from storage.base.clock import ManualClock
from storage.sealing import generate_key
from tests.service.harness import ACCOUNT, Page, RunningProcess, RunningServer, environment_of, listening

# Before anything imports it: the contract's assertions explain themselves as those of a test module do.
pytest.register_assert_rewrite("storage.testing")

# How fast examples are made tells of the machine, not of the code. Nobody comes back to the examples of a CI run.
hypothesis.settings.register_profile(
    "wechat-openid",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    **({"database": None} if os.environ.get("CI") else {}),
)
hypothesis.settings.load_profile("wechat-openid")


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
        rate_limit="",
        trusted_proxies=(ip_network("127.0.0.1"),),  # as which tests name the visitor's address
        refresh_max_per_second=1000.0,
    )


@pytest.fixture
def service(io_loop: IOLoop, settings: Settings, clock: ManualClock) -> Iterator[Service]:
    resources = AsyncExitStack()
    make_what_is_missing(settings)
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
def open_another(
    io_loop: IOLoop, settings: Settings, clock: ManualClock
) -> Iterator[Callable[..., Awaitable[Service]]]:
    """Open more instances of the service on the same store, as other processes would."""
    resources = AsyncExitStack()

    def open_one(clock: ManualClock = clock, **changes: Any) -> Awaitable[Service]:
        changed = replace(settings, **changes)
        make_what_is_missing(changed)
        return resources.enter_async_context(open_service(changed, clock))

    yield open_one
    io_loop.run_sync(resources.aclose)


@pytest.fixture
def start_process(tmp_path: Path, settings: Settings) -> Iterator[Callable[..., RunningProcess]]:
    """Start commands of the product; what still runs when the test ends is killed."""
    running: list[RunningProcess] = []

    def start(*arguments: str, stdin: str | None = None, **environment: str) -> RunningProcess:
        log = tmp_path / f"process-{len(running)}.log"
        running.append(RunningProcess(list(arguments), {**environment_of(settings), **environment}, log, stdin=stdin))
        return running[-1]

    yield start
    for one in running:
        one.kill()


@pytest.fixture
def page_at(http: AsyncHTTPClient) -> Callable[["RunningServer"], Page]:
    """Give a new browser's page of a server."""
    return lambda server: Page(http, server.url)


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
