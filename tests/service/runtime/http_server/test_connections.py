"""What both servers do on a connection: requests one after the other, their framing, and its end."""

import asyncio

import pytest
from tornado.netutil import bind_sockets

from service.runtime.http_server import make_http_server
from service.runtime.http_server.limits import Limits
from tests.service.runtime.http_server.talking import Client, get, post
from tests.waiting import until

pytestmark = pytest.mark.gen_test


async def test_requests_sent_ahead_are_answered_in_their_order(serve_recorder, connect, seen, release):
    client = await connect(await serve_recorder(), get("/held") + post("/second", b"abc") + get("/third"))
    await until(lambda: seen)
    assert [path for _, path, _ in seen] == ["/held"], "the next one is not begun before"
    release.set()
    assert [(await client.reply()).body for _ in range(3)] == [b"/held", b"/second", b"/third"]
    assert seen[1] == ("POST", "/second", b"abc")


async def test_thousands_of_requests_sent_ahead_are_all_answered(serve_recorder, connect):
    client = await connect(await serve_recorder(), b"".join(get(f"/{number}") for number in range(5000)))
    for number in range(5000):
        assert (await client.reply()).body == f"/{number}".encode()


async def test_empty_lines_between_requests_are_skipped(serve_recorder, connect):
    client = await connect(await serve_recorder(), b"\r\n" + get("/a") + b"\r\n" + get("/b"))
    assert [(await client.reply()).body for _ in range(2)] == [b"/a", b"/b"]


async def test_who_keeps_connections_is_kept_and_who_does_not_is_not(serve_recorder, connect, subtests):
    url = await serve_recorder()
    for version, header, is_kept in (
        ("1.1", "X-A: b", True),
        ("1.1", "Connection: close", False),
        ("1.1", "Connection: Close", False),
        ("1.0", "X-A: b", False),
        ("1.0", "Connection: keep-alive", True),
        ("1.0", "Connection: Keep-Alive", True),
    ):
        with subtests.test(version, header=header):
            client = await connect(url, get("/a", header, version=version))
            reply = await client.reply()
            assert reply.body == b"/a"
            if is_kept:
                assert reply.headers.get("connection") == ("Keep-Alive" if version == "1.0" else None)
                client.send(get("/b", header, version=version))
                assert (await client.reply()).body == b"/b"
            else:
                assert version == "1.0" or reply.headers["connection"] == "close"
                assert await client.ended()


async def test_http_1_0_needs_no_host(serve_recorder, connect):
    client = await connect(await serve_recorder(), b"GET /a HTTP/1.0\r\n\r\n")
    assert (await client.reply()).body == b"/a"


async def test_an_upgrade_that_nobody_offers_is_passed_over(serve_recorder, connect):
    asked = post("/a", b"abc", "Connection: Upgrade", "Upgrade: h2c")
    client = await connect(await serve_recorder(), asked + get("/b"))
    assert [(await client.reply()).body for _ in range(2)] == [b"/a", b"/b"]


async def test_bodies_come_by_length_or_in_chunks_however_they_are_cut(serve_recorder, connect, seen, subtests):
    url = await serve_recorder()
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    for sent, body in (
        (post("/a", b"abcdef"), b"abcdef"),
        (post("/a", b""), b""),
        (head + b"3\r\nabc\r\n0003\r\ndef\r\n0\r\n\r\n", b"abcdef"),
        (head + b"0\r\n\r\n", b""),
        (head + b"A\r\n0\r\n\r\nGET /\r\n0\r\n\r\n", b"0\r\n\r\nGET /"),
    ):
        for cut in range(1, len(sent) + 1, 5):
            with subtests.test(body=body, cut=cut):
                seen.clear()
                client = await connect(url, sent[:cut])
                await client.sent()
                client.send(sent[cut:] + get("/b"))
                assert (await client.reply()).status == 200
                assert seen[0] == ("POST", "/a", body)
                assert (await client.reply()).body == b"/b"


async def test_who_asks_before_sending_a_body_is_told_to_go_on(serve_recorder, connect, seen):
    head, _, body = post("/a", b"abc", "Expect: 100-continue").partition(b"\r\n\r\n")
    client = await connect(await serve_recorder(), head + b"\r\n\r\n")
    assert (await client.reply()).status == 100
    assert seen == []
    client.send(body)
    assert (await client.reply()).status == 200
    assert seen == [("POST", "/a", b"abc")]


async def test_answers_to_head_and_304_have_no_body(serve_recorder, connect):
    client = await connect(
        await serve_recorder(), b"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n" + get("/unchanged") + get("/b")
    )
    head = await client.reply(to_head=True)
    assert (head.status, head.headers["content-length"], head.headers["x-path"]) == (200, "2", "/a")
    unchanged = await client.reply()
    assert (unchanged.status, unchanged.headers["x-path"]) == (304, "/unchanged")
    assert "transfer-encoding" not in unchanged.headers
    assert (await client.reply()).body == b"/b"


async def test_answers_in_parts_come_in_chunks(serve_recorder, connect):
    client = await connect(await serve_recorder(), get("/parts?part=abc&part=def") + get("/b"))
    reply = await client.reply()
    assert (reply.headers["transfer-encoding"], reply.body) == ("chunked", b"abcdef")
    assert (await client.reply()).body == b"/b"


async def test_answers_in_parts_to_http_1_0_end_with_the_connection(serve_recorder, connect):
    client = await connect(await serve_recorder(), get("/parts?part=abc&part=def", version="1.0"))
    reply = await client.reply()
    assert "transfer-encoding" not in reply.headers
    assert reply.body == b"abcdef"
    assert await client.ended()


async def test_whoever_works_on_an_answer_is_told_that_the_client_has_gone(serve_recorder, connect, seen, hung_up):
    url = await serve_recorder()
    client = await connect(url, get("/held"))
    await until(lambda: seen)
    client.hang_up()
    await until(lambda: hung_up == ["/held"])
    assert (await (await connect(url, get("/b"))).reply()).body == b"/b"


async def test_a_client_that_goes_while_it_sends_a_body_leaves_nothing_behind(serve_recorder, connect, seen, hung_up):
    url = await serve_recorder()
    client = await connect(url, post("/a", b"abcdef")[:-3])
    await client.sent()
    client.hang_up()
    assert (await (await connect(url, get("/b"))).reply()).body == b"/b"
    assert [path for _, path, _ in seen] == ["/b"]
    assert hung_up == []


async def test_an_answer_waits_for_a_client_that_does_not_read(serve_recorder, connect, seen, hung_up):
    client = await connect(await serve_recorder(), get("/flood"))
    await until(lambda: seen)
    client.reader._transport.pause_reading()

    async def stands_still():
        before = len(seen)
        await asyncio.sleep(0.2)
        return len(seen) == before

    await until(stands_still)
    parts = len(seen)
    client.reader._transport.resume_reading()
    while len(seen) == parts:
        assert await client.reader.read(65536)
    client.hang_up()
    await until(lambda: hung_up)


async def test_an_idle_connection_is_closed_without_a_word(serve_recorder, connect):
    url = await serve_recorder(Limits(idle_seconds=0.2))
    client = await connect(url)
    assert await client.ended()
    client = await connect(url, get("/a"))
    assert (await client.reply()).body == b"/a"
    assert await client.ended()


async def test_a_body_that_takes_too_long_ends_the_connection(serve_recorder, connect, seen, kind):
    client = await connect(await serve_recorder(Limits(body_seconds=0.2)), post("/a", b"abc")[:-1])
    reply = await client.reply()
    assert reply.status == 408 if kind == "llhttp" else reply is None
    assert await client.ended()
    assert seen == []


async def test_a_request_under_way_is_never_idle(serve_recorder, connect, seen, release):
    url = await serve_recorder(Limits(idle_seconds=0.1, head_seconds=0.1, body_seconds=0.1))
    client = await connect(url, get("/held"))
    await until(lambda: seen)
    others = await connect(url)
    assert await others.ended(), "longer than any limit"
    release.set()
    assert (await client.reply()).body == b"/held"


async def test_a_server_that_stops_finishes_and_says_with_each_answer_that_it_was_the_last(
    io_loop, kind, application, seen, release
):
    server = make_http_server(kind, application, name="a test", max_connections=100)
    [listener] = bind_sockets(0, "127.0.0.1")
    server.add_sockets([listener])
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    kept, busy, silent = [await Client.open(url) for _ in range(3)]
    kept.send(get("/a"))
    assert "connection" not in (await kept.reply()).headers
    busy.send(get("/held"))
    await until(lambda: len(seen) == 2)
    server.stop()
    with pytest.raises(ConnectionError):
        await Client.open(url)
    kept.send(get("/b"))
    reply = await kept.reply()
    assert (reply.body, reply.headers["connection"]) == (b"/b", "close")
    assert await kept.ended()
    release.set()
    assert (await busy.reply()).body == b"/held"
    await server.emptied_within(0.1)
    await server.close_all_connections()
    assert await silent.ended()
    await server.emptied_within(60)
    for client in (kept, busy, silent):
        client.close()
