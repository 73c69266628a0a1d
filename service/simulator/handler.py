"""What all handlers of the simulator have in common."""

import logging
from http import HTTPStatus
from typing import Any

from tornado.web import HTTPError, RequestHandler

from service.simulator.wechat import SimulatedWeChat

__all__ = ["NotFoundHandler", "SimulatorHandler", "UnknownHostHandler"]

_log = logging.getLogger(__name__)


class SimulatorHandler(RequestHandler):
    """Speaks for a WeChat."""

    def initialize(self, wechat: SimulatedWeChat) -> None:
        """Take the WeChat it speaks for."""
        self.wechat = wechat

    def set_default_headers(self) -> None:
        """Keep quiet about the server."""
        self.clear_header("Server")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Say in plain text what is wrong with a request that is none of the simulation's."""
        del kwargs
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", ", ".join(self._methods()))
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{status_code} {HTTPStatus(status_code).phrase}\n")

    def _methods(self) -> list[str]:
        """Return the methods that the handler has."""
        return [
            method
            for method in self.SUPPORTED_METHODS
            if getattr(type(self), method.lower()) is not getattr(RequestHandler, method.lower())
        ]

    def log_exception(self, *exc_info: Any) -> None:
        """Log faults of the simulator without the query, which holds secrets; faults of the caller, the caller sees."""
        if not isinstance(exc_info[1], HTTPError):
            _log.error("%s %s failed", self.request.method, self.request.path, exc_info=exc_info)


class NotFoundHandler(SimulatorHandler):
    """Answers paths that the simulator does not have."""

    def prepare(self) -> None:
        """Refuse every method."""
        raise HTTPError(HTTPStatus.NOT_FOUND)


class UnknownHostHandler(SimulatorHandler):
    """Answers requests that name a host which is not the simulator's."""

    def prepare(self) -> None:
        """Refuse every method, and say how to make the name known."""
        self.set_status(HTTPStatus.MISDIRECTED_REQUEST)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish("421 Misdirected Request: not a name of this simulator; start it with --host NAME to add one\n")
