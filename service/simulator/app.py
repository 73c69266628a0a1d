"""The simulator as a web application: page, API and control on one port."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tornado.httputil import HTTPServerRequest
from tornado.web import Application, RequestHandler

from service.simulator.authorize.page import authorize_handlers
from service.simulator.cgi import cgi_handlers
from service.simulator.control.handlers import control_handlers
from service.simulator.handler import NotFoundHandler, UnknownHostHandler
from service.simulator.hosts import AcceptedHosts
from service.simulator.jssdk import jssdk_handlers
from service.simulator.sns import sns_handlers
from service.simulator.wechat import SimulatedWeChat

__all__ = ["make_simulator_app"]

_HERE = Path(__file__).parent


class _SimulatorApplication(Application):
    """Answers requests that name one of the accepted hosts, whatever their path."""

    def __init__(self, wechat: SimulatedWeChat, accepted_hosts: AcceptedHosts, *args: Any, **settings: Any) -> None:
        self._wechat = wechat
        self._accepted_hosts = accepted_hosts
        super().__init__(*args, **settings)

    # Any: what Tornado's annotation names is private to it.
    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        if self._accepted_hosts.accept(request.host):
            return super().find_handler(request, **kwargs)
        return self.get_handler_delegate(request, UnknownHostHandler, {"wechat": self._wechat})


def make_simulator_app(wechat: SimulatedWeChat, *, control: bool = True, hosts: Iterable[str] = ()) -> Application:
    """Return an application that speaks for a WeChat.

    Args:
        wechat: The one it speaks for; it may be changed while the application runs, in the loop's thread.
        control: Whether the control API is there. Any program that reaches the port may use it.
        hosts: Names, beside addresses in numbers and `localhost`, by which it may be addressed.
    """
    table = [*authorize_handlers, *sns_handlers, *cgi_handlers, *jssdk_handlers, *(control_handlers if control else [])]
    return _SimulatorApplication(
        wechat,
        AcceptedHosts(hosts),
        [(pattern, handler, {"wechat": wechat}) for pattern, handler in table],
        default_handler_class=NotFoundHandler,
        default_handler_args={"wechat": wechat},
        template_path=str(_HERE / "templates"),
        static_path=str(_HERE / "static"),
        static_url_prefix="/simulator/static/",
        log_function=_log_nothing,
    )


def _log_nothing(handler: RequestHandler) -> None:
    """Keep requests out of the log: their addresses hold codes, tokens and secrets."""
