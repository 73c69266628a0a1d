"""`Remembered`: figures that take long to find, found now and then in the background and shown with their age."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from storage.base.clock import Clock
from storage.base.errors import StorageError

__all__ = ["Dated", "Remembered"]

T = TypeVar("T")

#: What is found in seconds is found anew so seldom that it takes at most a fiftieth of the time.
_SHARE_OF_TIME = 50


@dataclass(frozen=True, slots=True)
class Dated(Generic[T]):
    """Figures, and when they were found."""

    figures: T
    at: int


class Remembered(Generic[T]):
    """Finds figures when somebody looks, not more often than the store can bear. Belongs to one event loop.

    Args:
        find: Finds them, however long it takes.
        clock: What tells their age.
        good_for: Seconds in which they are not found anew.
        patience: Seconds that a page waits for figures that are ten times older than that, or not there at all.
    """

    def __init__(
        self, find: Callable[[], Awaitable[T]], clock: Clock, *, good_for: float = 10, patience: float = 0.5
    ) -> None:
        self._find = find
        self._clock = clock
        self._good_for = good_for
        self._patience = patience
        self._last: Dated[T] | None = None
        self._found_at = 0.0
        self._again_at = 0.0
        self._finding: asyncio.Future[None] | None = None

    async def get(self) -> Dated[T] | None:
        """Return the latest figures; None while the first are being found, or when they cannot be."""
        now = time.monotonic()
        if self._finding is None and now >= self._again_at:
            self._finding = asyncio.ensure_future(self._refresh())
        too_old = self._last is None or now - self._found_at > 10 * self._good_for
        if self._finding is not None and too_old:
            await asyncio.wait([self._finding], timeout=self._patience)
        return self._last

    async def _refresh(self) -> None:
        began = time.monotonic()
        try:
            self._last = Dated(await self._find(), self._clock.now())
            self._found_at = time.monotonic()
        except StorageError:
            return  # the older ones stay, with their age
        finally:
            took = time.monotonic() - began
            self._again_at = time.monotonic() + max(self._good_for, _SHARE_OF_TIME * took)
            self._finding = None
