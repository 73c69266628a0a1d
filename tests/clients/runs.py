"""Runs a client library's driver against a simulator behind TLS, which answers in WeChat's place."""

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from service.simulator.app import make_simulator_app
from service.simulator.people import DEFAULT_ACCOUNT, openid_of
from service.simulator.wechat import SimulatedWeChat
from storage.base.clock import SystemClock
from tests.certificates import make_certificate
from tests.clients.libraries import Library

_HOSTS = ("api.weixin.qq.com", "open.weixin.qq.com")


@dataclass(frozen=True)
class Run:
    """What became of one library: its version, and for each step None or how it failed."""

    version: str
    steps: dict[str, str | None]


@asynccontextmanager
async def simulator_in_wechats_place(folder: Path) -> AsyncIterator[tuple[SimulatedWeChat, int, Path]]:
    """Give a simulator, the port where it speaks TLS under WeChat's names, and the certificate to trust."""
    certificate = make_certificate(folder, *_HOSTS)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate.path, certificate.key_path)
    wechat = SimulatedWeChat(SystemClock())
    server = HTTPServer(make_simulator_app(wechat, control=False), ssl_options=tls)
    [listener] = bind_sockets(0, "127.0.0.1")
    server.add_socket(listener)
    try:
        yield wechat, listener.getsockname()[1], certificate.path
    finally:
        server.stop()
        await server.close_all_connections()


async def run_library(library: Library, wechat: SimulatedWeChat, port: int, certificate: Path) -> Run:
    """Take a library through its steps."""
    person = wechat.find_person("li-na")
    environment = os.environ | {
        "APPID": DEFAULT_ACCOUNT.appid,
        "SECRET": DEFAULT_ACCOUNT.secret,
        "PERSON": person.id,
        "NICKNAME": person.nickname,
        "OPENID": openid_of(person, DEFAULT_ACCOUNT.appid),
        "SIMULATOR_PORT": str(port),
        "NODE_EXTRA_CA_CERTS": str(certificate),
        "REQUESTS_CA_BUNDLE": str(certificate),
        "SSL_CERT_FILE": str(certificate),
        "PYTHONIOENCODING": "utf-8",
        "NO_PROXY": "*",
    }
    process = await asyncio.create_subprocess_exec(
        *library.command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        printed, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, complaints.decode()
    return Run(**json.loads(printed))
