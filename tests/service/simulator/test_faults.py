import asyncio
import json

import pytest
from tornado.httpclient import HTTPClientError
from tornado.iostream import StreamClosedError
from tornado.tcpclient import TCPClient

from service.simulator.faults import Fault, Faults
from service.simulator.sns import HUGE_BODY_BYTES
from tests.waiting import until


@pytest.mark.gen_test
async def test_an_injected_errcode_is_answered_so_many_times_and_takes_no_effect(wechat, exchange):
    code = wechat.issue_code()
    wechat.faults.add(Fault(endpoint="access_token", errcode=-1, times=2))
    replies = [await exchange(code) for _ in range(3)]
    assert [reply.get("errcode") for reply in replies] == [-1, -1, None]
    assert replies[0]["errmsg"].startswith("system error, rid: ")
    assert wechat.outcomes["access_token"] == {"-1": 2, "ok": 1}


@pytest.mark.gen_test
async def test_an_injected_errcode_may_be_any_with_any_text(wechat, exchange):
    wechat.faults.add(Fault(errcode=61024, errmsg="something new"))
    reply = await exchange("unknown")
    assert reply["errcode"] == 61024
    assert reply["errmsg"].startswith("something new, rid: ")


@pytest.mark.gen_test
async def test_a_fault_of_one_endpoint_leaves_the_others_alone(wechat, exchange):
    wechat.faults.add(Fault(endpoint="refresh_token", errcode=45011, times=None))
    assert "openid" in await exchange(wechat.issue_code())


@pytest.mark.gen_test
async def test_a_fault_without_a_number_of_times_lasts_until_it_is_cleared(wechat, exchange):
    wechat.faults.add(Fault(errcode=45009, times=None))
    assert [(await exchange("unknown"))["errcode"] for _ in range(3)] == [45009] * 3
    wechat.faults.clear()
    assert (await exchange("unknown"))["errcode"] == 40029


@pytest.mark.gen_test
async def test_a_fault_may_come_after_the_call_took_effect(wechat, exchange):
    code = wechat.issue_code()
    wechat.faults.add(Fault(errcode=-1, performed=True))
    assert (await exchange(code))["errcode"] == -1
    assert (await exchange(code))["errcode"] == 40163


@pytest.mark.gen_test
async def test_drop_closes_the_connection_before_any_byte(wechat, http_server, http_port):
    wechat.faults.add(Fault(breakage="drop"))
    assert await _raw_reply(http_port) == b""
    assert wechat.outcomes["auth"] == {"drop": 1}


@pytest.mark.gen_test
async def test_half_closes_the_connection_within_the_body(wechat, http_server, http_port):
    wechat.faults.add(Fault(breakage="half"))
    head, _, body = (await _raw_reply(http_port)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    headers = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
    assert len(body) == int(headers[b"Content-Length"]) // 2


@pytest.mark.gen_test
async def test_half_uses_the_code_up(wechat, fetch, exchange):
    code = wechat.issue_code()
    wechat.faults.add(Fault(breakage="half"))
    with pytest.raises((HTTPClientError, StreamClosedError)):
        await exchange(code)
    assert (await exchange(code))["errcode"] == 40163


@pytest.mark.gen_test
async def test_hang_answers_nothing_until_the_caller_gives_up(wechat, http_server, http_port, exchange):
    wechat.faults.add(Fault(breakage="hang"))
    stream = await TCPClient().connect("127.0.0.1", http_port)
    await stream.write(b"GET /sns/auth HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await until(lambda: wechat.outcomes["auth"]["hang"])
    assert (await exchange("unknown"))["errcode"] == 40029
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(stream.read_bytes(1), 0.05)
    stream.close()


@pytest.mark.gen_test
async def test_html_comes_with_http_200(wechat, fetch):
    wechat.faults.add(Fault(breakage="html"))
    response = await fetch("/sns/auth")
    assert (response.code, response.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert response.body.startswith(b"<html>")


@pytest.mark.gen_test
async def test_http_500(wechat, fetch):
    wechat.faults.add(Fault(breakage="http_500"))
    assert (await fetch("/sns/auth")).code == 500


@pytest.mark.gen_test
async def test_truncated_is_half_of_the_json_in_a_whole_reply(wechat, fetch):
    wechat.faults.add(Fault(breakage="truncated"))
    response = await fetch("/sns/auth")
    assert response.code == 200
    assert response.body.startswith(b'{"errcode":41001,')
    with pytest.raises(json.JSONDecodeError):
        json.loads(response.body)


@pytest.mark.gen_test
async def test_huge_is_the_reply_padded_to_ten_megabytes(wechat, fetch):
    wechat.faults.add(Fault(breakage="huge"))
    response = await fetch("/sns/auth")
    assert len(response.body) == HUGE_BODY_BYTES == 10_000_000
    assert json.loads(response.body)["errcode"] == 41001


@pytest.mark.gen_test
async def test_latency_holds_the_reply_back_and_other_calls_go_on(wechat, fetch, auth):
    wechat.faults.add(Fault(endpoint="userinfo", latency_seconds=0.3))
    slow = asyncio.ensure_future(fetch("/sns/userinfo"))
    await until(lambda: wechat.calls["userinfo"])
    assert (await auth({"access_token": "unknown", "openid": "o"}))["errcode"] == 40001
    assert not slow.done()
    assert json.loads((await slow).body)["errcode"] == 41001


def test_slow_faults_add_up_and_the_first_that_spoils_wins():
    faults = Faults()
    faults.add(Fault(latency_seconds=1, times=None))
    faults.add(Fault(errcode=-1, latency_seconds=2))
    faults.add(Fault(errcode=45011))
    first, second, third = (faults.take("auth") for _ in range(3))
    assert (first.latency_seconds, first.fault.errcode) == (3, -1)
    assert (second.latency_seconds, second.fault.errcode) == (1, 45011)
    assert (third.latency_seconds, third.fault) == (1, None)


def test_clearing_an_endpoint_keeps_the_faults_of_others_and_of_all():
    faults = Faults()
    for endpoint in ("auth", "userinfo", None):
        faults.add(Fault(endpoint=endpoint, errcode=-1))
    faults.clear("auth")
    assert [fault.endpoint for fault, _ in faults.pending()] == ["userinfo", None]


def test_a_fault_that_makes_no_sense_is_refused_by_name(subtests):
    for fields, named in [
        ({}, "errcode"),
        ({"errcode": 0}, "errcode"),
        ({"errcode": -1, "breakage": "drop"}, "errcode"),
        ({"errmsg": "text", "breakage": "drop"}, "errmsg"),
        ({"endpoint": "authorize", "errcode": -1}, "endpoint"),
        ({"breakage": "explode"}, "breakage"),
        ({"latency_seconds": -1}, "latency_seconds"),
        ({"latency_seconds": float("nan")}, "latency_seconds"),
        ({"errcode": -1, "times": 0}, "times"),
    ]:
        with subtests.test(fields=fields, named=named), pytest.raises(ValueError, match=f"^{named}: "):
            Fault(**fields)


async def _raw_reply(port):
    """Return every byte of the answer to one call."""
    stream = await TCPClient().connect("127.0.0.1", port)
    await stream.write(b"GET /sns/auth HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return await stream.read_until_close()
