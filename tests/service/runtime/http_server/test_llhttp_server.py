"""What the server on llhttp does beyond Tornado's: more limits, refusals that arrive, waiting for the application."""

import asyncio
import sys

import pytest

from service.runtime.http_server import HttpServerUnavailable, make_http_server
from service.runtime.http_server.limits import Limits
from service.runtime.http_server.llhttp_server import LlhttpServer
from service.runtime.http_server.tornado_server import TornadoServer
from tests.service.runtime.http_server.conftest import SERVERS
from tests.service.runtime.http_server.talking import get, post
from tests.waiting import until

pytestmark = [
    pytest.mark.gen_test,
    pytest.mark.parametrize("server_and_loop", SERVERS[:2], indirect=True, ids=" on ".join),
]


async def test_a_head_that_takes_too_long_is_told_so(serve_recorder, connect):
    client = await connect(await serve_recorder(Limits(head_seconds=0.2)), b"GET /a HTTP/1.1\r\nHost:")
    assert (await client.reply()).status == 408
    assert await client.ended()


async def test_a_head_that_comes_drop_by_drop_gets_no_more_time(serve_recorder, connect):
    client = await connect(await serve_recorder(Limits(head_seconds=0.3)), b"GET /a HTTP/1.1\r\n")

    async def is_refused():
        client.send(b"X-A: b\r\n")
        await client.sent()
        return client.reader._buffer

    await until(is_refused)
    assert (await client.reply()).status == 408


async def test_who_is_refused_while_still_sending_reads_the_refusal(serve_recorder, connect, seen):
    url = await serve_recorder()
    for sent, status in (
        (b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n", 413),
        (b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n", 413),
        (b"GET /a HTTP/1.1\r\nX-A: ", 431),
        (b"GET /a", 414),
    ):
        client = await connect(url, sent + b"a" * 5_000_000)
        assert (await client.reply()).status == status
        assert await client.ended()
    assert seen == []


async def test_who_takes_no_answers_is_asked_for_no_more_requests(serve_recorder, connect, seen):
    client = await connect(await serve_recorder())
    client.reader._transport.pause_reading()
    client.send(b"".join(get(f"/{number}/{'a' * 8000}") for number in range(3000)))

    async def stands_still():
        before = len(seen)
        await asyncio.sleep(0.2)
        return seen and len(seen) == before

    await until(stands_still)
    assert len(seen) < 3000
    client.reader._transport.resume_reading()
    for number in range(3000):
        assert (await client.reply()).body.startswith(f"/{number}/".encode())


async def test_who_takes_nothing_of_an_answer_is_left(serve_recorder, connect, seen, hung_up):
    client = await connect(await serve_recorder(Limits(idle_seconds=0.3)), get("/flood"))
    client.reader._transport.pause_reading()
    await until(lambda: hung_up)


async def test_an_answer_in_parts_to_http_1_0_closes_a_kept_connection(serve_recorder, connect):
    client = await connect(await serve_recorder(), get("/parts?part=abc", "Connection: keep-alive", version="1.0"))
    reply = await client.reply()
    assert (reply.body, reply.headers["connection"]) == (b"abc", "close")


async def test_a_body_waits_until_the_application_takes_it(serve_recorder, connect, seen, release):
    client = await connect(await serve_recorder(), post("/slow", b"abc") + get("/b"))
    await until(lambda: seen)
    assert seen == ["prepared"]
    release.set()
    assert (await client.reply()).body == b"taken"
    assert seen[:2] == ["prepared", b"abc"]
    assert (await client.reply()).body == b"/b"


async def test_nothing_follows_a_refusal(serve_recorder, connect, release, hung_up, caplog):
    release.set()
    client = await connect(await serve_recorder(Limits(body_seconds=0.2)), post("/slow", b"abc")[:-1])
    assert (await client.reply()).status == 408
    assert hung_up == ["/slow"]
    assert await client.ended()
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_header_with_a_line_end_is_not_sent(serve_recorder, connect):
    client = await connect(await serve_recorder(), get("/split"))
    reply = await client.reply()
    assert (reply.status, "x-evil" in reply.headers) == (500, False)


async def test_an_answer_before_the_body_ends_the_connection(serve_recorder, connect, seen):
    client = await connect(await serve_recorder(), post("/impatient", b"abc" * 1000)[:-1])
    reply = await client.reply()
    assert (reply.body, reply.headers["connection"]) == (b"no, thank you", "close")
    assert await client.ended()
    assert seen == []


async def test_a_body_other_than_announced_ends_the_connection(serve_recorder, connect, seen):
    url = await serve_recorder()
    for query in ("", "?more=1"):
        client = await connect(url, get(f"/broken{query}") + get("/b"))
        assert (await client.reader.read()).count(b"HTTP/1.1") <= 1
    assert seen == []


async def test_llhttp_serves_where_httptools_is_installed_and_tornado_elsewhere(io_loop, monkeypatch, application):
    options = {"name": "a test", "max_connections": 1}
    assert isinstance(make_http_server(None, application, **options), LlhttpServer)
    assert isinstance(make_http_server("tornado", application, **options), TornadoServer)
    for module in ("llhttp_server", "connection", "request_body", "request_head"):
        monkeypatch.delitem(sys.modules, f"service.runtime.http_server.{module}")
    monkeypatch.setitem(sys.modules, "httptools", None)
    assert isinstance(make_http_server(None, application, **options), TornadoServer)
    with pytest.raises(HttpServerUnavailable, match=r"pip install 'wechat-openid\[fast\]'"):
        make_http_server("llhttp", application, **options)
