"""`PrivateSide`: admits requests to the private listener by its own names and from its own pages only.

A page of any website can let its own name point at an address that only its visitor reaches (DNS rebinding), and then
reads and posts there as a page of the same origin. Such a request still names the website in `Host`, and only names can
be pointed elsewhere: a page whose address is in numbers was served from that very address. So numbers are answered,
which probes and scrapers of containers use, and of names only those that the operator knows.

Everything is refused before any work is done for it: no session is looked up, no password tried, no key verified.
"""

import re
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from tornado.httputil import HTTPServerRequest

from service.http.errors import ApiError

__all__ = ["PrivateSide"]

_AUTHORITY = re.compile(r"(?:\[(?P<numbers>[0-9A-Fa-f:.]+)\]|(?P<name>[0-9A-Za-z._-]+))(?::[0-9]{0,5})?")
#: Names below it lead to the loopback and nowhere else (RFC 6761, section 6.3).
_LOOPBACK = "localhost"
#: What `Sec-Fetch-Site` says of a page of this very origin, and of an address that a person typed.
_OWN_SITES = frozenset({"same-origin", "none"})


class PrivateSide:
    """Decides which requests the private listener answers.

    Args:
        names: Hosts that it is known by, beside those of the loopback.
        own_address: Returns the scheme, host and port by which a request's browser knows the listener.
        asked_address: Returns the same from the request alone, whatever the settings say.
    """

    def __init__(
        self,
        names: Iterable[str],
        own_address: Callable[[HTTPServerRequest], str],
        asked_address: Callable[[HTTPServerRequest], str],
    ) -> None:
        self._names = frozenset(_bare(name) for name in names)
        self._own_address = own_address
        self._asked_address = asked_address

    def refusal_of(self, request: HTTPServerRequest) -> ApiError | None:
        """Return why a request is refused; None if it is admitted.

        The `Host` is checked as well as what a trusted proxy forwards: a script can write any other header, and a proxy
        that answers to every name hands a rebound one on.
        """
        if not (self._is_known(request.host) and self._is_known(urlsplit(self._asked_address(request)).netloc)):
            return ApiError(
                421,
                "misdirected",
                "the operators' side is not known by this name: use an address in numbers, or name the host in "
                "ADMIN_URL or ADMIN_HOSTS",
            )
        if not self._comes_from_here(request):
            return ApiError(
                403,
                "cross_site",
                "this request came from another site; if it was a form of the dashboard, ADMIN_URL is set wrongly",
            )
        return None

    def _is_known(self, authority: str) -> bool:
        match = _AUTHORITY.fullmatch(authority)
        if match is None:
            return False
        if match["numbers"] is not None:
            return _is_in_numbers(match["numbers"])
        name = _bare(match["name"])
        return name in self._names or name == _LOOPBACK or name.endswith("." + _LOOPBACK) or _is_in_numbers(name)

    def _comes_from_here(self, request: HTTPServerRequest) -> bool:
        """Return whether no page of another origin sent a request.

        Following a link is fine: the page that holds it learns nothing, and no link changes anything. Programs name
        neither an origin nor a site.
        """
        headers = request.headers
        if "Origin" in headers and headers["Origin"] != self._own_address(request):
            return False
        if headers.get("Sec-Fetch-Site", "none") in _OWN_SITES:
            return True
        return (
            request.method in {"GET", "HEAD"}
            and headers.get("Sec-Fetch-Mode") == "navigate"
            and headers.get("Sec-Fetch-Dest") == "document"
        )


def _bare(name: str) -> str:
    return name.lower().removesuffix(".")


def _is_in_numbers(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
