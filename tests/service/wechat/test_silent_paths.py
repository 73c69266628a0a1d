"""A path to WeChat that forgets its connections without a word, and a name that moves to another address."""

import asyncio
import shutil
import subprocess
import sys

import pytest

from service.wechat.client import WeChatClient
from service.wechat.errors import WeChatFault
from service.wechat.transports.curl import CurlTransport
from service.wechat.transports.requests_pool import RequestsTransport
from tests.network_path import network_path_to
from tests.proxies import nginx
from tests.service.harness import ACCOUNT, free_port

TRANSPORTS = {"curl": CurlTransport, "requests": RequestsTransport}


async def is_answered(client):
    try:
        await client.check_token(ACCOUNT.appid, "token", "openid")
    except WeChatFault:
        return False
    return True


@pytest.fixture
def path(simulator, tmp_path, certificate):
    """A path to nginx, which offers HTTP/2 and stands in front of WeChat."""
    server = f"ssl_certificate {certificate.path}; ssl_certificate_key {certificate.key_path};"
    with (
        nginx(tmp_path, simulator.url, "", server=server, listen="ssl http2") as address,
        network_path_to("127.0.0.1", int(address.rpartition(":")[2])) as path,
    ):
        yield path


@pytest.mark.gen_test(timeout=60)
async def test_path_that_forgot_its_connections_costs_one_call_and_the_next_works(path, certificate, transport_name):
    transport = TRANSPORTS[transport_name](2.0, 8, ca_certs=str(certificate.path))
    client = WeChatClient(transport, api_url=f"https://127.0.0.1:{path.port}")
    assert all(await asyncio.gather(*(is_answered(client) for _ in range(4))))  # several connections are kept

    path.forget_open_connections()
    outcomes = [await is_answered(client) for _ in range(8)]
    await client.close()

    assert outcomes == [False] + 7 * [True]


@pytest.mark.gen_test(timeout=60)
async def test_calls_in_a_row_on_a_path_that_forgot_cost_no_more_than_the_connections_it_had(
    path, certificate, transport_name
):
    transport = TRANSPORTS[transport_name](4.0, 32, ca_certs=str(certificate.path))
    client = WeChatClient(transport, api_url=f"https://127.0.0.1:{path.port}")
    assert all(await asyncio.gather(*(is_answered(client) for _ in range(3))))

    path.forget_open_connections()
    calls = []
    for _ in range(20):  # before the first of them has timed out
        calls.append(asyncio.ensure_future(is_answered(client)))
        await asyncio.sleep(0.02)
    outcomes = await asyncio.gather(*calls)
    await client.close()

    assert 1 <= outcomes.count(False) <= 3


MOVING = """
import asyncio, sys
from pathlib import Path
from service.wechat.transports import TransportFault, make_transport

async def answer_as(name, address, port):
    async def answer(reader, writer):
        try:
            while await reader.readuntil(b"\\r\\n\\r\\n"):
                writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 3\\r\\n\\r\\n" + name)
        except asyncio.IncompleteReadError:
            writer.close()
        except asyncio.CancelledError:
            writer.transport.abort()
    return await asyncio.start_server(answer, address, port)

async def main(transport_name, port):
    transport, hosts = make_transport(transport_name, 2.0, 4), Path("/etc/hosts")
    async def call():
        try:
            return (await transport.get(f"http://wechat.test:{port}/")).body.decode()
        except TransportFault:
            return "-"
    await answer_as(b"new", "127.0.0.2", port)
    old = await answer_as(b"old", "127.0.0.1", port)
    print(await call(), end=" ")
    hosts.write_text("127.0.0.2 wechat.test\\n")
    old.close()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await asyncio.sleep(0.1)
    print(await call(), await call())
    await transport.close()

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


def test_name_that_moved_is_followed_after_one_failure(transport_name, tmp_path):
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 wechat.test\n")
    # In a view of the files of its own, so that the name can move for this process alone.
    own_hosts = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', str(hosts)]
    if shutil.which("unshare") is None or subprocess.run([*own_hosts, "true"], check=False).returncode != 0:
        pytest.skip("a process cannot be given a hosts file of its own here")

    ran = subprocess.run(
        [*own_hosts, sys.executable, "-c", MOVING, transport_name, str(free_port())],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )

    assert ran.stdout.split() in (["old", "-", "new"], ["old", "new", "new"])
