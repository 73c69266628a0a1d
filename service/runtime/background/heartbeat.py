"""`Heartbeat`: tells other processes and the dashboard that this one is alive, and which accounts pause in it."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from storage.base.clock import Clock
from storage.base.errors import StorageError
from storage.base.periodic import Periodic
from storage.pauses import AccountPause
from storage.sql.work.instances import HEARTBEAT_SECONDS, Instance, Instances

__all__ = ["Heartbeat"]


class Heartbeat:
    """Sends heartbeats in the background. Belongs to one event loop.

    Args:
        name: A name for this process that no other has.
        version: What version of the service it is.
        pauses: Returns the pauses in force.
        every_seconds: The pause between two heartbeats.
    """

    def __init__(
        self,
        instances: Instances,
        *,
        name: str,
        version: str,
        clock: Clock,
        pauses: Callable[[], Sequence[AccountPause]],
        every_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._instances = instances
        self._name = name
        self._version = version
        self._clock = clock
        self._pauses = pauses
        self._started_at = clock.now()
        self._periodic = Periodic("the heartbeat", self.send, every_seconds)

    def start(self) -> None:
        """Begin in the background."""
        self._periodic.start()

    async def stop(self) -> None:
        """Deregister this process and end."""
        if not self._periodic.started:
            return
        await self._periodic.stop()
        with suppress(StorageError):  # then the silence tells
            await asyncio.to_thread(self._instances.deregister, self._name)

    async def send(self) -> None:
        """Send one heartbeat."""
        now = self._clock.now()
        instance = Instance(self._name, self._version, self._started_at, now, tuple(self._pauses()))
        await asyncio.to_thread(self._instances.heartbeat, instance)
