"""`Counters`: how often something happens in each window of time, in this process or, by Redis, in all of them."""

import asyncio
import logging
from collections import Counter
from typing import Protocol

from limits import RateLimitItem
from limits.aio.storage import RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError

from storage.base.clock import Clock

__all__ = ["Counters", "CountersHere", "CountingBackend", "counts_in_process"]

_IN_PROCESS = "async+memory"
#: A page waits for its answer; counters that take longer count as out of reach.
_PATIENCE_SECONDS = 0.5

_logger = logging.getLogger(__name__)


def counts_in_process(storage: str) -> bool:
    """Return whether each process has counters of its own in such a storage."""
    return storage.startswith(f"{_IN_PROCESS}:")


class CountingBackend(Protocol):
    """Where counts are kept."""

    async def add(self, rate: RateLimitItem, key: tuple[str, ...], cost: int) -> int | None:
        """Add to a count; return when its window ends if that admits less, else None."""

    async def close(self) -> None:
        """Close what was opened for counting."""


class Counters:
    """Adds to counts. Everything is admitted while the storage cannot be reached. Belongs to one event loop.

    Args:
        pause_seconds: How long a backend that did not answer is left alone: a request makes several counts, and its
            page must not wait for each.
    """

    def __init__(self, backend: CountingBackend, *, pause_seconds: float = 1.0) -> None:
        self._backend = backend
        self._pause_seconds = pause_seconds
        self._paused_until = 0.0
        self._counting = True

    @classmethod
    def open(cls, storage: str, clock: Clock) -> "Counters":
        """Return the counters of a storage: `async+memory://` for this process, else `async+redis://HOST:PORT`."""
        return cls(CountersHere(clock) if counts_in_process(storage) else _CountersElsewhere(storage))

    async def add(self, rate: RateLimitItem, key: tuple[str, ...], cost: int = 1) -> int | None:
        """Add to a count; return when its window ends if that admits less, else None.

        Where the counters cannot be reached the answer is None: a limit that fails must not take logins down.
        """
        loop = asyncio.get_running_loop()
        if loop.time() < self._paused_until:
            return None
        try:
            ends_at = await self._backend.add(rate, key, cost)
        except (StorageError, TimeoutError) as error:
            self._paused_until = loop.time() + self._pause_seconds
            self._note_counting(False, type(error).__name__)
            return None
        self._note_counting(True)
        return ends_at

    async def close(self) -> None:
        """Close the connections to shared counters. Nothing is counted afterwards."""
        await self._backend.close()

    def _note_counting(self, counting: bool, reason: str = "") -> None:
        """Log a change; a line for each request would be one more flood."""
        if counting and not self._counting:
            _logger.warning("requests are limited again")
        if self._counting and not counting:
            _logger.warning("requests are not limited, the counters do not answer: %s", reason)
        self._counting = counting


class CountersHere:
    """Counts in this process, by windows that begin at whole multiples of their length.

    A window's counts are thrown away at once when it is over. (The memory storage of limits looks through every
    key at each request.)
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # By the identity of their rates, which are made once and kept: their own hashes took half of the time.
        self._windows: dict[int, tuple[RateLimitItem, int, Counter[tuple[str, ...]]]] = {}

    async def add(self, rate: RateLimitItem, key: tuple[str, ...], cost: int) -> int | None:
        """Add to a count; see `CountingBackend`."""
        length = rate.get_expiry()
        number = self._clock.now() // length
        window = self._windows.get(id(rate))
        if window is None or window[1] != number:
            window = rate, number, Counter()
            self._windows[id(rate)] = window
        counts = window[2]
        counts[key] += cost
        return (number + 1) * length if counts[key] > rate.amount else None

    async def close(self) -> None:
        """Do nothing: nothing was opened."""

    def __len__(self) -> int:
        """Return how many counts are kept."""
        return sum(len(counts) for *_, counts in self._windows.values())


class _CountersElsewhere:
    """Counts in a storage that processes share."""

    def __init__(self, storage: str) -> None:
        self._storage = RedisStorage(storage, wrap_exceptions=True, implementation="redispy")
        self._limiter = FixedWindowRateLimiter(self._storage)

    async def add(self, rate: RateLimitItem, key: tuple[str, ...], cost: int) -> int | None:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            if await self._limiter.hit(rate, *key, cost=cost):
                return None
            return round((await self._limiter.get_window_stats(rate, *key)).reset_time)

    async def close(self) -> None:
        # limits has no way to close what it opened; its bridge holds the client.
        await self._storage.bridge.storage.aclose()  # type: ignore[attr-defined] # known to its subclass only
