"""Which page sends a request: allowed, the service's own, or foreign; and what preflights are answered."""

import logging
import re

from tornado.httputil import HTTPHeaders

from service.http.errors import ApiError
from service.http.origins import AllowedOrigins, parse_origin
from storage.base.clock import Clock

__all__ = ["RefusedOrigins", "headers_to_allow", "is_foreign", "origin_error", "readable_origin"]

#: A header's name, as RFC 9110 (5.6.2) has it. `*` would be one too, and means every header in a browser's eyes.
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'+.^_`|~-]{1,64}")
_MOST_HEADERS = 32
_ALWAYS_ALLOWED = "Content-Type"

#: A host's name has 253 characters at most.
_LONGEST_ORIGIN = 270
#: Pages inside of apps have schemes of their own (`capacitor://localhost`, `file://`), which are never allowed ones.
_FOREIGN_ORIGIN = re.compile(r"null|[a-z][a-z0-9+.-]*://[A-Za-z0-9.:_\[\]-]*")

_WINDOW_SECONDS = 60
_LINES_A_WINDOW = 10

_logger = logging.getLogger(__name__)


def is_foreign(headers: HTTPHeaders, origins: AllowedOrigins, own_address: str) -> bool:
    """Return whether a page that may not use the service sent a request.

    A request without `Origin` is no script's; the browser's `Sec-Fetch-Site` tells whether another site's page sent it
    all the same. Where no origins are configured, the page must be of the service's own host.

    Args:
        headers: Those of the request.
        origins: The allowed ones.
        own_address: The service's own, as the browser sees it.
    """
    origin = headers.get("Origin")
    site = headers.get("Sec-Fetch-Site")
    if origin is None:
        return site in {"cross-site", "same-site"}
    if origin in origins or site == "same-origin":
        return False
    # The scheme is not compared: a proxy that ends TLS may not tell it.
    return bool(origins) or not _is_origin(origin) or _authority(origin) != _authority(own_address)


def origin_error() -> ApiError:
    """Return the refusal of a foreign page. It says nothing about the visitor, for the page may read it."""
    return ApiError(403, "origin", "this page's origin is not in ALLOWED_ORIGINS")


def readable_origin(headers: HTTPHeaders) -> str | None:
    """Return the origin of a foreign page if it is well formed, so that an answer may repeat it; None otherwise."""
    origin = headers.get("Origin", "")
    return origin if len(origin) <= _LONGEST_ORIGIN and _FOREIGN_ORIGIN.fullmatch(origin) else None


def headers_to_allow(asked: str) -> str:
    """Return which headers an allowed page may send, from what its preflight asks for: all that are headers by form.

    Interceptors and monitoring scripts add headers of their own to every request, which the service does not read.
    """
    names = [name.strip() for name in asked.split(",")]
    good = (name for name in names[:_MOST_HEADERS] if _HEADER_NAME.fullmatch(name))
    return ", ".join([_ALWAYS_ALLOWED, *(name for name in good if name.lower() != _ALWAYS_ALLOWED.lower())])


class RefusedOrigins:
    """Logs refused pages: each origin once a minute, and a bounded number of lines a minute."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._window = 0
        self._logged: set[str] = set()

    def note(self, headers: HTTPHeaders) -> None:
        """Log a refusal, unless that of its origin was logged a moment ago."""
        window = self._clock.now() // _WINDOW_SECONDS
        if window != self._window:
            self._window = window
            self._logged.clear()
        origin = readable_origin(headers) or ("another site" if "Origin" not in headers else "an unreadable origin")
        if origin in self._logged or len(self._logged) >= _LINES_A_WINDOW:
            return
        self._logged.add(origin)
        _logger.warning("refused a page of %s: if it is yours, add its origin to ALLOWED_ORIGINS", origin)


def _is_origin(text: str) -> bool:
    try:
        return len(text) <= _LONGEST_ORIGIN and parse_origin(text) == text
    except ValueError:
        return False


def _authority(address: str) -> str:
    scheme, _, authority = address.lower().partition("://")
    return authority.partition("/")[0].removesuffix({"http": ":80", "https": ":443"}.get(scheme, ":"))
