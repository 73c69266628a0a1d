"""Origins: which pages the service works for, and the addresses it may send a browser to.

An origin is compared whole, as a string, with the configured ones. Nothing is parsed out of an address that a browser
might read differently, which is where open redirects come from.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["MAX_ADDRESS_LENGTH", "AllowedOrigins", "is_same_site", "origin_of", "parse_origin"]

MAX_ADDRESS_LENGTH = 2048

_HOST = r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:]+\])"
_ORIGIN = re.compile(rf"(https?)://({_HOST})(?::([0-9]{{1,5}}))?")
#: An address: what stands before the path, and a rest of the characters that RFC 3986 allows there. A backslash, a
#: space or a control character is in neither, and an `@` cannot stand before the path.
_ADDRESS = re.compile(r"(https?://[a-z0-9.:\[\]-]+)((?:[/?#][A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*)?)")
_DEFAULT_PORT = {"http": "80", "https": "443"}
#: Registries that sell names below a second level of their own: com.cn, co.uk, net.au …
_SECOND_LEVELS = frozenset({"ac", "co", "com", "edu", "gov", "net", "org"})
_COUNTRY_CODE_LENGTH = 2


def parse_origin(text: str) -> str:
    """Return an origin as browsers write it: in lower case, without the scheme's default port.

    Raises:
        ValueError: It is not an http(s) origin, or more than one: a path, a wildcard, a user name.
    """
    match = _ORIGIN.fullmatch(text.lower())
    if match is None:
        raise ValueError(f"an origin such as https://h5.example.com, not {text!r}")
    scheme, host, port = match.groups()
    return f"{scheme}://{host}" if port in {None, _DEFAULT_PORT[scheme]} else f"{scheme}://{host}:{port}"


def origin_of(address: str) -> str | None:
    """Return the origin of an address that is written the way browsers write theirs; None for any other."""
    match = _ADDRESS.fullmatch(address)
    if match is None or _ORIGIN.fullmatch(match[1]) is None:
        return None
    return match[1]


def is_same_site(origin: str, other: str) -> bool:
    """Tell whether browsers take two origins for one site: the same scheme and registrable domain.

    Without the public suffix list this is told by the last two labels of the host, three below suffixes such as
    `com.cn`; addresses must be equal. Pages on a shared suffix that looks like a domain, such as `github.io`, are
    taken for one site although browsers tell them apart.
    """
    scheme, host = _scheme_and_host(origin)
    other_scheme, other_host = _scheme_and_host(other)
    return scheme == other_scheme and _site(host) == _site(other_host)


@dataclass(frozen=True, slots=True)
class AllowedOrigins:
    """The origins whose pages may use the service. Empty allows none."""

    origins: tuple[str, ...]

    @classmethod
    def of(cls, configured: Iterable[str], public_url: str) -> "AllowedOrigins":
        """Return the configured origins and the service's own, which stands first where it is known."""
        own = _ORIGIN.match(public_url.lower())
        return cls(tuple(dict.fromkeys([*([parse_origin(own[0])] if own else []), *configured])))

    def __contains__(self, origin: object) -> bool:
        return origin in self.origins

    def __bool__(self) -> bool:
        return bool(self.origins)

    def admits(self, address: str) -> bool:
        """Tell whether a browser may be sent to an address: it is a plain one, and its origin is exactly allowed."""
        return len(address) <= MAX_ADDRESS_LENGTH and origin_of(address) in self.origins


def _scheme_and_host(origin: str) -> tuple[str, str]:
    match = _ORIGIN.fullmatch(origin)
    if match is None:
        raise ValueError("not an origin")
    return match[1], match[2]


def _site(host: str) -> str:
    labels = host.split(".")
    if host.startswith("[") or labels[-1].isdecimal():
        return host
    is_sold_below = len(labels[-1]) == _COUNTRY_CODE_LENGTH and labels[-2:-1] and labels[-2] in _SECOND_LEVELS
    return ".".join(labels[-3:] if is_sold_below else labels[-2:])
