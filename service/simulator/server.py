"""Runs the simulator on a port, in a process of its own or inside another."""

from collections.abc import Iterable

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from service.simulator.app import make_simulator_app
from service.simulator.authorize.page import AUTHORIZE_PATH, QRCONNECT_PATH
from service.simulator.jssdk import SCRIPT_PATH
from service.simulator.wechat import SimulatedWeChat

__all__ = ["RunningSimulator", "start_simulator"]


class RunningSimulator:
    """A simulator that listens.

    Attributes:
        host: Where it listens.
        port: The port, also when a free one was asked for.
    """

    def __init__(self, server: HTTPServer, host: str, port: int) -> None:
        self._server = server
        self.host = host
        self.port = port

    @property
    def url(self) -> str:
        """The address of the API, without a slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def authorize_url(self) -> str:
        """The address of the authorize page, without a query."""
        return self.url + AUTHORIZE_PATH

    @property
    def script_url(self) -> str:
        """The address of the script that stands for WeChat's JS-SDK."""
        return self.url + SCRIPT_PATH

    @property
    def qrconnect_url(self) -> str:
        """The address of the page of website apps, without a query."""
        return self.url + QRCONNECT_PATH

    async def stop(self) -> None:
        """Stop listening and close every connection, also those that hang on purpose."""
        self._server.stop()
        await self._server.close_all_connections()


async def start_simulator(
    wechat: SimulatedWeChat,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    control: bool = True,
    hosts: Iterable[str] = (),
) -> RunningSimulator:
    """Listen in the running loop, and return at once.

    Args:
        wechat: The WeChat to speak for.
        host: Where to listen. Beyond the loopback the control API is open to the network, unless `control` is off.
        port: 0 takes a free one.
        control: Whether the control API is there.
        hosts: Names, beside `host`, addresses in numbers and `localhost`, by which it may be addressed.

    Raises:
        OSError: The address cannot be listened on.
    """
    sockets = bind_sockets(port, host)
    server = HTTPServer(make_simulator_app(wechat, control=control, hosts=[host, *hosts]))
    server.add_sockets(sockets)
    return RunningSimulator(server, host, sockets[0].getsockname()[1])
