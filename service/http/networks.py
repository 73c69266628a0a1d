"""The networks that an address belongs to: that of one client, and wider ones that may be one customer's."""

import ipaddress
from functools import lru_cache

from storage.base.client_key import client_key

__all__ = ["networks_of"]

#: Prefixes beside a client's own, and how many clients' worth each may ask for. Access networks give a customer
#: one /56 or /48 of IPv6 (RFC 6177); a /24 of IPv4 is the least that is routed, and may hold thousands behind NAT.
_WIDER_IPV4 = ((24, 10),)
_WIDER_IPV6 = ((56, 4), (48, 10))


@lru_cache(maxsize=4096)
def networks_of(address: str) -> tuple[tuple[str, int], ...]:
    """Return what to count a client by: each network, and how many times a client's share it has.

    The first is what one client is counted by, see `client_key`; a text that is no address is that alone.
    """
    key = client_key(address)
    try:
        own = ipaddress.ip_network(key)
    except ValueError:
        return ((key, 1),)
    wider = _WIDER_IPV4 if isinstance(own, ipaddress.IPv4Network) else _WIDER_IPV6
    return ((key, 1), *((str(own.supernet(new_prefix=prefix)), times) for prefix, times in wider))
