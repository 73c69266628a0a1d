"""`SharedCounters`: counts that all processes share, in Redis, by the library `limits`."""

import asyncio

from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError

from service.settings.rates import Rate

__all__ = ["SharedCounters"]

#: A page waits for its answer; counters that take longer count as out of reach.
_PATIENCE_SECONDS = 0.5


class SharedCounters:
    """See `service.authorization.counters.CountingBackend`.

    Args:
        storage: Such as `async+redis://HOST:PORT`.
    """

    def __init__(self, storage: str) -> None:
        self._storage = RedisStorage(storage, wrap_exceptions=True, implementation="redispy")
        self._limiter = FixedWindowRateLimiter(self._storage)

    async def add(self, rate: Rate, key: tuple[str, ...], cost: int) -> int | None:
        """Add to a count; see `CountingBackend`."""
        item = RateLimitItemPerSecond(rate.amount, rate.seconds)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                if await self._limiter.hit(item, *key, cost=cost):
                    return None
                return round((await self._limiter.get_window_stats(item, *key)).reset_time)
        except StorageError as error:
            # Redis's own words may quote its address.
            raise ConnectionError(type(error.storage_error).__name__) from None

    async def close(self) -> None:
        """Close the connections."""
        # limits has no way to close what it opened; its bridge holds the client.
        await self._storage.bridge.storage.aclose()  # type: ignore[attr-defined] # known to its subclass only
