"""`SingleFlight`: callers who want the same thing at the same time share one piece of work."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

__all__ = ["SingleFlight"]

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class SingleFlight(Generic[K, T]):
    """Runs at most one piece of work for each key at a time. Belongs to one event loop."""

    def __init__(self) -> None:
        self._flights: dict[K, asyncio.Task[T]] = {}

    async def run(self, key: K, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Join the work under way for the key, or start it.

        The work is a task of its own: a caller who is cancelled ends neither the work nor the others' wait. All
        callers see the same result or exception.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.ensure_future(work())
            self._flights[key] = flight
            flight.add_done_callback(lambda done: self._land(key, done))
        return await asyncio.shield(flight)

    def _land(self, key: K, flight: "asyncio.Task[T]") -> None:
        del self._flights[key]
        if not flight.cancelled():
            flight.exception()  # seen, even when every caller has gone

    async def drain(self) -> None:
        """Return when all work under way has ended, however it ended."""
        while self._flights:
            await asyncio.wait(self._flights.values())
