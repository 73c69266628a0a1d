"""A server that has no room for another connection."""

import asyncio
import contextlib
import os
import resource
import socket
import sys
import time
from pathlib import Path

import pytest

from tests.waiting import until

pytestmark = [
    pytest.mark.gen_test,
    pytest.mark.attack(
        "availability",
        "any client",
        "so many silent connections that file descriptors run out",
        "accepting pauses, one line of log a minute; operators and probes are answered; all goes on afterwards",
    ),
]


@pytest.fixture(params=["llhttp", "tornado"])
def server_and_loop(request):
    return request.param


@pytest.fixture
def start_server(start_server, kind):
    return lambda **options: start_server(WECHAT_OPENID_HTTP_SERVER=kind, **options)


@pytest.fixture
def connect():
    """Open connections that say nothing, and close them at the end or when told to."""
    with contextlib.ExitStack() as opened:

        def open_some(url, count):
            host, port = url.removeprefix("http://").split(":")
            for _ in range(count):
                connection = opened.enter_context(socket.socket())
                connection.setblocking(False)
                connection.connect_ex((host, int(port)))
            return opened.close

        yield open_some


def of_few_descriptors(tmp_path, count):
    """Return a Python that may have so many files open."""
    python = tmp_path / "python-of-few-descriptors"
    python.write_text(f'#!/bin/sh\nulimit -n {count}\nexec {sys.executable} "$@"\n')
    python.chmod(0o700)
    return str(python)


def processor_seconds(pid):
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def complaints(server):
    return [line for line in server.log.read_text().splitlines() if "wait to be accepted" in line]


async def test_out_of_descriptors_accepting_pauses(start_server, http, connect):
    server = await start_server().answers(http)
    pid = server.process.pid
    in_use = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (in_use + 8, hard))
    close = connect(server.url, 100)
    await until(lambda: complaints(server))
    began, used = time.monotonic(), processor_seconds(pid)
    await until(lambda: time.monotonic() > began + 2)
    share = (processor_seconds(pid) - used) / (time.monotonic() - began)
    assert share < 0.3, "it must not try again at each turn of its event loop"
    assert len(complaints(server)) == 1
    assert "Traceback" not in server.log.read_text()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
    close()
    assert (await http.fetch(f"{server.url}/healthz", request_timeout=60)).code == 200


async def test_who_fills_the_public_side_leaves_room_on_the_private_one(tmp_path, start_server, http, connect):
    server = await start_server(python=of_few_descriptors(tmp_path, 256)).answers(http)
    close = connect(server.url, 300)
    await until(lambda: complaints(server))
    for path in ("/healthz", "/readyz", "/metrics"):
        assert (await http.fetch(server.admin_url + path, request_timeout=60)).code == 200
    [line] = complaints(server)
    assert "to LISTEN wait" in line
    close()
    assert (await http.fetch(f"{server.url}/healthz", request_timeout=60)).code == 200


async def test_each_connection_that_ends_makes_room_for_another(tmp_path, start_server, http):
    server = await start_server(python=of_few_descriptors(tmp_path, 256)).answers(http)
    for _ in range(6):
        answers = await asyncio.gather(
            *(http.fetch(f"{server.url}/healthz", headers={"Connection": "close"}) for _ in range(100))
        )
        assert {answer.code for answer in answers} == {200}
    assert complaints(server) == []


async def test_few_descriptors_are_warned_of_at_the_start(tmp_path, start_server, http):
    few = await start_server(python=of_few_descriptors(tmp_path, 1024)).answers(http)
    assert "only 1024 files and connections may be open at once: set LimitNOFILE" in few.log.read_text()
