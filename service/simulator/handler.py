"""What all handlers of the simulator have in common."""

import logging
from typing import Any

from tornado.web import HTTPError, RequestHandler

from service.simulator.wechat import SimulatedWeChat

__all__ = ["SimulatorHandler"]

_log = logging.getLogger(__name__)


class SimulatorHandler(RequestHandler):
    """Speaks for a WeChat."""

    def initialize(self, wechat: SimulatedWeChat) -> None:
        """Take the WeChat it speaks for."""
        self.wechat = wechat

    def log_exception(self, *exc_info: Any) -> None:
        """Log faults of the simulator without the query, which holds secrets; faults of the caller, the caller sees."""
        if not isinstance(exc_info[1], HTTPError):
            _log.error("%s %s failed", self.request.method, self.request.path, exc_info=exc_info)
