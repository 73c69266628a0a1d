import asyncio
import logging
import random
import sys

import pytest

from service.wechat.errors import FaultReason
from service.wechat.transports import RawReply, TransportFault, TransportUnavailable, make_transport
from service.wechat.transports.curl import CurlTransport
from service.wechat.transports.requests_pool import RequestsTransport
from tests.waiting import until

FAULTS = {
    "hang": (FaultReason.TIMEOUT, True),
    "reset": (FaultReason.CONNECTION, True),
    "close": (FaultReason.CONNECTION, False),
    "half a reply": (FaultReason.CONNECTION, True),
    "half a reply, then hang": (FaultReason.TIMEOUT, True),
    "drip a body": (FaultReason.TIMEOUT, True),
    "drip headers": (FaultReason.TIMEOUT, True),
    "ten megabytes": (FaultReason.TOO_LARGE, True),
    "endless chunks": (FaultReason.TOO_LARGE, True),
    "another protocol": (FaultReason.MALFORMED, True),
}


async def answers_well(transport, peer):
    """Return whether a call succeeds. A thread of `requests` may end a moment after its caller was answered."""
    try:
        return (await transport.get(peer.url + "/good")).body == b"{}"
    except TransportFault:
        return False


async def fault_of(awaitable):
    with pytest.raises(TransportFault) as caught:
        await awaitable
    return caught.value.reason, caught.value.reply_started


@pytest.mark.gen_test
@pytest.mark.parametrize("name", FAULTS)
async def test_broken_answer_is_a_clear_fault_in_time_and_the_next_request_works(
    name, misbehaviours, start_peer, open_transport, transport_name
):
    # A single connection: the next request works only if this one gave it back.
    transport = open_transport(transport_name, max_connections=1)
    peer = await start_peer({"/bad": misbehaviours[name]})

    assert await fault_of(transport.get(peer.url + "/bad")) == FAULTS[name]

    await until(lambda: answers_well(transport, peer))


@pytest.mark.gen_test
async def test_refused_connection_is_known_to_have_seen_no_reply(start_peer, transport):
    peer = await start_peer()
    await peer.stop()

    assert await fault_of(transport.get(peer.url)) == (FaultReason.CONNECTION, False)


@pytest.mark.gen_test
async def test_headers_made_of_noise_are_a_fault_or_a_reply(start_peer, transport, answering):
    noise = random.Random(7)
    acts = {
        f"/{number}": answering(b"HTTP/1.1 200 OK\r\n" + noise.randbytes(200) + b"\r\n\r\n", close=True)
        for number in range(20)
    }
    peer = await start_peer(acts)
    outcomes = await asyncio.gather(*(transport.get(peer.url + path) for path in acts), return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} <= {RawReply, TransportFault}
    assert all(outcome.reply_started for outcome in outcomes if isinstance(outcome, TransportFault))


@pytest.mark.gen_test
async def test_status_and_body_come_as_they_are(start_peer, transport, http_reply, answering):
    peer = await start_peer({"/teapot": answering(http_reply("某😀\x01".encode(), "418 I'm a teapot"))})

    reply = await transport.get(peer.url + "/teapot")

    assert (reply.status, reply.body) == (418, "某😀\x01".encode())


@pytest.mark.gen_test
async def test_sequential_calls_share_one_connection(start_peer, transport):
    peer = await start_peer()
    for _ in range(6):
        await transport.get(peer.url + "/")

    assert peer.connections == 1


@pytest.mark.gen_test
async def test_concurrent_calls_keep_to_the_limit_of_connections(start_peer, open_transport, transport_name):
    transport = open_transport(transport_name, max_connections=3, timeout_seconds=4)
    under_way = 0
    most = 0

    async def act(writer):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.02)
        under_way -= 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    peer = await start_peer({"/": act})
    await asyncio.gather(*(transport.get(peer.url + "/") for _ in range(12)))

    assert most == 3
    assert peer.connections == 3


@pytest.mark.gen_test
async def test_call_that_waits_for_a_connection_too_long_is_never_sent(
    start_peer, open_transport, transport_name, misbehaviours
):
    transport = open_transport(transport_name, max_connections=1)
    peer = await start_peer({"/hang": misbehaviours["hang"]})
    first = asyncio.ensure_future(transport.get(peer.url + "/hang"))
    await peer.asked.wait()
    transport._timeout_seconds = 0.1

    assert await fault_of(transport.get(peer.url + "/second")) == (FaultReason.TIMEOUT, False)

    assert await fault_of(first) == (FaultReason.TIMEOUT, True)
    transport._timeout_seconds = 2
    await transport.get(peer.url + "/third")
    assert [head.split(" ")[1] for head in peer.heads] == ["/hang", "/third"]


@pytest.mark.gen_test
async def test_cancelled_call_leaves_no_noise_and_no_loss(
    start_peer, open_transport, transport_name, misbehaviours, caplog
):
    transport = open_transport(transport_name, max_connections=1)
    peer = await start_peer({"/hang": misbehaviours["hang"]})
    call = asyncio.ensure_future(transport.get(peer.url + "/hang"))
    await peer.asked.wait()
    waiting = asyncio.ensure_future(transport.get(peer.url + "/waiting"))
    await asyncio.sleep(0)

    call.cancel()
    waiting.cancel()
    await asyncio.gather(call, waiting, return_exceptions=True)
    transport._timeout_seconds = 2

    assert (await transport.get(peer.url + "/next")).status == 200
    assert [head.split(" ")[1] for head in peer.heads] == ["/hang", "/next"]
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.gen_test
async def test_proxies_of_the_environment_are_not_used(start_peer, transport, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    peer = await start_peer()

    assert (await transport.get(peer.url + "/")).status == 200


@pytest.mark.gen_test
async def test_redirects_are_not_followed_and_cookies_not_kept(start_peer, transport, http_reply, answering):
    headers = "Location: /elsewhere\r\nSet-Cookie: session=1; Path=/\r\n"
    peer = await start_peer({"/moved": answering(http_reply(b"", "302 Found", headers))})

    assert (await transport.get(peer.url + "/moved")).status == 302
    await transport.get(peer.url + "/")

    assert [head.split(" ")[1] for head in peer.heads] == ["/moved", "/"]
    assert "cookie" not in peer.heads[1].lower()


@pytest.mark.gen_test
async def test_body_is_sent_as_it_is_and_the_type_of_the_reply_is_told(start_peer, transport, http_reply, answering):
    body = b"<xml>\x00\xff" + 20_000 * b"x"
    peer = await start_peer({"/hook": answering(http_reply("某".encode()))})

    for _ in range(2):
        reply = await transport.post(peer.url + "/hook?a=1", body, {"Content-Type": "text/xml"}, timeout_seconds=2)

    assert (reply.status, reply.body, reply.content_type) == (200, "某".encode(), "text/plain")
    assert peer.bodies == [body, body]
    assert peer.connections == 1
    head = peer.heads[0].lower()
    assert head.startswith("post /hook?a=1 http/1.1")
    assert "content-type: text/xml\r\n" in head
    assert "expect" not in head


@pytest.mark.gen_test
async def test_fetching_and_sending_do_not_mix(start_peer, transport):
    peer = await start_peer()
    await transport.post(peer.url + "/", b"body", {"X-Own": "1"}, timeout_seconds=2)
    await transport.get(peer.url + "/")
    await transport.post(peer.url + "/", b"", {}, timeout_seconds=2)

    assert [head.split(" ")[0] for head in peer.heads] == ["POST", "GET", "POST"]
    assert peer.bodies == [b"body", b"", b""]
    assert ["x-own" in head.lower() for head in peer.heads] == [True, False, False]


@pytest.mark.gen_test
@pytest.mark.parametrize("name", FAULTS)
async def test_sending_fails_as_fetching_does_within_its_own_time(
    name, misbehaviours, start_peer, open_transport, transport_name
):
    transport = open_transport(transport_name, timeout_seconds=60)
    peer = await start_peer({"/bad": misbehaviours[name]})

    assert await fault_of(transport.post(peer.url + "/bad", b"body", {}, timeout_seconds=0.5)) == FAULTS[name]


@pytest.mark.gen_test
async def test_a_request_is_sent_once_also_on_connections_that_were_kept(start_peer, transport, misbehaviours):
    peer = await start_peer({"/bad": misbehaviours["close"]})
    for send in (
        lambda path: transport.get(peer.url + path),
        lambda path: transport.post(peer.url + path, b"body", {}, timeout_seconds=2),
    ):
        await asyncio.gather(*(send("/good") for _ in range(8)))
        peer.heads.clear()

        assert await fault_of(send("/bad")) == FAULTS["close"]
        assert len(peer.heads) == 1

        assert (await send("/good")).status == 200


@pytest.mark.gen_test
async def test_sending_follows_no_redirect(start_peer, transport, misbehaviours):
    peer = await start_peer({"/moved": misbehaviours["redirect"]})

    assert (await transport.post(peer.url + "/moved", b"body", {}, timeout_seconds=2)).status == 302
    assert len(peer.heads) == 1


@pytest.mark.gen_test
async def test_close_lets_calls_under_way_end(start_peer, io_loop, transport_name):
    transport = make_transport(transport_name, 2.0, 2)
    closing = asyncio.Event()

    async def act(writer):
        await closing.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    peer = await start_peer({"/": act})
    call = asyncio.ensure_future(transport.get(peer.url + "/"))
    await peer.asked.wait()

    ending = asyncio.ensure_future(transport.close())
    await asyncio.sleep(0)
    closing.set()
    await ending

    assert (await call).status == 200


@pytest.mark.gen_test
async def test_certificate_that_is_not_trusted_ends_the_call_before_the_request(start_peer, transport, tls, io_loop):
    peer = await start_peer(ssl_context=tls)

    with pytest.raises(TransportFault, match="certificate is not trusted") as caught:
        await transport.get(peer.url + "/")

    assert caught.value.reason is FaultReason.CONNECTION
    assert peer.heads == []


@pytest.mark.gen_test
@pytest.mark.parametrize("make", [CurlTransport, RequestsTransport])
async def test_trusted_certificate_is_accepted_and_the_connection_kept(make, start_peer, tls, certificate):
    transport = make(2.0, 2, ca_certs=str(certificate.path))
    peer = await start_peer(ssl_context=tls)
    for _ in range(3):
        assert (await transport.get(peer.url + "/")).status == 200
    await transport.close()

    assert peer.connections == 1


@pytest.mark.gen_test
async def test_reply_that_drips_over_tls_ends_in_time(start_peer, tls, certificate, misbehaviours, transport_name):
    make = {"curl": CurlTransport, "requests": RequestsTransport}[transport_name]
    transport = make(0.5, 1, ca_certs=str(certificate.path))
    peer = await start_peer({"/bad": misbehaviours["drip headers"]}, ssl_context=tls)

    assert await fault_of(transport.get(peer.url + "/bad")) == (FaultReason.TIMEOUT, True)
    await until(lambda: answers_well(transport, peer))
    await transport.close()


@pytest.mark.gen_test
async def test_transport_without_a_name_is_curl_where_it_is_installed(io_loop):
    transport = make_transport(None)
    assert isinstance(transport, CurlTransport)
    await transport.close()


@pytest.mark.gen_test
async def test_without_pycurl_the_default_is_requests_and_curl_is_refused_with_the_command(monkeypatch, io_loop):
    monkeypatch.delitem(sys.modules, "service.wechat.transports.curl")
    monkeypatch.setitem(sys.modules, "pycurl", None)
    transport = make_transport(None)
    assert isinstance(transport, RequestsTransport)
    await transport.close()

    with pytest.raises(TransportUnavailable, match=r"pip install 'wechat-openid\[fast\]'"):
        make_transport("curl")
