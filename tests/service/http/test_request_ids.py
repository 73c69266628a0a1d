"""Ids of requests, taken over from real proxies; and the line of a request in the log."""

import json
import logging
import re
from types import SimpleNamespace

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from service.http.request_ids import RequestIds
from service.runtime.app import make_private_app, make_public_app
from tests.proxies import haproxy, nginx

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
OWN = re.compile(r"[0-9a-f]{16}")


def asked_by(*headers):
    lines = HTTPHeaders({"Host": "h5.example.com"})
    for name, value in headers:
        lines.add(name, value)
    connection = SimpleNamespace(context=SimpleNamespace(remote_ip="10.0.0.1", protocol="http"))
    start_line = RequestStartLine("GET", "/", "HTTP/1.1")
    return HTTPServerRequest(start_line=start_line, headers=lines, connection=connection)


def test_what_a_trusted_proxy_says_is_taken_where_it_has_the_form_of_an_id(subtests):
    ids = RequestIds(lambda _: True)
    for headers, expected in (
        ([("X-Request-Id", "f9ed4675f1c53513c61a3b3b4e25b4c0")], "f9ed4675f1c53513c61a3b3b4e25b4c0"),
        ([("X-Request-Id", "a_b-c.d1")], "a_b-c.d1"),
        ([("X-Request-Id", "0F3E7C6A-58A2-4b1c-9d1e-6f0a1b2c3d4e")], "0f3e7c6a58a24b1c9d1e6f0a1b2c3d4e"),
        ([("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01")], TRACE),
        ([("traceparent", f"01-{TRACE}-00f067aa0ba902b7-01-what comes later")], TRACE),
        ([("X-Request-Id", "?"), ("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01")], TRACE),
        ([("X-Request-Id", "of-the-proxy"), ("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01")], "of-the-proxy"),
    ):
        with subtests.test(str(headers)):
            assert ids.of(asked_by(*headers)) == expected


def test_anything_else_gets_an_id_of_its_own(subtests):
    ids = RequestIds(lambda _: True)
    for headers in (
        [],
        [("X-Request-Id", "short")],
        [("X-Request-Id", "x" * 33)],
        [("X-Request-Id", "<script>alert(1)")],
        [("X-Request-Id", "%s%(name)s{}")],
        [("X-Request-Id", "with spaces in it")],
        [("X-Request-Id", "编号编号".encode().decode("latin-1"))],
        [("X-Request-Id", "twice-sent-1"), ("X-Request-Id", "twice-sent-2")],
        [("traceparent", f"00-{'0' * 32}-00f067aa0ba902b7-01")],
        [("traceparent", f"00-{TRACE}-0000000000000000-01")],
        [("traceparent", f"ff-{TRACE}-00f067aa0ba902b7-01")],
        [("traceparent", f"00-{TRACE.upper()}-00f067aa0ba902b7-01")],
    ):
        with subtests.test(str(headers)):
            assert OWN.fullmatch(ids.of(asked_by(*headers)))


@pytest.mark.attack("the log", "a visitor", "chooses the id of a request, to be taken for another", "the id is our own")
def test_what_others_say_is_not_read():
    ids = RequestIds(lambda _: False)
    asked = asked_by(("X-Request-Id", "of-a-stranger"), ("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01"))
    assert OWN.fullmatch(ids.of(asked))


async def refused_by(http, address, path="/getCode"):
    response = await http.fetch(f"http://{address}{path}", method="POST", body="{}", raise_error=False)
    return response, json.loads(response.body)["request_id"]


@pytest.mark.gen_test
async def test_the_ids_of_nginx_and_haproxy_are_in_the_reply(http, public_url, tmp_path):
    ours = "proxy_set_header X-Request-Id $request_id; add_header X-Of-The-Proxy $request_id always;"
    with nginx(tmp_path, public_url, ours) as proxy:
        response, request_id = await refused_by(http, proxy)
        assert request_id == response.headers["X-Of-The-Proxy"]
    lines = (
        "http-request set-var(txn.id) uuid()",
        "http-request set-header X-Request-Id %[var(txn.id)]",
        "http-response set-header X-Of-The-Proxy %[var(txn.id)]",
    )
    with haproxy(tmp_path, public_url, *lines) as proxy:
        response, request_id = await refused_by(http, proxy)
        assert request_id == response.headers["X-Of-The-Proxy"].replace("-", "")


@pytest.mark.gen_test
async def test_each_request_is_a_line_without_its_query_where_asked_for(http, open_another, serve, caplog):
    service = await open_another(access_log=True)
    caplog.set_level(logging.INFO)
    public, private = await serve(make_public_app(service)), await serve(make_private_app(service))
    headers = {"X-Request-Id": "of-the-proxy", "X-Forwarded-For": "203.0.113.7"}
    await http.fetch(f"{public}/getCode?code=c0de", method="POST", body="", headers=headers, raise_error=False)
    await http.fetch(f"{private}/admin/sign-in?next=/s3cret", raise_error=False)
    lines = [record for record in caplog.records if record.name == "service.http.request_log"]
    assert lines[0].getMessage().startswith("203.0.113.7 POST /getCode 400 ")
    assert lines[0].getMessage().endswith(" ms [of-the-proxy]")
    assert (lines[0].status, lines[0].request_id) == (400, "of-the-proxy")
    assert (lines[1].method, lines[1].path) == ("GET", "/admin/sign-in")
    assert not [line for line in lines if "c0de" in str(vars(line)) or "s3cret" in str(vars(line))]


@pytest.mark.gen_test
async def test_requests_are_no_lines_otherwise(http, public_url, caplog):
    caplog.set_level(logging.INFO)
    await http.fetch(f"{public_url}/healthz")
    assert not [record for record in caplog.records if record.name == "service.http.request_log"]
