"""The simulator as a web application: page, API and control on one port."""

from pathlib import Path

from tornado.web import Application, RequestHandler

from service.simulator.authorize import authorize_handlers
from service.simulator.control import control_handlers
from service.simulator.sns import sns_handlers
from service.simulator.wechat import SimulatedWeChat

__all__ = ["make_simulator_app"]

_HERE = Path(__file__).parent


def make_simulator_app(wechat: SimulatedWeChat, *, control: bool = True) -> Application:
    """Return an application that speaks for a WeChat.

    Args:
        wechat: The one it speaks for; it may be changed while the application runs, in the loop's thread.
        control: Whether the control API is there. Whoever reaches the port may use it.
    """
    table = [*authorize_handlers, *sns_handlers, *(control_handlers if control else [])]
    return Application(
        [(pattern, handler, {"wechat": wechat}) for pattern, handler in table],
        template_path=str(_HERE / "templates"),
        static_path=str(_HERE / "static"),
        static_url_prefix="/simulator/static/",
        log_function=_log_nothing,
    )


def _log_nothing(handler: RequestHandler) -> None:
    """Keep requests out of the log: their addresses hold codes, tokens and secrets."""
