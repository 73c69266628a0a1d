"""`RequestIds`: by what a request is found in the logs of everything that it passed."""

import re
import secrets
import uuid
from collections.abc import Callable

from tornado.httputil import HTTPServerRequest

__all__ = ["RequestIds"]

#: The audit log keeps so many characters. It is shown to people, and written into logs and headers.
_ID = re.compile(r"[A-Za-z0-9_.-]{8,32}")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
#: https://www.w3.org/TR/trace-context/#traceparent-header, of this and of later versions.
_TRACE_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")


class RequestIds:
    """Takes the id of a request over from a trusted proxy, or makes one.

    Args:
        is_from_proxy: Whether a trusted proxy sent a request. What others send in these headers is not read.
    """

    def __init__(self, is_from_proxy: Callable[[HTTPServerRequest], bool]) -> None:
        self._is_from_proxy = is_from_proxy

    def of(self, request: HTTPServerRequest) -> str:
        """Return the proxy's `X-Request-Id`, else the trace of its `traceparent`, else 16 digits at random.

        An `X-Request-Id` has 8 to 32 letters, digits, `-`, `_` and `.`; a UUID is taken without its hyphens. What has
        another form, or comes more than once, is not taken.
        """
        if self._is_from_proxy(request):
            asked = request.headers.get("X-Request-Id", "")
            if _UUID.fullmatch(asked):
                return uuid.UUID(asked).hex
            if _ID.fullmatch(asked):
                return asked
            if trace := _TRACE_PARENT.fullmatch(request.headers.get("traceparent", "")):
                return trace[1]
        return secrets.token_hex(8)
