"""One serving process: two listeners, a scheduler, and an orderly end."""

import asyncio
import gc
import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

from tornado.netutil import bind_sockets
from tornado.web import Application

from service.http.handlers.base import Route
from service.runtime.app import Service, make_private_app, make_public_app
from service.runtime.bootstrap import open_service
from service.runtime.http_server import HttpServer, HttpServerUnavailable, make_http_server
from service.runtime.process import FEWEST_DESCRIPTORS, raise_descriptor_limit
from service.settings import Address, Settings, SettingsError

__all__ = ["DRAIN_SECONDS", "GRACE_SECONDS", "Listeners", "bind", "end_anyway_after", "run_server"]

#: What is under way when the process is told to stop has so long to end.
DRAIN_SECONDS = 10
#: The exit status of a process that had to be ended by force.
EXIT_FORCED = 75

#: How long clients that keep connections have to send one more request, whose answer says that it was the last.
_LEAVE_SECONDS = 1.0
#: What was answered may still be written so long after the drain.
GRACE_SECONDS = 2

_MOST_PRIVATE_CONNECTIONS = 1024
#: Connections to the store and to WeChat, files, and the process's own.
_DESCRIPTORS_BESIDE_CONNECTIONS = 512

#: New objects that may be kept before the youngest are looked through; a request makes about a hundred.
_COLLECT_AFTER = 5000

_logger = logging.getLogger(__name__)


class Listeners:
    """The sockets of the public and the private listener."""

    def __init__(self, public: Sequence[socket.socket], private: Sequence[socket.socket]) -> None:
        self.public = public
        self.private = private

    def duplicate(self) -> "Listeners":
        """Return sockets on the same ports, which are closed apart from these."""
        return Listeners([listener.dup() for listener in self.public], [listener.dup() for listener in self.private])

    def close(self) -> None:
        """Stop listening."""
        for listener in (*self.public, *self.private):
            listener.close()


def bind(settings: Settings) -> Listeners:
    """Listen where the settings say.

    Raises:
        OSError: An address cannot be listened on; the text names it.
    """
    return Listeners(_bind(settings.listen, "LISTEN"), _bind(settings.admin_listen, "ADMIN_LISTEN"))


def _bind(address: Address, setting: str) -> list[socket.socket]:
    try:
        return bind_sockets(address.port, address.host, backlog=1024)
    except OSError as error:
        raise OSError(f"cannot listen on {address} ({setting}): {error.strerror or error}") from None


async def run_server(
    settings: Settings,
    listeners: Listeners,
    stop: asyncio.Event,
    *,
    extra_routes: Sequence[Route] = (),
    on_listening: Callable[[], None] = lambda: None,
    ends_process: bool = True,
) -> None:
    """Serve until the event is set, then stop accepting, finish what is under way, and give leases back.

    Args:
        settings: How to serve.
        listeners: Where; they are closed in the end.
        stop: Set to stop.
        extra_routes: Pages on the public listener, beside the service's own.
        on_listening: Called once connections are accepted.
        ends_process: The process ends after it, by force if need be.

    Raises:
        SettingsError, StorageError: The service cannot start; the text says what to do.
    """
    async with AsyncExitStack() as resources:
        service = await resources.enter_async_context(open_service(settings))
        applications = [make_public_app(service, extra_routes), make_private_app(service)]
        bounds = _bounds_of(_descriptors())
        servers = [
            _http_server(settings, application, name, bound)
            for application, name, bound in zip(applications, ("LISTEN", "ADMIN_LISTEN"), bounds, strict=True)
        ]
        for server, sockets in zip(servers, (listeners.public, listeners.private), strict=True):
            server.add_sockets(sockets)
        service.scheduler.start()
        for background in (
            service.credentials,
            service.audit_retention,
            service.activity,
            service.calls,
            service.api_key_use_log,
            service.user_history_log,
            service.heartbeat,
            service.jobs,
        ):
            background.start()
        _settle_memory()
        dashboard = f"{settings.admin_url or f'http://{settings.admin_listen}'}/admin/"
        _logger.info("serving pages on %s; the dashboard is %s", settings.listen, dashboard)
        on_listening()
        await stop.wait()
        _logger.info("stopping: finishing what is under way")
        if ends_process:
            end_anyway_after(DRAIN_SECONDS + GRACE_SECONDS)
        for server in servers:
            server.stop()
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await _drain(service, applications)
        except TimeoutError:
            _logger.warning("stopped before everything was finished")
        # Clients that keep connections are told by their next answer; who sends none loses nothing by the end.
        await asyncio.gather(*(server.emptied_within(_LEAVE_SECONDS) for server in servers))
        for server in servers:
            await server.close_all_connections()


def _settle_memory() -> None:
    """Keep Python's garbage collector from looking, again and again, through all that lives as long as the process.

    Modules and routes are over a hundred thousand objects: each full collection took a tenth of a second, in which
    nobody was answered. What is left, requests above all, is collected less often than Python's default would.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)


async def _drain(service: Service, applications: Sequence[Application]) -> None:
    await service.drain()
    for application in applications:
        await application.settings["in_flight"].ended()


def end_anyway_after(seconds: float) -> None:
    """End the process after a while, even if a thread hangs in a store that does not answer.

    Python waits for its threads before it exits, and nothing can interrupt a call into a database.
    """

    def end() -> None:
        _logger.error("ended by force: the store still does not answer")
        logging.shutdown()
        os._exit(EXIT_FORCED)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


def _descriptors() -> int:
    """Return how many files and connections may be open, and warn where they are few."""
    descriptors = raise_descriptor_limit()
    if descriptors < FEWEST_DESCRIPTORS:
        _logger.warning(
            "only %d files and connections may be open at once: set LimitNOFILE, or ulimit -n, to %d or more",
            descriptors,
            FEWEST_DESCRIPTORS,
        )
    return descriptors


def _bounds_of(descriptors: int) -> tuple[int, int]:
    """Return how many connections the public and the private listener may have open.

    Each has descriptors that the other cannot take; what both leave is for the store, for WeChat and for files.
    """
    private = min(descriptors // 8, _MOST_PRIVATE_CONNECTIONS)
    return max(descriptors // 2, descriptors - private - _DESCRIPTORS_BESIDE_CONNECTIONS), private


def _http_server(settings: Settings, application: Application, name: str, max_connections: int) -> HttpServer:
    try:
        return make_http_server(settings.http_server, application, name=name, max_connections=max_connections)
    except HttpServerUnavailable as error:
        raise SettingsError(str(error)) from None
