import socket
from ipaddress import ip_network
from types import SimpleNamespace

import pytest
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import Application, RequestHandler

from service.authorization.sessions import Session
from service.http.clients import browser_of, client_address

PROXIES = tuple(map(ip_network, ("10.0.0.0/8", "127.0.0.1", "2001:db8:a::/48")))


def a_request(peer, *forwarded, user_agent="MicroMessenger/8.0"):
    """Make a request from a peer, with any number of X-Forwarded-For headers."""
    headers = HTTPHeaders({"Host": "h5.example.com", "User-Agent": user_agent})
    for value in forwarded:
        headers.add("X-Forwarded-For", value)
    connection = SimpleNamespace(context=SimpleNamespace(remote_ip=peer, protocol="http"))
    start_line = RequestStartLine("POST", "/getCode", "HTTP/1.1")
    return HTTPServerRequest(start_line=start_line, headers=headers, connection=connection)


def test_the_client_is_the_last_hop_that_no_trusted_proxy_is(subtests):
    for peer, forwarded, client in [
        # nobody between: what the client says of itself proves nothing
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("203.0.113.9", ["10.0.0.1"], "203.0.113.9"),
        ("2001:db8:b::9", ["198.51.100.1"], "2001:db8:b::9"),
        # one trusted proxy
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["198.51.100.1", "203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["10.0.0.7, 203.0.113.9"], "203.0.113.9"),
        ("2001:db8:a::1", ["2001:db8:b::9"], "2001:db8:b::9"),
        ("10.0.0.1", ["2001:DB8:B:0:0:0:0:9"], "2001:db8:b::9"),
        # several
        ("127.0.0.1", ["198.51.100.1, 203.0.113.9, 2001:db8:a::1, 10.0.0.1"], "203.0.113.9"),
        ("127.0.0.1", ["198.51.100.1,203.0.113.9", "10.0.0.2 ,10.0.0.1"], "203.0.113.9"),
        # an untrusted hop in between ends the chain
        ("10.0.0.1", ["198.51.100.1, 203.0.113.200, 10.0.0.2"], "203.0.113.200"),
        # the client is itself within the trusted networks
        ("127.0.0.1", ["10.0.0.5, 10.0.0.1"], "10.0.0.5"),
        ("127.0.0.1", [], "127.0.0.1"),
        # garbage is where the chain ends
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9, unknown, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["203.0.113.9,"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.999"], "10.0.0.1"),
        ("10.0.0.1", ["1; DROP TABLE, <script>"], "10.0.0.1"),
        ("10.0.0.1", ["9" * 5000], "10.0.0.1"),
        # a socket for both families tells IPv4 peers in the form of IPv6
        ("::ffff:10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("::ffff:203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9, ::ffff:10.0.0.2"], "203.0.113.9"),
        # no address at all, as of a Unix socket
        ("", ["203.0.113.9"], ""),
        (None, ["203.0.113.9"], ""),
        ("/run/a.sock", ["203.0.113.9"], "/run/a.sock"),
    ]:
        with subtests.test(peer=peer, forwarded=forwarded, client=client):
            assert client_address(a_request(peer, *forwarded), PROXIES) == client


def test_no_forged_chain_changes_what_the_proxy_saw(subtests):
    for forged in ["198.51.100.1", "10.0.0.9", "127.0.0.1", "::1", "::ffff:10.0.0.9", "junk", ", ,", ""]:
        with subtests.test(forged=forged):
            assert client_address(a_request("10.0.0.1", forged, "203.0.113.9"), PROXIES) == "203.0.113.9"
            assert client_address(a_request("10.0.0.1", f"{forged}, 203.0.113.9, 10.1.1.1"), PROXIES) == "203.0.113.9"
            assert client_address(a_request("203.0.113.9", forged), PROXIES) == "203.0.113.9"


def test_without_trusted_proxies_only_the_peer_counts():
    assert client_address(a_request("10.0.0.1", "203.0.113.9"), ()) == "10.0.0.1"


@pytest.mark.gen_test
async def test_a_listener_for_both_families_knows_its_ipv4_proxy(http):
    class Echo(RequestHandler):
        def get(self):
            self.write(f"{self.request.remote_ip} {client_address(self.request, PROXIES)}")

    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    listener.setblocking(False)
    server = HTTPServer(Application([("/", Echo)]))
    server.add_socket(listener)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    reply = await http.fetch(url, headers={"X-Forwarded-For": "203.0.113.9"})
    assert reply.body == b"::ffff:127.0.0.1 203.0.113.9"
    server.stop()
    await server.close_all_connections()


def test_a_browser_with_a_session_is_told_by_its_cookie_wherever_it_is():
    session = Session("browser-1").of_user("wx1", "o1")
    here, there = (browser_of(a_request(peer, user_agent=peer), session, ()) for peer in ("192.0.2.1", "192.0.2.2"))
    assert here == there
    assert (here.appid, here.openid) == ("wx1", "o1")
    assert here.binding != browser_of(a_request("192.0.2.1"), Session("browser-2"), ()).binding


def test_a_browsers_binding_does_not_change_when_its_user_does():
    request, session = a_request("192.0.2.1"), Session("browser-1")
    assert browser_of(request, session, ()).binding == browser_of(request, session.of_user("wx1", "o1"), ()).binding


def test_a_browser_without_a_session_is_told_by_address_and_user_agent():
    def binding(*arguments, **options):
        return browser_of(a_request(*arguments, **options), None, PROXIES).binding

    assert binding("192.0.2.1") == binding("192.0.2.1", "198.51.100.1") == binding("10.0.0.1", "192.0.2.1")
    assert len({binding("192.0.2.1"), binding("192.0.2.2"), binding("192.0.2.1", user_agent="another")}) == 3


def test_no_user_agent_can_stand_for_a_cookie():
    session = Session("browser-1")
    with_cookie = browser_of(a_request("192.0.2.1"), session, ())
    without = browser_of(a_request("", user_agent="browser-1"), None, ())
    assert with_cookie.binding != without.binding
    assert (without.appid, without.openid) == (None, None)
