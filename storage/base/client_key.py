"""What clients are counted by: one client, or all those of one customer of a provider."""

import ipaddress

__all__ = ["client_key", "customer_key"]

#: A network gives each of its IPv6 clients at least so many bits of prefix, and all addresses below it.
_IPV6_CLIENT_PREFIX = 64
#: What one customer of a provider often has: 65,536 such prefixes of IPv6, or up to 256 addresses of IPv4.
_IPV6_CUSTOMER_PREFIX = 48
_IPV4_CUSTOMER_PREFIX = 24

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def client_key(address: str) -> str:
    """Return what a client is counted by: an IPv4 address, the /64 of an IPv6 address, or any other text as it is.

    An IPv4 address that is written as IPv6 (`::ffff:192.0.2.1`) counts as the former.
    """
    found = _read(address)
    if found is None:
        return address
    return str(found) if isinstance(found, ipaddress.IPv4Address) else _prefix_of(found, _IPV6_CLIENT_PREFIX)


def customer_key(address: str) -> str:
    """Return what the clients of one customer are counted by: a /24 of IPv4, a /48 of IPv6, or any other text."""
    found = _read(address)
    if found is None:
        return address
    return _prefix_of(
        found, _IPV4_CUSTOMER_PREFIX if isinstance(found, ipaddress.IPv4Address) else _IPV6_CUSTOMER_PREFIX
    )


def _read(address: str) -> _Address | None:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return (isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped) or found


def _prefix_of(address: _Address, bits: int) -> str:
    return str(ipaddress.ip_network((address, bits), strict=False))
