"""`Slot`: the place of one worker, in which there is always one; who it is changes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from service.runtime.supervision.workers import Worker
from storage.base.tasks import first_of, happens_within

__all__ = ["EX_CONFIG", "Slot"]

#: The exit status of a worker whose settings cannot work: another would end like it. As in sysexits.h.
EX_CONFIG = 78

#: A new worker that does not listen after so long does not take the place of the one that does.
_LISTENS_WITHIN_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 30.0
#: A worker that lived this long was healthy: its successor starts at once.
_HEALTHY_SECONDS = 60.0

_logger = logging.getLogger(__name__)


class Slot:
    """Keeps one worker running, and replaces it by another while it serves.

    Args:
        words: The settings of the first worker.
        start: Starts a worker with settings.
        stop: Set when the service is to end.

    `words` are the settings of the worker that is here; `has_listened` is set once one has listened.
    """

    def __init__(
        self, words: Mapping[str, str], start: Callable[[Mapping[str, str]], Awaitable[Worker]], stop: asyncio.Event
    ) -> None:
        self.words = words
        self._start = start
        self._stop = stop
        self._worker: Worker | None = None
        self.has_listened = asyncio.Event()
        # A worker that died is not started again while a reload starts another in its place.
        self._starting = asyncio.Lock()

    @property
    def is_listening(self) -> bool:
        """Whether there is a worker here that listens."""
        return self._worker is not None and self._worker.listening.is_set()

    @property
    def answered(self) -> bool:
        """Whether the worker has answered the last question."""
        return self._worker is not None and self._worker.answered

    def ask(self) -> None:
        """Ask whether its event loop turns."""
        if self._worker is not None:
            self._worker.ask()

    async def keep_running(self) -> int:
        """Run a worker, and the next when it dies, until the service is to end; return the last one's exit status."""
        loop = asyncio.get_running_loop()
        pause = 0.0
        worker = self._worker = await self._start(self.words)
        while True:
            started_at = loop.time()
            status = await self._watch(worker)
            if self._stop.is_set():
                return max(0, status)
            if worker is self._worker:
                if status == EX_CONFIG and not self.has_listened.is_set():
                    self._stop.set()
                    return status
                _logger.error("%s ended with status %d; starting another", worker.name, status)
                await happens_within(pause, self._stop)
                if self._stop.is_set():
                    return max(0, status)
                healthy = loop.time() - started_at > _HEALTHY_SECONDS
                pause = 0.0 if healthy else min(_LONGEST_PAUSE_SECONDS, max(0.5, 2 * pause))
                async with self._starting:
                    if worker is self._worker:
                        self._worker = await self._start(self.words)
            worker = self._worker

    async def replace(self, words: Mapping[str, str]) -> bool:
        """Start a worker with these settings, and end the one before it once the new one listens.

        Returns whether that was done. If not, the worker before it serves on, with its settings.
        """
        async with self._starting:
            try:
                successor = await self._start(words)
            except OSError as error:  # no memory, no descriptors or no process left
                _logger.error("no worker can be started: %s", error.strerror or error)  # noqa: TRY400 - it says all
                return False
            with suppress(TimeoutError):
                async with asyncio.timeout(_LISTENS_WITHIN_SECONDS):
                    await first_of(successor.listening, successor.gone, self._stop)
            takes_over = successor.listening.is_set() and not self._stop.is_set()
            leaving = self._worker if takes_over else successor
            if takes_over:
                self._worker, self.words = successor, words
        if leaving is not None:
            await leaving.end()
        return takes_over

    async def end(self) -> None:
        """End the worker that is here."""
        if self._worker is not None:
            await self._worker.end()

    async def _watch(self, worker: Worker) -> int:
        """Return a worker's exit status; when the service is to end, see that it does."""
        await first_of(worker.listening, worker.gone, self._stop)
        if worker.listening.is_set():
            self.has_listened.set()
        await first_of(worker.gone, self._stop)
        await worker.end()
        return worker.status()
