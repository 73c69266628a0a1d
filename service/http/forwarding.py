"""Parses what proxies write about a request: X-Forwarded-For, X-Real-IP and Forwarded (RFC 7239), however spelled.

Seen in the field: `203.0.113.7`, `203.0.113.7:51234`, `2001:db8::1`, `[2001:db8::1]:51234`, `::ffff:203.0.113.7`,
`2001:db8:0:0:0:0:0:1:51234`, `fe80::1%eth0`, these in quotes, `unknown`, and the hidden names of RFC 7239 (6.3).
"""

import ipaddress
import re
from functools import lru_cache

__all__ = ["IPAddress", "forwarded_elements", "parse_hop"]

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_LONGEST_HOP = 80
_BRACKETS = re.compile(r"\[([^\]]*)\](?::[0-9]{1,5})?")
_PORT = re.compile(r":[0-9]{1,5}$")
#: A parameter of Forwarded and what ends it: a semicolon within an element, a comma between elements.
_PARAMETER = re.compile(r"""\s*(?:([A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?\s*([;,]|$)""")
_QUOTED_PAIR = re.compile(r"\\(.)")


@lru_cache(maxsize=4096)
def parse_hop(text: str) -> IPAddress | None:
    """Return the address of a hop in whatever form it is written; None where it names none.

    IPv4 clients of a socket that takes both come as `::ffff:10.0.0.1`, which is 10.0.0.1.
    """
    if len(text) > _LONGEST_HOP:
        return None
    text = text.strip().strip('"')
    brackets = _BRACKETS.fullmatch(text)
    text = (brackets[1] if brackets is not None else text).partition("%")[0]
    address = _address(text) or (_address(_PORT.sub("", text)) if brackets is None else None)
    return (isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped) or address


def forwarded_elements(header: str) -> list[dict[str, str]]:
    """Return the elements of Forwarded, the nearest last: parameters by name, in lower case.

    One that is not well formed spoils all: a quote that the sender of a request left open reaches into what a proxy
    wrote behind it.
    """
    elements: list[dict[str, str]] = [{}]
    position = 0
    while position < len(header):
        match = _PARAMETER.match(header, position)
        if match is None:
            return []
        name, quoted, token, end = match.groups()
        if name is not None:
            if name.lower() in elements[-1]:
                return []
            elements[-1][name.lower()] = token if quoted is None else _QUOTED_PAIR.sub(r"\1", quoted)
        if end == ",":
            elements.append({})
        position = match.end()
    return [element for element in elements if element]


def _address(text: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
