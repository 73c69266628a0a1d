"""What tests of the service are made of: pages in browsers, applications on free ports, commands as processes."""

import contextlib
import json
import os
import random
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.netutil import bind_sockets
from tornado.web import Application

from service.runtime.http_server import make_http_server
from service.runtime.http_server.limits import Limits
from service.settings import HttpServerName, Settings
from service.settings.values import parse_http_server
from service.simulator.people import DEFAULT_ACCOUNT
from service.wechat.protocol import Account
from tests.waiting import until

#: What serves in tests that are not about servers: what users get, or what the variable names.
HTTP_SERVER = parse_http_server(os.environ.get("TEST_HTTP_SERVER", ""))
#: The account that the service under test has.
ACCOUNT = Account(DEFAULT_ACCOUNT.appid, DEFAULT_ACCOUNT.secret)


@dataclass
class Page:
    """A page in a browser: posts to the service and keeps its cookie."""

    client: AsyncHTTPClient
    url: str
    user_agent: str = "MicroMessenger/8.0"
    address: str = "203.0.113.7"
    cookie: str | None = None

    async def post_code(self, code: str, **fields: Any) -> HTTPResponse:
        return await self.post(json.dumps({"code": code, **fields}).encode(), "application/json")

    async def post_form(self, **fields: str) -> HTTPResponse:
        return await self.post(urlencode(fields).encode(), "application/x-www-form-urlencoded")

    async def post(self, body: bytes, content_type: str) -> HTTPResponse:
        headers = {
            "Content-Type": content_type,
            "User-Agent": self.user_agent,
            "X-Forwarded-For": self.address,
        }
        if self.cookie:
            headers["Cookie"] = self.cookie
        response = await self.client.fetch(
            f"{self.url}/getCode", method="POST", body=body, headers=headers, raise_error=False
        )
        if "Set-Cookie" in response.headers:
            self.cookie = response.headers["Set-Cookie"].partition(";")[0]
        return response


@asynccontextmanager
async def listening(
    application: Application, kind: HttpServerName | None = HTTP_SERVER, limits: Limits | None = None
) -> AsyncIterator[str]:
    """Serve an application on a free port and give its address."""
    server = make_http_server(kind, application, name="a test", max_connections=1000, limits=limits)
    [listener] = bind_sockets(0, "127.0.0.1")
    server.add_sockets([listener])
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.stop()
        await server.close_all_connections()


def free_port() -> int:
    """Return a port that was free a moment ago, below those that systems give to outgoing connections."""
    while True:
        port = random.randrange(12_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the environment in which a process finds these settings."""
    wanted = {
        "APPID": settings.appid,
        "SECRET": settings.secret,
        "DATABASE_URL": settings.database_url,
        "SECRET_KEYS": settings.secret_keys,
        "WECHAT_API_URL": settings.wechat_api_url,
        "WECHAT_AUTHORIZE_URL": settings.wechat_authorize_url,
        "RATE_LIMIT": "",
        "HTTP_SERVER": HTTP_SERVER or "",
        "TRUSTED_PROXIES": ",".join(map(str, settings.trusted_proxies)),
    }
    return {**os.environ, **{f"WECHAT_OPENID_{name}": value for name, value in wanted.items()}}


class RunningProcess:
    """A command of the product in a process of its own, with what it logged."""

    def __init__(
        self,
        arguments: list[str],
        environment: dict[str, str],
        log: Path,
        python: str = sys.executable,
        under: tuple[str, ...] = (),
        stdin: str | None = None,
    ) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [*under, python, "-m", "service", *arguments],
                env=environment,
                stdin=None if stdin is None else subprocess.PIPE,
                stdout=output,
                stderr=output,
            )
        if self.process.stdin is not None and stdin is not None:
            self.process.stdin.write(stdin.encode())
            self.process.stdin.close()

    async def ended(self) -> int:
        """Return the exit status once there is one."""
        await until(lambda: self.process.poll() is not None)
        return self.process.returncode

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class RunningServer(RunningProcess):
    """`wechat-openid serve` on free ports."""

    def __init__(
        self,
        settings: Settings,
        log: Path,
        *arguments: str,
        python: str = sys.executable,
        options: tuple[str, ...] = (),
        under: tuple[str, ...] = (),
        **environment: str,
    ) -> None:
        listen, admin_listen = (f"127.0.0.1:{free_port()}" for _ in range(2))
        self.url = f"http://{listen}"
        self.admin_url = f"http://{admin_listen}"
        own = {"WECHAT_OPENID_LISTEN": listen, "WECHAT_OPENID_ADMIN_LISTEN": admin_listen, **environment}
        super().__init__([*options, "serve", *arguments], {**environment_of(settings), **own}, log, python, under)

    async def answers(self, client: AsyncHTTPClient) -> "RunningServer":
        """Return when it answers."""

        async def ended_or_answers() -> bool:
            if self.process.poll() is not None:
                return True
            try:
                await client.fetch(f"{self.url}/healthz")
            except OSError:
                return False
            return True

        await until(ended_or_answers)
        assert self.process.poll() is None, self.log.read_text()
        return self
