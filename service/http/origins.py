"""Origins: which pages the service works for, and the addresses it may send a browser to.

An origin is compared whole, as a string, with the configured ones. Nothing is parsed out of an address that a browser
might read differently, which is where open redirects come from.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from publicsuffixlist import PublicSuffixList

__all__ = ["MAX_ADDRESS_LENGTH", "AllowedOrigins", "is_same_site", "origin_of", "parse_origin"]

MAX_ADDRESS_LENGTH = 2048

_HOST = r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:]+\])"
_ORIGIN = re.compile(rf"(https?)://({_HOST})(?::([0-9]{{1,5}}))?")
#: An address: what stands before the path, and a rest of the characters that RFC 3986 allows there or that browsers
#: leave as they are: {campaign}, a|b, x^y (https://url.spec.whatwg.org/#percent-encoded-bytes). Before the query a
#: backslash is a slash to browsers. A space or a control character is nowhere, and an `@` not before the path.
_BEFORE_QUERY = r"A-Za-z0-9._~:/\[\]@!$&'()*+,;=%{}|^`\-"
_ADDRESS = re.compile(
    rf"(https?://[a-z0-9.:\[\]-]+)((?:/[{_BEFORE_QUERY}]*)?(?:\?[{_BEFORE_QUERY}?\\]*)?(?:#[{_BEFORE_QUERY}?#\\]*)?)"
)
_DEFAULT_PORT = {"http": "80", "https": "443"}


def parse_origin(text: str) -> str:
    """Return an origin as browsers write it: in lower case, without the scheme's default port.

    Raises:
        ValueError: It is not an http(s) origin, or more than one: a path, a wildcard, a user name.
    """
    match = _ORIGIN.fullmatch(text.lower())
    if match is None:
        raise ValueError("an origin such as https://h5.example.com, without a path and a user name")
    scheme, host, port = match.groups()
    return f"{scheme}://{host}" if port in {None, _DEFAULT_PORT[scheme]} else f"{scheme}://{host}:{port}"


def origin_of(address: str) -> str | None:
    """Return the origin of an address that is written the way browsers write theirs; None for any other."""
    match = _ADDRESS.fullmatch(address)
    if match is None or _ORIGIN.fullmatch(match[1]) is None:
        return None
    return match[1]


def is_same_site(origin: str, other: str) -> bool:
    """Return whether browsers take two origins for one site: the same scheme and registrable domain.

    A registrable domain is one label below a public suffix (https://publicsuffix.org), such as `com.cn` or
    `github.io`. Hosts that have none, such as addresses in numbers, must be equal.
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
        """Return whether a browser may be sent to an address: it is a plain one, of exactly an allowed origin."""
        return len(address) <= MAX_ADDRESS_LENGTH and origin_of(address) in self.origins


def _scheme_and_host(origin: str) -> tuple[str, str]:
    match = _ORIGIN.fullmatch(origin)
    if match is None:
        raise ValueError("not an origin")
    return match[1], match[2]


def _site(host: str) -> str:
    if host.startswith("[") or host.rpartition(".")[2].isdecimal():
        return host
    return _public_suffixes().privatesuffix(host) or host


@cache
def _public_suffixes() -> PublicSuffixList:
    """Return the list that the package carries; reading it takes a few hundredths of a second."""
    return PublicSuffixList()
