"""`RateLimit`: how many exchanges one client address may ask for.

A flood of made-up codes would otherwise spend the account's quota at WeChat for everybody.
"""

import asyncio
import logging
from collections import Counter
from typing import Protocol

from limits import RateLimitItem, parse_many
from limits.aio.storage import RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError as CountersUnavailable

from storage.base.client_key import client_key
from storage.base.clock import Clock

__all__ = ["RateLimit"]

_IN_PROCESS = "async+memory"
#: A page waits for its answer; counters that take longer count as out of reach.
_PATIENCE_SECONDS = 0.5

_logger = logging.getLogger(__name__)


class _Counters(Protocol):
    async def count(self, rate: RateLimitItem, client: str) -> int | None:
        """Count one request; return when the window ends if it is one too many, else None."""

    async def close(self) -> None:
        """Let go of what was opened for counting."""


class RateLimit:
    """Counts requests by address, those of IPv6 by their /64. Belongs to one event loop.

    Args:
        rates: Such as "600/minute;5000/hour"; empty limits nothing.
        storage: The URL of where they are counted: `async+memory://` in this process, else
            `async+redis://HOST:PORT`.
        clock: What windows are measured by.
    """

    def __init__(self, rates: str, storage: str, clock: Clock) -> None:
        self._rates = parse_many(rates) if rates else []
        self._clock = clock
        in_process = storage.startswith(f"{_IN_PROCESS}:")
        self._counters: _Counters = _CountersHere(clock) if in_process else _CountersElsewhere(storage)
        self._counting = True

    async def count(self, address: str) -> int | None:
        """Count one request; return after how many seconds to come back if it is one too many, else None.

        Where the counters cannot be reached the request passes: a limit that fails must not take logins down.
        """
        client = client_key(address)
        for rate in self._rates:
            try:
                ends_at = await self._counters.count(rate, client)
            except (CountersUnavailable, TimeoutError) as error:
                self._note_counting(False, type(error).__name__)
                return None
            if ends_at is not None:
                return max(1, ends_at - self._clock.now())
        self._note_counting(True)
        return None

    async def close(self) -> None:
        """Close the connections to the shared counters. Nothing is counted afterwards."""
        await self._counters.close()

    def _note_counting(self, counting: bool, reason: str = "") -> None:
        """Log a change; a line for each request would be one more flood."""
        if counting and not self._counting:
            _logger.warning("requests are limited again")
        if self._counting and not counting:
            _logger.warning("requests are not limited, the counters do not answer: %s", reason)
        self._counting = counting


class _CountersHere:
    """Counts in this process, by windows that begin at whole multiples of their length.

    A window's counts are thrown away at once when it is over. (The memory storage of limits looks through every
    address at each request.)
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._windows: dict[RateLimitItem, tuple[int, Counter[str]]] = {}

    async def count(self, rate: RateLimitItem, client: str) -> int | None:
        length = rate.get_expiry()
        number = self._clock.now() // length
        current, counts = self._windows.get(rate, (None, Counter[str]()))
        if current != number:
            counts = Counter()
            self._windows[rate] = number, counts
        counts[client] += 1
        return (number + 1) * length if counts[client] > rate.amount else None

    async def close(self) -> None:
        pass


class _CountersElsewhere:
    """Counts in a storage that processes share."""

    def __init__(self, storage: str) -> None:
        self._storage = RedisStorage(storage, wrap_exceptions=True, implementation="redispy")
        self._limiter = FixedWindowRateLimiter(self._storage)

    async def count(self, rate: RateLimitItem, client: str) -> int | None:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            if await self._limiter.hit(rate, client):
                return None
            return round((await self._limiter.get_window_stats(rate, client)).reset_time)

    async def close(self) -> None:
        # limits has no way to close what it opened; its bridge holds the client.
        await self._storage.bridge.storage.aclose()  # type: ignore[attr-defined] # known to its subclass only
