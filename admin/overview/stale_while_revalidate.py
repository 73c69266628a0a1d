"""`StaleWhileRevalidate`: a cache that answers with what it has, and computes it anew in the background."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from storage.base.clock import Clock
from storage.base.errors import StorageError

__all__ = ["Cached", "StaleWhileRevalidate"]

T = TypeVar("T")

#: What takes seconds to compute is computed so seldom that it takes at most a fiftieth of the time.
_SHARE_OF_TIME = 50


@dataclass(frozen=True, slots=True)
class Cached(Generic[T]):
    """A value, and when it was computed."""

    value: T
    at: int


class StaleWhileRevalidate(Generic[T]):
    """Computes a value on demand, at bounded intervals. Belongs to one event loop.

    Args:
        compute: Computes it, however long that takes.
        clock: What tells its age.
        fresh_seconds: Seconds in which it is not computed anew.
        wait_seconds: Seconds that a page waits for a value that is ten times older than that, or not there at all.
    """

    def __init__(
        self,
        compute: Callable[[], Awaitable[T]],
        clock: Clock,
        *,
        fresh_seconds: float = 10,
        wait_seconds: float = 0.5,
    ) -> None:
        self._compute = compute
        self._clock = clock
        self._fresh_seconds = fresh_seconds
        self._wait_seconds = wait_seconds
        self._cached: Cached[T] | None = None
        self._computed_at = 0.0
        self._again_at = 0.0
        self._computing: asyncio.Future[None] | None = None

    async def get(self) -> Cached[T] | None:
        """Return the latest value; None while the first is being computed, or when it cannot be."""
        now = time.monotonic()
        if self._computing is None and now >= self._again_at:
            self._computing = asyncio.ensure_future(self._revalidate())
        too_old = self._cached is None or now - self._computed_at > 10 * self._fresh_seconds
        if self._computing is not None and too_old:
            await asyncio.wait([self._computing], timeout=self._wait_seconds)
        return self._cached

    async def _revalidate(self) -> None:
        began = time.monotonic()
        try:
            self._cached = Cached(await self._compute(), self._clock.now())
            self._computed_at = time.monotonic()
        except StorageError:
            return  # the older one stays, with its age
        finally:
            took = time.monotonic() - began
            self._again_at = time.monotonic() + max(self._fresh_seconds, _SHARE_OF_TIME * took)
            self._computing = None
