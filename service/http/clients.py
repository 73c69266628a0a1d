"""Who a request comes from, and to which address it was sent, with trusted proxies in between."""

import hashlib
import ipaddress
import re
import secrets
from collections.abc import Sequence
from functools import lru_cache

from tornado.httputil import HTTPServerRequest

from service.authorization.exchange import Browser
from service.authorization.sessions import Session
from service.settings import Network

__all__ = ["browser_of", "client_address", "service_address"]

_AUTHORITY = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?|\[[0-9A-Fa-f:]+\](?::[0-9]{1,5})?")


def client_address(request: HTTPServerRequest, trusted_proxies: Sequence[Network]) -> str:
    """Return the address of the client.

    X-Forwarded-For is read from its end, as long as each hop was added by a trusted proxy; what stands before the
    first untrusted hop was written by whoever sent it and proves nothing.
    """
    address = _parsed(request.remote_ip or "")
    if address is None:
        return request.remote_ip or ""
    hops = [hop.strip() for header in request.headers.get_list("X-Forwarded-For") for hop in header.split(",")]
    while hops and any(address in network for network in trusted_proxies):
        hop = _parsed(hops.pop())
        if hop is None:
            break
        address = hop
    return str(address)


def service_address(request: HTTPServerRequest, public_url: str, trusted_proxies: Sequence[Network]) -> str:
    """Return the service's own address as the browser sees it, without a slash at its end.

    That is PUBLIC_URL; without it, what a trusted proxy says in X-Forwarded-Proto and X-Forwarded-Host; without such a
    proxy, what the request itself was sent to. What anybody else forwards is not read.
    """
    if public_url:
        return public_url
    scheme, authority = request.protocol, request.host
    peer = _parsed(request.remote_ip or "")
    if peer is not None and any(peer in network for network in trusted_proxies):
        # The last value is the nearest proxy's own; those before it came with the request.
        forwarded_scheme = _last_value(request, "X-Forwarded-Proto")
        scheme = forwarded_scheme if forwarded_scheme in {"http", "https"} else scheme
        forwarded_authority = _last_value(request, "X-Forwarded-Host")
        authority = forwarded_authority if _AUTHORITY.fullmatch(forwarded_authority) else authority
    return f"{scheme}://{authority}"


def browser_of(request: HTTPServerRequest, session: Session | None, trusted_proxies: Sequence[Network]) -> Browser:
    """Tell a browser by its session cookie, or by its address and user agent where it has none.

    Behind a proxy while TRUSTED_PROXIES names none, all visitors come from one address, and user agents repeat: a
    browser without a cookie is then nobody's double, rather than everybody's.
    """
    if session is not None:
        binding = hashlib.sha256(b"browser|" + session.browser_id.encode()).digest()
        return Browser(binding, session.appid, session.openid)
    if not trusted_proxies and "X-Forwarded-For" in request.headers:
        return Browser(secrets.token_bytes(32))
    traits = f"{client_address(request, trusted_proxies)}|{request.headers.get('User-Agent', '')}"
    return Browser(hashlib.sha256(b"address|" + traits.encode()).digest())


def _last_value(request: HTTPServerRequest, name: str) -> str:
    values = request.headers.get_list(name)
    return values[-1].rpartition(",")[2].strip() if values else ""


@lru_cache(maxsize=4096)
def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an address; IPv4 clients of a socket that takes both come as `::ffff:10.0.0.1`, which is 10.0.0.1."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return (address.version == 6 and address.ipv4_mapped) or address  # noqa: PLR2004 - the version of IPv6
