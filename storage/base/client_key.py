"""`client_key`: what one client is counted by."""

import ipaddress

__all__ = ["client_key"]

#: A network gives each of its IPv6 clients at least so many bits of prefix, and all addresses below it.
_IPV6_CLIENT_PREFIX = 64


def client_key(address: str) -> str:
    """Return what a client is counted by: an IPv4 address, the /64 of an IPv6 address, or any other text as it is.

    An IPv4 address that is written as IPv6 (`::ffff:192.0.2.1`) counts as the former.
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, _IPV6_CLIENT_PREFIX), strict=False))
