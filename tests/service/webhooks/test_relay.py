"""Messages passed on to a team's own server: everything it gets, and what WeChat gets when it misbehaves."""

import asyncio
import logging
import time

import pytest

from service.observability.redaction import redact
from service.webhooks.relay import MessageRelay, PushedMessage, PushReply, RelayOutcome
from service.wechat.protocol import Account
from service.wechat.transports import make_transport
from tests.service.peer import answer, http

pytestmark = pytest.mark.gen_test

QUERY = "signature=s3cr%65t&timestamp=1800000000&nonce=7&openid=o-1&encrypt_type=aes&a=%2B+~!*'()&a=&b"
BODY = b"<xml>\x00\xff\r\n\xe6\x9f</xml>"

#: What WeChat is told when a server misbehaves is `success`; what is counted differs.
OUTCOMES = {
    "hang": RelayOutcome.TIMEOUT,
    "reset": RelayOutcome.CONNECTION,
    "close": RelayOutcome.CONNECTION,
    "half a reply": RelayOutcome.CONNECTION,
    "half a reply, then hang": RelayOutcome.TIMEOUT,
    "drip a body": RelayOutcome.TIMEOUT,
    "drip headers": RelayOutcome.TIMEOUT,
    "ten megabytes": RelayOutcome.TOO_LARGE,
    "endless chunks": RelayOutcome.TOO_LARGE,
    "another protocol": RelayOutcome.MALFORMED,
    "bad gateway": RelayOutcome.HTTP_STATUS,
    "redirect": RelayOutcome.HTTP_STATUS,
}


@pytest.fixture(params=["curl", "requests"])
def make_relay(io_loop, request):
    relays = []

    def make(*, max_connections=8, **options):
        transport = make_transport(request.param, 60.0, max_connections)
        relay = MessageRelay(transport, observe=lambda appid, outcome: relay.seen.append((appid, outcome)), **options)
        relay.seen = []
        relays.append(relay)
        return relay

    yield make
    for relay in relays:
        io_loop.run_sync(relay.close)


def account_of(url):
    return Account("wx-1", "secret", event_token="token", event_forward_url=url)


def a_message(**changes):
    return PushedMessage(**{"query": QUERY, "body": BODY, "content_type": "text/xml; charset=gbk", **changes})


async def test_the_server_gets_the_bytes_and_the_query_as_they_came(start_peer, make_relay):
    peer = await start_peer()
    relay = make_relay()
    await relay.forward(account_of(f"{peer.url}/wechat"), a_message())
    await relay.forward(account_of(f"{peer.url}/index.php?route=wechat"), a_message(content_type=""))
    first, second = peer.heads
    assert first.startswith(f"POST /wechat?{QUERY} HTTP/1.1\r\n")
    assert second.startswith(f"POST /index.php?route=wechat&{QUERY} HTTP/1.1\r\n")
    assert peer.bodies == [BODY, BODY]
    assert "content-type: text/xml; charset=gbk\r\n" in first.lower()
    assert peer.connections == 1, "the connection is kept"


@pytest.mark.parametrize("status", ["200 OK", "201 Created", "403 Forbidden", "404 Not Found"])
async def test_the_reply_comes_back_as_it_is(start_peer, make_relay, status):
    body = "<xml><![CDATA[某]]></xml>".encode()
    peer = await start_peer({"/": answer(http(body, status))})
    relay = make_relay()
    reply = await relay.forward(account_of(f"{peer.url}/"), a_message())
    assert reply == PushReply(int(status[:3]), body, "text/plain")
    assert relay.seen == [("wx-1", RelayOutcome.ANSWERED)]


async def test_a_server_that_misbehaves_gives_no_answer_and_is_counted(start_peer, make_relay, misbehaviours, subtests):
    relay = make_relay(within_seconds=0.5)
    for name, outcome in OUTCOMES.items():
        with subtests.test(name=name):
            peer = await start_peer({"/": misbehaviours[name]})
            assert await relay.forward(account_of(f"{peer.url}/"), a_message()) is None
            assert relay.seen[-1] == ("wx-1", outcome)
            assert len(peer.heads) <= 1, "nothing is followed or sent again"


async def test_a_server_that_is_down_is_logged_once_in_a_while_without_what_was_sent(start_peer, make_relay, caplog):
    caplog.set_level(logging.DEBUG)
    peer = await start_peer()
    await peer.stop()
    relay = make_relay()
    for _ in range(3):
        assert await relay.forward(account_of(f"{peer.url}/wechat"), a_message()) is None
    assert relay.seen == 3 * [("wx-1", RelayOutcome.CONNECTION)]
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert "wx-1" in warnings[0].message
    for text in ("s3cr%65t", "xml>", "secret"):
        assert text not in caplog.text


async def test_the_time_counts_from_when_the_message_was_received(start_peer, make_relay):
    peer = await start_peer()
    relay = make_relay(within_seconds=4.5)
    late = a_message(received_at=time.monotonic() - 5)
    assert await relay.forward(account_of(peer.url), late) is None
    assert (relay.seen, peer.heads) == ([("wx-1", RelayOutcome.TIMEOUT)], [])


async def test_only_so_many_are_under_way_at_once(start_peer, make_relay):
    open_now, most = 0, 0

    async def act(writer):
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0.02)
        open_now -= 1
        writer.write(http(b"{}"))

    peer = await start_peer({"/": act})
    relay = make_relay(max_connections=3)
    replies = await asyncio.gather(*(relay.forward(account_of(f"{peer.url}/"), a_message()) for _ in range(12)))
    assert None not in replies
    assert (most, peer.connections) == (3, 3)


async def test_a_message_that_has_come_through_here_is_not_passed_on_again(start_peer, make_relay):
    peer = await start_peer()
    relay = make_relay()
    await relay.forward(account_of(peer.url), a_message(via="1.1 proxy"))
    [via] = [line for line in peer.heads[0].splitlines() if line.lower().startswith("via:")]
    assert await relay.forward(account_of(peer.url), a_message(via=via.partition(": ")[2])) is None
    assert [outcome for _, outcome in relay.seen] == [RelayOutcome.ANSWERED, RelayOutcome.LOOP]
    assert len(peer.heads) == 1


async def test_odd_content_types_get_into_no_header(start_peer, make_relay):
    peer = await start_peer({"/": answer(b"HTTP/1.1 200 OK\r\nContent-Type: \xff\x01\r\nContent-Length: 2\r\n\r\nok")})
    relay = make_relay()
    reply = await relay.forward(account_of(f"{peer.url}/"), a_message(content_type="text/\xff"))
    assert reply == PushReply(200, b"ok", "")
    assert "content-type: text/xml\r\n" in peer.heads[0].lower()


def test_signatures_are_kept_out_of_what_libraries_log():
    logged = redact("POST /w?signature=0a1b&msg_signature=2c3d&nonce=7")
    assert logged == "POST /w?signature=***&msg_signature=***&nonce=7"
