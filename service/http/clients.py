"""`Clients`: the address that a request comes from and the one it was sent to, with trusted proxies in between."""

import hashlib
import ipaddress
import logging
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from tornado.httputil import HTTPServerRequest

from service.authorization.exchange import Browser
from service.authorization.sessions import Session
from service.authorization.states import IssuedState
from service.http.forwarding import IPAddress, forwarded_elements, parse_hop
from service.settings import Network

__all__ = ["Clients"]

_FORWARDING_HEADERS = ("X-Forwarded-For", "Forwarded", "X-Real-IP")
#: Addresses that are kept as they were found, and how long the headers of one may be.
_KEPT = 4096
_LONGEST_KEPT = 256
_AUTHORITY = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?|\[[0-9A-Fa-f:]+\](?::[0-9]{1,5})?")
#: Addresses that a visitor from the internet cannot have; a load balancer, a NAT or a container's gateway has them.
_INNER_NETWORKS = tuple(
    map(
        ipaddress.ip_network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.168.0.0/16", "::/128", "::1/128", "fc00::/7", "fe80::/10"),
        ),
    )
)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Found:
    """Where a request seems to come from, and whether that can be the visitor's own address."""

    address: str
    is_visitors: bool


@dataclass(frozen=True, slots=True)
class _Way:
    """The result of reading a list of hops: its end, the addresses on the way, and whether all of it was read."""

    origin: IPAddress
    passed: frozenset[IPAddress]
    is_whole: bool


class Clients:
    """Identifies clients by their address, and browsers by state, cookie or user agent.

    Args:
        trusted_proxies: Networks of proxies whose forwarding headers are believed.
        public_url: The service's address as browsers see it; empty if not configured.
    """

    def __init__(self, trusted_proxies: Sequence[Network], public_url: str) -> None:
        self._trusted_proxies = trusted_proxies
        self._public_url = public_url
        self._warned = False
        self._found = lru_cache(maxsize=_KEPT)(self._locate)

    def address(self, request: HTTPServerRequest) -> str:
        """Return the client's address, as far as it can be known: rate limits count by it.

        Hops are read from the end, as long as each was added by a trusted proxy; what stands before the first
        untrusted hop was written by whoever sent it and proves nothing. Where headers contradict each other one of
        them came with the request, and it is the proxy's address.
        """
        return self._find(request).address

    def browser(self, request: HTTPServerRequest, session: Session | None, state: IssuedState | None = None) -> Browser:
        """Identify a browser by the state it brought back, else its session cookie, else its address and user agent.

        An address counts only where it can be the visitor's own. Behind a proxy that names nobody all visitors have
        the proxy's, and user agents repeat: a browser without a cookie is then taken for no other,
        rather than for every other.
        """
        user_agent = request.headers.get("User-Agent", "")
        if state is not None:
            return Browser(_binding("state", state.cookie_name, user_agent))
        if session is not None:
            binding = _binding("browser", session.browser_id, user_agent)
            return Browser(binding, session.appid, session.openid, session.signed_in_at)
        found = self._find(request)
        if found.is_visitors:
            return Browser(_binding("address", found.address, user_agent))
        self._warn(request)
        return Browser(secrets.token_bytes(32))

    def service_address(self, request: HTTPServerRequest) -> str:
        """Return the service's own address as the browser sees it, without a slash at its end.

        That is the configured one; without it, what a trusted proxy says in X-Forwarded-Proto and X-Forwarded-Host or
        in Forwarded; without such a proxy, what the request itself was sent to. What anybody else forwards is not read.
        """
        if self._public_url:
            return self._public_url
        scheme, authority = request.protocol, request.host
        if self.is_from_proxy(request):
            # The last value is the nearest proxy's own; those before it came with the request.
            nearest = (forwarded_elements(request.headers.get("Forwarded", "")) or [{}])[-1]
            told_scheme = _last_value(request, "X-Forwarded-Proto") or nearest.get("proto", "").lower()
            scheme = told_scheme if told_scheme in {"http", "https"} else scheme
            told_authority = _last_value(request, "X-Forwarded-Host") or nearest.get("host", "")
            authority = told_authority if _AUTHORITY.fullmatch(told_authority) else authority
        return f"{scheme}://{authority}"

    def is_from_proxy(self, request: HTTPServerRequest) -> bool:
        """Return whether a trusted proxy sent a request, so that its headers are believed."""
        peer = parse_hop(request.remote_ip or "")
        return peer is not None and self._trusts(peer)

    def _find(self, request: HTTPServerRequest) -> _Found:
        get = request.headers.get
        told = (request.remote_ip or "", get("X-Forwarded-For"), get("Forwarded"), get("X-Real-IP"))
        # Visitors come several times. What nobody bounds is not kept.
        is_short = sum(map(len, filter(None, told))) <= _LONGEST_KEPT
        return self._found(*told) if is_short else self._locate(*told)

    def _locate(self, remote_ip: str, hops: str | None, forwarded: str | None, real: str | None) -> _Found:
        peer = parse_hop(remote_ip)
        if peer is None:
            return _Found(remote_ip, is_visitors=False)
        names_others = any(header is not None for header in (hops, forwarded, real))
        if not self._trusts(peer):
            # The service speaks no TLS: with an https address its peer is a proxy, one that nobody has named.
            is_proxy = names_others or self._public_url.startswith("https://") or _is_inner(peer)
            return _Found(str(peer), is_visitors=not is_proxy)
        way = self._way(peer, hops, forwarded, real) if names_others else None
        if way is None:
            return _Found(str(peer), is_visitors=False)
        is_visitors = way.is_whole and not self._trusts(way.origin) and not _is_inner(way.origin)
        return _Found(str(way.origin), is_visitors)

    def _way(self, peer: IPAddress, hops: str | None, forwarded: str | None, real: str | None) -> _Way | None:
        """Return what the headers of a trusted peer say; None where they contradict each other."""
        ways = []
        if hops is not None:
            ways.append(self._walk(peer, hops.split(",")))
        if forwarded is not None:
            ways.append(self._walk(peer, [element.get("for", "") for element in forwarded_elements(forwarded)] or [""]))
        if real is not None:
            address = parse_hop(real)
            if not ways:
                ways.append(_Way(address or peer, frozenset(), is_whole=address is not None))
            elif address not in ways[0].passed:
                return None
        return ways[0] if len({way.origin for way in ways}) == 1 else None

    def _walk(self, peer: IPAddress, hops: list[str]) -> _Way:
        address, passed = peer, {peer}
        while hops and self._trusts(address):
            hop = parse_hop(hops.pop())
            if hop is None:
                return _Way(address, frozenset(passed), is_whole=False)
            address = hop
            passed.add(hop)
        return _Way(address, frozenset(passed), is_whole=not hops)

    def _trusts(self, address: IPAddress) -> bool:
        return any(address in network for network in self._trusted_proxies)

    def _warn(self, request: HTTPServerRequest) -> None:
        """Say once what keeps visitors from being told apart, unless nothing tells of a proxy, as while developing."""
        is_behind_proxy = (
            bool(self._trusted_proxies)
            or self._public_url.startswith("https://")
            or any(name in request.headers for name in _FORWARDING_HEADERS)
        )
        if self._warned or not is_behind_proxy:
            return
        self._warned = True
        _logger.warning(
            "a visitor's own address cannot be told from what the proxies in front say: a code that is posted twice is "
            "answered twice to browsers with a cookie only, and RATE_LIMIT may count many visitors as one; let "
            "TRUSTED_PROXIES name every proxy, and each of them send X-Forwarded-For"
        )


def _binding(kind: str, name: str, user_agent: str) -> bytes:
    return hashlib.sha256(f"{kind}|{name}|{user_agent}".encode()).digest()


def _last_value(request: HTTPServerRequest, name: str) -> str:
    values = request.headers.get_list(name)
    return values[-1].rpartition(",")[2].strip() if values else ""


@lru_cache(maxsize=4096)
def _is_inner(address: IPAddress) -> bool:
    return any(address in network for network in _INNER_NETWORKS)
