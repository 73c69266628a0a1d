"""Behind real proxies: whatever header they write, visitors are told apart, and nobody becomes another.

The visitor's address comes by the PROXY protocol, so that a test on one machine has as many as it likes.
"""

import asyncio
import json
from ipaddress import ip_network

import pytest

from service.runtime.app import make_public_app
from tests.proxies import haproxy, nginx

pytestmark = pytest.mark.gen_test

TAKES_ADDRESS = "proxy_protocol"
SAME_AGENT = "MicroMessenger/8.0"
#: From nginx's own documentation of Forwarded.
FORWARDED_MAP = """
  map $proxy_protocol_addr $forwarded_elem {
    ~^[0-9.]+$ "for=$proxy_protocol_addr";
    ~^[0-9A-Fa-f:.]+$ "for=\\"[$proxy_protocol_addr]\\"";
    default "for=unknown";
  }
"""
REAL = "set_real_ip_from 127.0.0.1; real_ip_header proxy_protocol;"
NGINX = {
    "X-Forwarded-For appended": (REAL, "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"),
    "X-Forwarded-For with port": (REAL, "proxy_set_header X-Forwarded-For $remote_addr:$remote_port;"),
    "X-Real-IP": (REAL, "proxy_set_header X-Real-IP $remote_addr;"),
    "both": (
        REAL,
        "proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
    ),
    "Forwarded": (REAL, "proxy_set_header Forwarded $forwarded_elem;"),
}
HAPROXY = {
    "forwardfor": ["option forwardfor"],
    "X-Real-IP": ["http-request set-header X-Real-IP %[src]"],
    "Forwarded": ['http-request set-header Forwarded "for=\\"[%[src]]:%[src_port]\\";proto=http"'],
    "ip and port": ["http-request set-header X-Forwarded-For %[src]:%[src_port]"],
}
VISITORS = {
    4: ("203.0.113.5", "198.51.100.9"),
    6: ("2001:db8:1::5", "2001:db8:2::9"),
}


async def post(proxy, visitor, code, *, port=51234, headers=()):
    """Post a code through a proxy from an address of the visitor's, as a load balancer passes it on."""
    host, _, proxy_port = proxy.partition(":")
    reader, writer = await asyncio.open_connection(host, int(proxy_port))
    family = "TCP6 {} ::1" if ":" in visitor else "TCP4 {} 127.0.0.1"
    body = json.dumps({"code": code})
    lines = [
        f"PROXY {family.format(visitor)} {port} 80",
        "POST /getCode HTTP/1.1",
        "Host: h5.example.com",
        f"User-Agent: {SAME_AGENT}",
        "Connection: close",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    writer.write(("\r\n".join([*lines, "", body])).encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    head, _, content = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), b"Set-Cookie" in head, content


@pytest.fixture
def serve_public(open_another, serve):
    async def start(**changes):
        changes = {"public_url": "https://h5.example.com", "trusted_proxies": (ip_network("127.0.0.1"),)} | changes
        return await serve(make_public_app(await open_another(**changes)))

    return start


async def is_told_apart(proxy, wechat, family):
    visitor, stranger = VISITORS[family]
    code = wechat.issue_code()
    first = await post(proxy, visitor, code)
    again = await post(proxy, visitor, code, port=51299)
    assert (first[0], again[0]) == (200, 200), (first, again)
    for headers in (
        (),
        (f"X-Forwarded-For: {visitor}",),
        (f"X-Forwarded-For: {visitor}:51234", f"X-Real-IP: {visitor}"),
        (f"X-Real-IP: {visitor}",),
        (f'Forwarded: for="{visitor}"',),
        (f"Forwarded: for={visitor}", f"X-Forwarded-For: {visitor}", f"X-Real-IP: {visitor}"),
        (f'Forwarded: for={visitor};x="',),
    ):
        status, has_cookie, content = await post(proxy, stranger, code, headers=headers)
        assert (status, has_cookie) == (400, False), headers
        assert json.loads(content)["errcode"] == 40163


@pytest.mark.parametrize("form", NGINX)
async def test_behind_nginx_visitors_are_told_apart(serve_public, wechat, tmp_path, form):
    upstream = await serve_public()
    server, location = NGINX[form]
    with nginx(tmp_path, upstream, location, server=server, outside=FORWARDED_MAP, listen=TAKES_ADDRESS) as proxy:
        for family in VISITORS if form != "X-Forwarded-For with port" else (4,):
            await is_told_apart(proxy, wechat, family)


@pytest.mark.parametrize("form", HAPROXY)
async def test_behind_haproxy_visitors_are_told_apart(serve_public, wechat, tmp_path, form):
    upstream = await serve_public()
    with haproxy(tmp_path, upstream, *HAPROXY[form], bind=" accept-proxy") as proxy:
        for family in VISITORS if form != "ip and port" else (4,):
            await is_told_apart(proxy, wechat, family)


async def test_behind_two_proxies_the_visitor_is_the_one_before_both(serve_public, wechat, tmp_path):
    upstream = await serve_public()
    with (
        nginx(tmp_path, upstream, NGINX["both"][1]) as inner,
        haproxy(tmp_path, inner, "option forwardfor", bind=" accept-proxy") as outer,
    ):
        await is_told_apart(outer, wechat, 4)


async def test_behind_a_proxy_that_says_nothing_nobody_gets_anothers_answer(serve_public, wechat, tmp_path, caplog):
    for number, changes in enumerate(({}, {"trusted_proxies": ()}, {"trusted_proxies": (), "public_url": ""})):
        upstream = await serve_public(**changes)
        folder = tmp_path / str(number)
        folder.mkdir()
        with haproxy(folder, upstream, bind=" accept-proxy") as proxy:
            code = wechat.issue_code()
            assert (await post(proxy, VISITORS[4][0], code))[0] == 200
            for visitor in VISITORS[4]:
                status, has_cookie, _ = await post(proxy, visitor, code)
                assert (status, has_cookie) == (400, False)
    told = [record for record in caplog.records if record.name == "service.http.clients"]
    assert len(told) == 2  # once for each process that knows of a proxy
    assert all("TRUSTED_PROXIES" in record.getMessage() for record in told)


async def test_a_proxy_that_is_not_named_tells_nobody_apart(serve_public, wechat, tmp_path):
    upstream = await serve_public(trusted_proxies=())
    with haproxy(tmp_path, upstream, "option forwardfor", bind=" accept-proxy") as proxy:
        code = wechat.issue_code()
        assert (await post(proxy, VISITORS[4][0], code))[0] == 200
        assert (await post(proxy, VISITORS[4][1], code))[0] == 400
