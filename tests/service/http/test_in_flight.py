import asyncio

import pytest
from tornado.web import Application

from service.http.handlers.base import JsonHandler
from service.http.in_flight import InFlight


class SlowHandler(JsonHandler):
    def initialize(self, begun, may_end):
        self.begun = begun
        self.may_end = may_end

    async def get(self, *_):
        self.begun.set()
        await self.may_end.wait()
        self.write_json({})


@pytest.fixture
def in_flight():
    return InFlight()


@pytest.fixture
def begun():
    return asyncio.Event()


@pytest.fixture
def may_end():
    return asyncio.Event()


@pytest.fixture
def app(in_flight, begun, may_end):
    return Application([(r"/slow/?(.*)", SlowHandler, {"begun": begun, "may_end": may_end})], in_flight=in_flight)


async def is_idle(in_flight):
    done, [*pending] = await asyncio.wait([asyncio.ensure_future(in_flight.ended())], timeout=0.01)
    for task in pending:
        task.cancel()
    return bool(done)


@pytest.mark.gen_test
async def test_nothing_is_under_way_at_first(in_flight):
    assert await is_idle(in_flight)


@pytest.mark.gen_test
async def test_the_end_is_when_every_request_has_left(in_flight):
    in_flight.enter("a")
    in_flight.enter("b")
    in_flight.leave("a")
    assert not await is_idle(in_flight)
    in_flight.leave("b")
    assert await is_idle(in_flight)


@pytest.mark.gen_test
async def test_a_request_that_leaves_twice_or_never_entered_counts_for_nothing(in_flight):
    in_flight.leave("never entered")
    in_flight.enter("a")
    in_flight.enter("b")
    in_flight.leave("a")
    in_flight.leave("a")
    assert not await is_idle(in_flight)
    in_flight.leave("b")
    assert await is_idle(in_flight)


@pytest.mark.gen_test
async def test_a_request_is_under_way_until_it_is_answered(http_client, base_url, in_flight, begun, may_end):
    fetching = asyncio.ensure_future(http_client.fetch(f"{base_url}/slow"))
    await begun.wait()
    assert not await is_idle(in_flight)
    may_end.set()
    await fetching
    await in_flight.ended()


@pytest.mark.gen_test
@pytest.mark.parametrize("request_line", ["PROPFIND /slow", "GET /slow/%ff", "POST /slow"])
async def test_a_request_refused_before_its_handler_does_not_upset_the_count(
    http_client, http_port, base_url, in_flight, begun, may_end, request_line
):
    reader, writer = await asyncio.open_connection("127.0.0.1", http_port)
    writer.write(f"{request_line} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
    assert (await reader.read()).startswith(b"HTTP/1.1 4")
    writer.close()
    await writer.wait_closed()
    assert await is_idle(in_flight)
    fetching = asyncio.ensure_future(http_client.fetch(f"{base_url}/slow"))
    await begun.wait()
    assert not await is_idle(in_flight)
    may_end.set()
    await fetching
    await in_flight.ended()
