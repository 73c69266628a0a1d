"""`RequestLog`: a line for each request, by its path and its id."""

import logging
from collections.abc import Callable

from tornado.httputil import HTTPServerRequest
from tornado.web import RequestHandler

__all__ = ["RequestLog"]

_logger = logging.getLogger(__name__)


class RequestLog:
    """Writes a line for each request that was answered. It never holds a query, which may hold a code.

    Args:
        address: Gives the address of a request's client.
        level: The level of the lines.
    """

    def __init__(self, address: Callable[[HTTPServerRequest], str], level: int) -> None:
        self._address = address
        self._level = level

    def note(self, handler: RequestHandler) -> None:
        """Write the line of a request, with its parts as attributes of the record."""
        if not _logger.isEnabledFor(self._level):
            return
        request = handler.request
        parts = {
            "client": self._address(request),
            "method": request.method,
            "path": request.path,
            "status": handler.get_status(),
            "milliseconds": round(1000 * request.request_time(), 1),
            "request_id": getattr(handler, "request_id", ""),
        }
        text = "%(client)s %(method)s %(path)s %(status)d %(milliseconds)s ms [%(request_id)s]"
        _logger.log(self._level, text, parts, extra=parts)
