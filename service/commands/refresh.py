"""`wechat-openid refresh`: scheduled refreshes without a server, once for cron or on and on."""

import asyncio
import sys
import time
from pathlib import Path

import click

from service.observability.logs import configure_logging
from service.runtime.bootstrap import open_service
from service.runtime.event_loop import run, stop_on_signals
from service.settings import Settings, load_settings
from service.tokens.scheduler import PassReport

__all__ = ["refresh"]

_PROGRESS_EVERY_SECONDS = 1.0


@click.command
@click.option("--once", is_flag=True, help="Refresh what is due now, say what was done, and end.")
@click.pass_obj
def refresh(config: Path | None, once: bool) -> None:
    """Refresh the tokens that are due. With --once the exit status is 1 if anything failed."""
    settings = load_settings(config)
    configure_logging(settings.log_format, settings.log_level)
    sys.exit(run(_refresh_once(settings) if once else _refresh_on_and_on(settings)))


async def _refresh_once(settings: Settings) -> int:
    async with open_service(settings) as service:
        report = await service.scheduler.run_pass(_Progress().show)
    click.echo(str(report))
    return int(report.failed)


async def _refresh_on_and_on(settings: Settings) -> int:
    stop = asyncio.Event()
    stop_on_signals(stop)
    async with open_service(settings) as service:
        service.scheduler.start()
        await stop.wait()
        await service.drain()
    return 0


class _Progress:
    """Writes the counts to standard error from time to time, so that a long pass shows its progress."""

    def __init__(self) -> None:
        self._next_at = time.monotonic() + _PROGRESS_EVERY_SECONDS

    def show(self, report: PassReport) -> None:
        if time.monotonic() >= self._next_at:
            self._next_at = time.monotonic() + _PROGRESS_EVERY_SECONDS
            click.echo(str(report), err=True)
