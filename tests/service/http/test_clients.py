"""Whom a request comes from, and what tells one browser from another."""

import logging
import socket
from ipaddress import ip_network
from types import SimpleNamespace

import pytest
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import Application, RequestHandler

from service.authorization.sessions import Session
from service.authorization.states import States
from service.http.clients import Clients
from storage.base.clock import ManualClock
from storage.sealing import KeyRing, generate_key

PROXIES = tuple(map(ip_network, ("10.0.0.0/8", "127.0.0.1", "2001:db8:a::/48")))
VISITOR = "203.0.113.9"


def a_request(peer, *forwarded, user_agent="MicroMessenger/8.0", **others):
    """Make a request from a peer, with any number of X-Forwarded-For headers, and others by name."""
    headers = HTTPHeaders({"Host": "h5.example.com", "User-Agent": user_agent})
    for value in forwarded:
        headers.add("X-Forwarded-For", value)
    for name, values in others.items():
        for value in [values] if isinstance(values, str) else values:
            headers.add(name.replace("_", "-"), value)
    connection = SimpleNamespace(context=SimpleNamespace(remote_ip=peer, protocol="http"))
    start_line = RequestStartLine("POST", "/getCode", "HTTP/1.1")
    return HTTPServerRequest(start_line=start_line, headers=headers, connection=connection)


def client_address(request, proxies):
    return Clients(proxies, "").address(request)


def binding(*arguments, proxies=PROXIES, public_url="https://h5.example.com", session=None, **others):
    return Clients(proxies, public_url).browser(a_request(*arguments, **others), session).binding


def is_told_by_address(*arguments, **options):
    return binding(*arguments, **options) == binding(*arguments, **options)


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
        # with ports, in brackets, in quotes, with a zone
        ("10.0.0.1", ["203.0.113.9:51234"], "203.0.113.9"),
        ("10.0.0.1", ["198.51.100.1:1, 203.0.113.9:51234, 10.0.0.2:80"], "203.0.113.9"),
        ("10.0.0.1", ["[2001:db8:b::9]:51234"], "2001:db8:b::9"),
        ("10.0.0.1", ["[2001:db8:b::9]"], "2001:db8:b::9"),
        ("10.0.0.1", ['"[2001:db8:b::9]:51234"'], "2001:db8:b::9"),
        ("10.0.0.1", ["2001:db8:b:0:0:0:0:9:51234"], "2001:db8:b::9"),
        ("10.0.0.1", ["[::ffff:203.0.113.9]:51234"], "203.0.113.9"),
        ("10.0.0.1", ["2001:db8:b::9%eth0"], "2001:db8:b::9"),
        ("10.0.0.1", ["203.0.113.9:"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9:http"], "10.0.0.1"),
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


@pytest.mark.attack(
    "limits and addresses",
    "any client",
    "forged X-Forwarded-For, Forwarded and X-Real-IP",
    "only hops of trusted proxies count",
)
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


def test_other_headers_of_trusted_proxies_are_read(subtests):
    for headers, client in (
        ({"X_Real_IP": VISITOR}, VISITOR),
        ({"X_Real_IP": f"{VISITOR}:51234"}, VISITOR),
        ({"X_Real_IP": "[2001:db8:b::9]:51234"}, "2001:db8:b::9"),
        ({"Forwarded": f"for={VISITOR}"}, VISITOR),
        ({"Forwarded": f"For={VISITOR}:51234;Proto=https;By=10.0.0.1"}, VISITOR),
        ({"Forwarded": f'proto=https; for="{VISITOR}:51234" ;host=h5.example.com'}, VISITOR),
        ({"Forwarded": 'for="[2001:db8:b::9]:51234"'}, "2001:db8:b::9"),
        ({"Forwarded": 'for="\\[2001:db8:b::9\\]"'}, "2001:db8:b::9"),
        ({"Forwarded": f"for=198.51.100.1, for={VISITOR}, for=10.0.0.2"}, VISITOR),
        ({"Forwarded": ("for=198.51.100.1", f"for={VISITOR}")}, VISITOR),
        # names nobody, or is not well formed
        ({"Forwarded": "for=unknown"}, "10.0.0.1"),
        ({"Forwarded": "for=_hidden"}, "10.0.0.1"),
        ({"Forwarded": "proto=https"}, "10.0.0.1"),
        ({"Forwarded": f"for={VISITOR};for=198.51.100.1"}, "10.0.0.1"),
        ({"Forwarded": f'for="198.51.100.1, for={VISITOR}'}, "10.0.0.1"),
        ({"Forwarded": 'for=198.51.100.1;x=", for="[2001:db8:b::9]"'}, "10.0.0.1"),
        ({"Forwarded": f"for={VISITOR} for=198.51.100.1"}, "10.0.0.1"),
        ({"Forwarded": ""}, "10.0.0.1"),
        ({"X_Real_IP": ""}, "10.0.0.1"),
        ({"X_Real_IP": (VISITOR, "198.51.100.1")}, "10.0.0.1"),
        ({"X_Real_IP": f"{VISITOR}, 198.51.100.1"}, "10.0.0.1"),
    ):
        with subtests.test(headers=headers):
            assert client_address(a_request("10.0.0.1", **headers), PROXIES) == client
            assert client_address(a_request("192.0.2.1", **headers), PROXIES) == "192.0.2.1"


def test_headers_that_agree_are_one_and_others_prove_nothing(subtests):
    for forwarded, others, client in (
        ([VISITOR], {"X_Real_IP": VISITOR}, VISITOR),
        ([f"{VISITOR}, 10.0.0.2"], {"X_Real_IP": "10.0.0.2"}, VISITOR),  # the header of the second proxy in a row
        ([VISITOR], {"Forwarded": f"for={VISITOR}"}, VISITOR),
        # one of them came with the request
        ([VISITOR], {"X_Real_IP": "198.51.100.1"}, "10.0.0.1"),
        ([VISITOR], {"X_Real_IP": "junk"}, "10.0.0.1"),
        ([VISITOR], {"Forwarded": "for=198.51.100.1"}, "10.0.0.1"),
        ([f"{VISITOR}, 10.0.0.7"], {"X_Real_IP": "198.51.100.1"}, "10.0.0.1"),
        ([], {"Forwarded": f"for={VISITOR}", "X_Real_IP": "198.51.100.1"}, "10.0.0.1"),
    ):
        with subtests.test(forwarded=forwarded, others=others):
            assert client_address(a_request("10.0.0.1", *forwarded, **others), PROXIES) == client
            assert is_told_by_address("10.0.0.1", *forwarded, **others) is (client == VISITOR)


def test_a_browser_without_a_cookie_is_told_by_an_address_that_can_be_its_own(subtests):
    for arguments in (
        {"arguments": ["10.0.0.1", VISITOR]},
        {"arguments": ["10.0.0.1", f"{VISITOR}:51234"]},
        {"arguments": ["10.0.0.1", f"{VISITOR}, 10.0.0.2"]},
        {"arguments": ["10.0.0.1"], "X_Real_IP": VISITOR},
        {"arguments": ["10.0.0.1"], "Forwarded": f'for="{VISITOR}:51234"'},
        {"arguments": [VISITOR], "public_url": "", "proxies": ()},  # nobody in between
    ):
        with subtests.test(**arguments):
            assert is_told_by_address(*arguments.pop("arguments"), **arguments)


def test_an_address_that_may_be_a_proxys_tells_nobody(subtests):
    nobody = {"proxies": ()}
    for peer, forwarded, options in (
        # a trusted proxy names nobody, or nobody that can be read
        ("10.0.0.1", [], {}),
        ("10.0.0.1", ["unknown"], {}),
        ("10.0.0.1", [""], {}),
        ("10.0.0.1", [], {"X_Real_IP": "junk"}),
        ("10.0.0.1", [], {"Forwarded": "for=_gazonk"}),
        # it names a proxy
        ("10.0.0.1", ["10.0.0.2"], {}),
        ("10.0.0.1", ["192.168.1.1"], {}),
        ("10.0.0.1", ["100.64.0.1"], {}),
        ("10.0.0.1", ["::1"], {}),
        ("10.0.0.1", ["fd00::1"], {}),
        ("10.0.0.1", [f"198.51.100.1, {VISITOR}"], {}),  # one that nobody trusts, with more behind it
        # no proxy is named, and there must be one
        (VISITOR, [], nobody),
        (VISITOR, [], {"public_url": "https://h5.example.com"}),
        (VISITOR, ["198.51.100.1"], {"public_url": "", **nobody}),
        (VISITOR, [], {"public_url": "", "X_Real_IP": "198.51.100.1", **nobody}),
        (VISITOR, [], {"public_url": "", "Forwarded": "for=198.51.100.1", **nobody}),
        ("172.17.0.1", [], {"public_url": "", **nobody}),
        ("127.0.0.1", [], {"public_url": "", **nobody}),
        ("::ffff:192.168.0.1", [], {"public_url": "", **nobody}),
        ("fe80::1", [], {"public_url": "", **nobody}),
        ("", [], {"public_url": "", **nobody}),
    ):
        with subtests.test(peer=peer, forwarded=forwarded, options=options):
            assert not is_told_by_address(peer, *forwarded, **options)


def test_a_browser_with_a_session_is_told_by_its_cookie_wherever_it_is():
    session = Session("browser-1", "wx1", "o1")
    here, there = (Clients((), "").browser(a_request(peer), session) for peer in ("192.0.2.1", "10.0.0.1"))
    assert here == there
    assert (here.appid, here.openid) == ("wx1", "o1")
    assert binding("192.0.2.1", session=Session("browser-1")) != binding("192.0.2.1", session=Session("browser-2"))
    assert binding("192.0.2.1", session=session) != binding("192.0.2.1", session=session, user_agent="another")


def test_a_browser_that_brings_a_state_back_is_told_by_it_alone():
    states, clients = States(KeyRing.parse(generate_key()), ManualClock()), Clients((), "https://h5.example.com")
    one, another = (states.issue("wx1", "snsapi_base", "https://h5.example.com") for _ in range(2))
    request, session = a_request("127.0.0.1"), Session("browser-1", "wx1", "o1")
    assert clients.browser(request, session, one) == clients.browser(request, None, one)
    assert clients.browser(request, None, one) != clients.browser(request, None, another)


def test_a_browser_without_a_session_is_told_by_address_and_user_agent():
    assert binding("10.0.0.1", VISITOR) == binding("10.0.0.7", VISITOR)
    different = {
        binding("10.0.0.1", VISITOR),
        binding("10.0.0.1", "198.51.100.1"),
        binding("10.0.0.1", VISITOR, user_agent="another"),
    }
    assert len(different) == 3


def test_no_user_agent_can_stand_for_a_cookie():
    with_cookie = binding("10.0.0.1", VISITOR, session=Session("browser-1"), user_agent="x")
    assert with_cookie != binding("10.0.0.1", VISITOR, user_agent="browser-1|x")


def test_the_log_says_once_that_visitors_cannot_be_told_apart(caplog):
    caplog.set_level(logging.WARNING)
    while_developing = Clients((), "")
    while_developing.browser(a_request("127.0.0.1"), None)
    assert not caplog.records
    for proxies, public_url, headers in (
        (PROXIES, "", {}),
        ((), "https://h5.example.com", {}),
        ((), "", {"X_Real_IP": VISITOR}),
    ):
        caplog.clear()
        clients = Clients(proxies, public_url)
        for _ in range(3):
            clients.browser(a_request("127.0.0.1", **headers), None)
        assert len(caplog.records) == 1
        assert "TRUSTED_PROXIES" in caplog.text


def test_the_services_own_address_is_what_trusted_proxies_say(subtests):
    for peer, headers, address in (
        ("10.0.0.1", {"X_Forwarded_Host": "a.example", "X_Forwarded_Proto": "https"}, "https://a.example"),
        ("10.0.0.1", {"Forwarded": "for=1.1.1.1;host=a.example;proto=https"}, "https://a.example"),
        ("10.0.0.1", {"Forwarded": 'host=evil.example, for=1.1.1.1;host="a.example:8443"'}, "http://a.example:8443"),
        ("10.0.0.1", {"Forwarded": 'host="a.example/path"'}, "http://h5.example.com"),
        ("192.0.2.1", {"Forwarded": "host=evil.example;proto=https"}, "http://h5.example.com"),
    ):
        with subtests.test(peer=peer, headers=headers):
            assert Clients(PROXIES, "").service_address(a_request(peer, **headers)) == address
    told = {"X_Forwarded_Host": "a.example"}
    assert Clients(PROXIES, "https://b.example").service_address(a_request("10.0.0.1", **told)) == "https://b.example"
