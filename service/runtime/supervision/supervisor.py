"""Keeps workers running on shared ports: one that dies is replaced, and a reload replaces them one by one.

The supervisor listens and hands the sockets down, so connections that arrive while a worker is being replaced wait for
its successor instead of being refused.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from service.runtime.server import DRAIN_SECONDS, GRACE_SECONDS, Listeners, end_anyway_after
from service.runtime.supervision.notifications import Notifier
from service.runtime.supervision.reload import ReloadPlan
from service.runtime.supervision.slots import Slot
from service.runtime.supervision.workers import PATIENCE_SECONDS, Worker
from service.settings import SettingsError
from storage.base.errors import StorageError
from storage.base.tasks import first_of

__all__ = ["Supervisor"]

#: systemd hears three times of us in the time that it gives us, and a worker has one of these to answer.
_PINGS = 3

_logger = logging.getLogger(__name__)


class Supervisor:
    """So many workers, until the service is told to stop.

    Args:
        listeners: The sockets that the workers accept from; closed in the end.
        words: The settings of the first workers.
        count: How many workers.
        start: Starts a worker with settings.
        plan: Reads the settings anew, given those of the running workers.
        notifier: Tells systemd how the service stands.
    """

    def __init__(
        self,
        listeners: Listeners,
        words: Mapping[str, str],
        count: int,
        *,
        start: Callable[[Mapping[str, str]], Awaitable[Worker]],
        plan: Callable[[Sequence[Mapping[str, str]]], Awaitable[ReloadPlan]],
        notifier: Notifier,
    ) -> None:
        self._listeners = listeners
        self._stop = asyncio.Event()
        self._slots = [Slot(words, start, self._stop) for _ in range(count)]
        self._plan = plan
        self._notifier = notifier

    async def run(self, stop: asyncio.Event, reload: asyncio.Event) -> int:
        """Keep the workers running until the first event is set; return the exit status.

        Args:
            stop: Set to end them all.
            reload: Set, again and again, to have them replaced by workers with the settings as they are then.

        Raises:
            SettingsError, StorageError, OSError: This process was to be the worker, and could not serve.
        """
        reloading = asyncio.ensure_future(self._reload_when(reload))
        beside = [asyncio.ensure_future(task) for task in (self._stop_with(stop), self._feed_watchdog())]
        try:
            async with asyncio.TaskGroup() as group:
                kept = [group.create_task(slot.keep_running()) for slot in self._slots]
        except* (SettingsError, StorageError, OSError) as errors:
            raise errors.exceptions[0] from None
        finally:
            self._stop.set()
            await reloading
            await asyncio.gather(*(slot.end() for slot in self._slots))
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            self._listeners.close()
        return max(task.result() for task in kept)

    async def _stop_with(self, stop: asyncio.Event) -> None:
        """Stop listening before the workers do: what connected later would wait for nobody, and be reset at the end."""
        await stop.wait()
        self._notifier.stopping()
        self._listeners.close()
        self._stop.set()
        end_anyway_after(DRAIN_SECONDS + PATIENCE_SECONDS + GRACE_SECONDS)

    async def _reload_when(self, reload: asyncio.Event) -> None:
        for slot in self._slots:
            await first_of(slot.has_listened, self._stop)
        if not self._stop.is_set():
            self._notifier.ready(self._serving())
        while not self._stop.is_set():
            await first_of(reload, self._stop)
            if reload.is_set() and not self._stop.is_set():
                reload.clear()
                self._notifier.reloading()
                self._notifier.ready(await self._reload())

    async def _reload(self) -> str:
        """Replace the workers one by one; return what came of it, in a line."""
        try:
            plan = await self._plan([slot.words for slot in self._slots])
        except (SettingsError, StorageError) as error:
            _logger.error(  # noqa: TRY400 - the text says what to mend; a traceback would hide it
                "not reloaded, the workers serve with the settings that they have: %s", error
            )
            return "not reloaded: the settings cannot be used, see the log"
        for name in plan.waiting:
            _logger.warning("%s has changed, which takes a restart; it stays as it was", name)
        _logger.info("reloading; settings that change: %s", ", ".join(plan.changed) or "none")
        for words in plan.steps:
            for slot in self._slots:
                if not await slot.replace(words):
                    replaced = sum(slot.words == plan.steps[-1] for slot in self._slots)
                    _logger.error(
                        "reloading stopped: a new worker does not listen, see what it logged; %d of %d workers have "
                        "the new settings",
                        replaced,
                        len(self._slots),
                    )
                    return "not reloaded: a new worker does not listen, see the log"
        _logger.info("reloaded; workers that were replaced: %d", len(self._slots))
        return f"{self._serving()}, reloaded"

    async def _feed_watchdog(self) -> None:
        """Tell systemd that the service is alive, as long as some worker listens and each that does answers."""
        if self._notifier.watchdog_seconds is None:
            return
        every = self._notifier.watchdog_seconds / _PINGS
        while True:
            listening = [slot for slot in self._slots if slot.is_listening]
            silent = sum(not slot.answered for slot in listening)
            if listening and not silent:
                self._notifier.alive()
            elif silent:
                _logger.warning("%d of %d workers do not answer", silent, len(listening))
            for slot in listening:
                slot.ask()
            await asyncio.sleep(every)

    def _serving(self) -> str:
        return f"serving, workers: {len(self._slots)}"
