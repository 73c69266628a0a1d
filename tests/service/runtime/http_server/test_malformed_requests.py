"""What two servers could read differently is refused at the socket, and harms nobody behind proxies."""

import pytest

from tests.proxies import haproxy, nginx
from tests.service.runtime.http_server.malformed import HIDDEN, REFUSED, REFUSED_BY_LLHTTP
from tests.service.runtime.http_server.talking import get

pytestmark = [
    pytest.mark.gen_test,
    pytest.mark.attack(
        "any account's users",
        "any client",
        "requests whose end two servers could see in different places, and malformed ones, at the socket and behind "
        "nginx and HAProxy",
        "refused by both HTTP servers; nothing behind them is read as a request, and nobody gets another's answer",
    ),
]


async def test_at_the_socket_they_are_refused_and_nothing_behind_them_is_read(
    serve_recorder, connect, seen, kind, subtests
):
    url = await serve_recorder()
    for name, (sent, status) in (REFUSED | (REFUSED_BY_LLHTTP if kind == "llhttp" else {})).items():
        with subtests.test(name):
            client = await connect(url, sent + HIDDEN)
            reply = await client.reply()
            if kind == "llhttp":
                assert reply.status == status
                assert reply.headers["connection"] == "close"
            else:
                assert reply is None or reply.status == 400
            assert await client.ended()
            assert seen == []


async def test_in_two_pieces_they_are_refused_as_well(serve_recorder, connect, seen, kind, subtests):
    url = await serve_recorder()
    for name, (sent, status) in REFUSED.items():
        with subtests.test(name):
            middle = sent.rfind(b"\n", 0, len(sent) // 2)
            client = await connect(url, sent[:middle])
            await client.sent()
            client.send(sent[middle:] + HIDDEN)
            reply = await client.reply()
            assert reply is None or reply.status in {status, 400}
            assert await client.ended()
            assert seen == []


@pytest.fixture(params=["nginx", "haproxy"])
def proxy(request, tmp_path):
    """Run a proxy that keeps its connections to the server, and give its address."""

    def start(url):
        if request.param == "haproxy":
            return haproxy(tmp_path, url)
        kept = f"upstream kept {{ server {url.removeprefix('http://')}; keepalive 4; }}"
        location = 'proxy_http_version 1.1; proxy_set_header Connection "";'
        return nginx(tmp_path, "http://kept", location, outside=kept)

    return start


async def test_behind_proxies_nobody_gets_anothers_answer(serve_recorder, connect, proxy, subtests):
    url = await serve_recorder()
    with proxy(url) as address:
        for number, (name, (sent, _)) in enumerate((REFUSED | REFUSED_BY_LLHTTP).items()):
            with subtests.test(name):
                attacker = await connect(address, sent + get("/inner", "Connection: close"))
                client = await connect(address)
                for path in (f"/own/{number}", f"/next/{number}"):
                    client.send(get(path))
                    reply = await client.reply()
                    assert (reply.status, reply.body) == (200, path.encode())
                client.close()
                attacker.hang_up()
