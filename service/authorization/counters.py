"""`Counters`: how often something happens in each window of time, in this process or, by Redis, in all of them."""

import asyncio
import logging
from collections import Counter
from typing import Protocol

from service.settings import SettingsError
from service.settings.rates import Rate
from storage.base.clock import Clock

__all__ = ["Counters", "CountersHere", "CountingBackend", "counts_in_process"]

_IN_PROCESS = "async+memory"

_logger = logging.getLogger(__name__)


def counts_in_process(storage: str) -> bool:
    """Return whether each process has counters of its own in such a storage."""
    return storage.startswith(f"{_IN_PROCESS}:")


class CountingBackend(Protocol):
    """Where counts are kept."""

    async def add(self, rate: Rate, key: tuple[str, ...], cost: int) -> int | None:
        """Add to a count; return when its window ends if that admits less, else None.

        Raises:
            OSError: The counts cannot be reached. The text holds nothing secret.
        """

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
        """Return the counters of a storage: `async+memory://` for this process, else `async+redis://HOST:PORT`.

        Raises:
            SettingsError: What shared counters need is not installed.
        """
        if counts_in_process(storage):
            return cls(CountersHere(clock))
        try:
            # Its library takes two megabytes: only who shares counters loads it.
            from service.authorization.shared_counters import SharedCounters  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise SettingsError(
                f"RATE_LIMIT_STORAGE needs {error.name!r}: pip install 'wechat-openid[redis]'"
            ) from None
        return cls(SharedCounters(storage))

    async def add(self, rate: Rate, key: tuple[str, ...], cost: int = 1) -> int | None:
        """Add to a count; return when its window ends if that admits less, else None.

        Where the counters cannot be reached the answer is None: a limit that fails must not take logins down.
        """
        loop = asyncio.get_running_loop()
        if loop.time() < self._paused_until:
            return None
        try:
            ends_at = await self._backend.add(rate, key, cost)
        except OSError as error:
            self._paused_until = loop.time() + self._pause_seconds
            self._note_counting(False, str(error) or type(error).__name__)
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

    A window's counts are thrown away at once when it is over. (The memory storage of `limits` looks through every
    key at each request.)
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # By the identity of their rates, which are made once and kept: their own hashes took half of the time.
        self._windows: dict[int, tuple[Rate, int, Counter[tuple[str, ...]]]] = {}

    async def add(self, rate: Rate, key: tuple[str, ...], cost: int) -> int | None:
        """Add to a count; see `CountingBackend`."""
        length = rate.seconds
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
