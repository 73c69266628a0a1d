"""`wechat-openid serve`: the service, in one process or several."""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from socket import socket

import click

from service.observability.logs import configure_logging
from service.runtime.bootstrap import open_service
from service.runtime.event_loop import run, stop_on_signals
from service.runtime.first_start import make_what_is_missing
from service.runtime.server import Listeners, bind, run_server
from service.runtime.supervisor import EX_CONFIG, supervise, worker_command
from service.settings import Settings, SettingsError, load_settings
from storage.base.errors import StorageError
from storage.store import Capability

__all__ = ["serve", "worker"]


@click.command
@click.option("--workers", type=click.IntRange(1, 128), help="Processes that share the ports.  [default: WORKERS]")
@click.pass_obj
def serve(config: Path | None, workers: int | None) -> None:
    """Serve pages and operators until SIGTERM or Ctrl-C."""
    settings = load_settings(config)
    configure_logging(settings.log_format, settings.log_level)
    sys.exit(run(_serve(config, settings, workers or settings.workers)))


async def _serve(config: Path | None, settings: Settings, workers: int) -> int:
    stop = asyncio.Event()
    stop_on_signals(stop)
    listeners = bind(settings)
    await asyncio.to_thread(make_what_is_missing, settings)
    if workers == 1:
        await run_server(settings, listeners, stop)
        return 0
    # What would stop every worker is found, and said, once.
    async with open_service(settings) as service:
        if Capability.SHARING not in service.vault.capabilities:
            raise SettingsError(f"the token store {settings.token_store!r} belongs to one process: set WORKERS to 1")
    return await supervise([*worker_command(config), f"--workers={workers}"], listeners, workers, stop)


@click.command(hidden=True)
@click.option("--public", required=True, help="File descriptors of the public listener's sockets.")
@click.option("--private", required=True, help="File descriptors of the private listener's sockets.")
@click.option("--workers", type=int, required=True, help="How many workers there are.")
@click.option("--lifeline", type=int, required=True, help="A pipe that ends when the supervisor is gone.")
@click.pass_obj
def worker(config: Path | None, public: str, private: str, workers: int, lifeline: int) -> None:
    """Serve on inherited sockets, for the supervisor."""
    try:
        settings = replace(load_settings(config), workers=workers)
        configure_logging(settings.log_format, settings.log_level)
        run(_work(settings, _sockets(public), _sockets(private), lifeline))
    except (SettingsError, StorageError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(EX_CONFIG if isinstance(error, SettingsError) else 1)


async def _work(settings: Settings, public: list[socket], private: list[socket], lifeline: int) -> None:
    stop = asyncio.Event()
    stop_on_signals(stop)
    asyncio.get_running_loop().add_reader(lifeline, stop.set)
    await run_server(settings, Listeners(public, private), stop)


def _sockets(descriptors: str) -> list[socket]:
    return [socket(fileno=int(descriptor)) for descriptor in descriptors.split(",")]
