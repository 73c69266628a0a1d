"""Several serving processes that share the ports; one that dies is replaced.

The supervisor listens and hands the sockets down, so connections that arrive while a worker is being replaced wait for
its successor instead of being refused.
"""

import asyncio
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from service.observability.multiprocess import forget_worker, worker_environment
from service.runtime.server import DRAIN_SECONDS, Listeners
from storage.base.tasks import happens_within

__all__ = ["EX_CONFIG", "supervise"]

#: The exit status of a worker whose settings cannot work: replacing it would not help. As in sysexits.h.
EX_CONFIG = 78

_LONGEST_PAUSE_SECONDS = 30.0
#: A worker that lived this long was healthy: its successor starts at once.
_HEALTHY_SECONDS = 60.0

_logger = logging.getLogger(__name__)


async def supervise(command: Sequence[str], listeners: Listeners, count: int, stop: asyncio.Event) -> int:
    """Keep so many workers running until the event is set; return the exit status.

    Args:
        command: What starts a worker; the options with its sockets and its lifeline are added.
        listeners: The sockets that the workers accept from.
        count: How many.
        stop: Set to end them all.
    """
    metrics_folder = Path(tempfile.mkdtemp(prefix="wechat-openid-metrics-"))
    # A worker reads the other end: when the supervisor is gone, however it went, the workers end too.
    lifeline, held_open = os.pipe()
    sockets = (*listeners.public, *listeners.private)
    for listener in sockets:
        listener.set_inheritable(True)
    worker = _Worker(
        [
            *command,
            f"--public={','.join(str(listener.fileno()) for listener in listeners.public)}",
            f"--private={','.join(str(listener.fileno()) for listener in listeners.private)}",
            f"--lifeline={lifeline}",
        ],
        pass_fds=(lifeline, *(listener.fileno() for listener in sockets)),
        metrics_folder=metrics_folder,
    )
    closing = asyncio.ensure_future(_close_when(stop, listeners))
    try:
        statuses = await asyncio.gather(*(worker.keep_running(stop) for _ in range(count)))
    finally:
        closing.cancel()
        os.close(lifeline)
        os.close(held_open)
        listeners.close()
        await asyncio.to_thread(shutil.rmtree, metrics_folder, ignore_errors=True)
    return max(statuses)


async def _close_when(stop: asyncio.Event, listeners: Listeners) -> None:
    """Stop listening before the workers do: what connected later would wait for nobody, and be reset at the end."""
    await stop.wait()
    listeners.close()


class _Worker:
    """How to start one worker, and to start it again."""

    def __init__(self, command: Sequence[str], pass_fds: Sequence[int], metrics_folder: Path) -> None:
        self._command = command
        self._pass_fds = pass_fds
        self._metrics_folder = metrics_folder
        self._environment = worker_environment(metrics_folder)

    async def keep_running(self, stop: asyncio.Event) -> int:
        """Run a worker, and the next when it dies, until the event is set; return the last one's exit status."""
        loop = asyncio.get_running_loop()
        pause = 0.0
        while True:
            started_at = loop.time()
            process = await asyncio.create_subprocess_exec(
                *self._command, pass_fds=self._pass_fds, env=self._environment, stdin=asyncio.subprocess.DEVNULL
            )
            status = await self._watch(process, stop)
            forget_worker(process.pid, self._metrics_folder)
            if stop.is_set():
                return max(0, status)
            if status == EX_CONFIG:
                stop.set()
                return status
            healthy = loop.time() - started_at > _HEALTHY_SECONDS
            _logger.error("worker %d ended with status %d; starting another", process.pid, status)
            if pause:
                await happens_within(pause, stop)
                if stop.is_set():
                    return max(0, status)
            pause = 0.0 if healthy else min(_LONGEST_PAUSE_SECONDS, max(0.5, 2 * pause))

    async def _watch(self, process: asyncio.subprocess.Process, stop: asyncio.Event) -> int:
        """Return a worker's exit status; when the event is set, tell it to stop and see that it does."""
        ended = asyncio.ensure_future(process.wait())
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait((ended, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not ended.done():
            process.terminate()
            try:
                async with asyncio.timeout(DRAIN_SECONDS + 5):
                    await asyncio.shield(ended)
            except TimeoutError:
                process.kill()
        return await ended


def worker_command(config: Path | None) -> list[str]:
    """Return what starts a worker of this service, with the same settings."""
    options = [] if config is None else ["--config", str(config)]
    return [sys.executable, "-m", "service", *options, "worker"]
