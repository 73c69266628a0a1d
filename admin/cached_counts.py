"""`CachedCounts`: exact counts of all users, counted in the background and shown with their age."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from storage.clock import Clock
from storage.errors import StorageError
from storage.records import Counts

__all__ = ["CachedCounts", "DatedCounts"]

#: Counting ten million users takes seconds: it is done at most this often, and takes at most a fiftieth of the time.
_AGAIN_AFTER_SECONDS = 20
_SHARE_OF_TIME = 50
#: How long a page waits for counts before it goes without them.
_PATIENCE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class DatedCounts:
    """Counts, and when they were taken."""

    counts: Counts
    at: int


class CachedCounts:
    """Counts when somebody looks, not more often than it can bear. Belongs to one event loop.

    Args:
        count: Counts, however long it takes.
        clock: What tells the age of the counts.
    """

    def __init__(self, count: Callable[[], Awaitable[Counts]], clock: Clock) -> None:
        self._count = count
        self._clock = clock
        self._last: DatedCounts | None = None
        self._again_at = 0.0
        self._counting: asyncio.Future[None] | None = None

    async def get(self) -> DatedCounts | None:
        """Return the latest counts; None while the first are being counted, or when they cannot be."""
        if self._counting is None and time.monotonic() >= self._again_at:
            self._counting = asyncio.ensure_future(self._refresh())
        if self._counting is not None and self._last is None:
            await asyncio.wait([self._counting], timeout=_PATIENCE_SECONDS)
        return self._last

    async def _refresh(self) -> None:
        began = time.monotonic()
        try:
            self._last = DatedCounts(await self._count(), self._clock.now())
        except StorageError:
            return  # the older counts stay, with their age
        finally:
            took = time.monotonic() - began
            self._again_at = time.monotonic() + max(_AGAIN_AFTER_SECONDS, _SHARE_OF_TIME * took)
            self._counting = None
