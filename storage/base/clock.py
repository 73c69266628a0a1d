"""The one clock of the program. It is handed to whatever needs the time, so that tests move time instead of waiting."""

import time
from typing import Protocol

__all__ = ["DAY_SECONDS", "HOUR_SECONDS", "Clock", "ManualClock", "SystemClock"]

HOUR_SECONDS = 3600
DAY_SECONDS = 24 * HOUR_SECONDS


class Clock(Protocol):
    """The current time."""

    def now(self) -> int:
        """Return whole seconds since the epoch, UTC."""
        ...


class SystemClock:
    """The machine's wall clock."""

    def now(self) -> int:
        """Return whole seconds since the epoch, UTC."""
        return int(time.time())


class ManualClock:
    """A clock that stands still until it is moved.

    Args:
        now: Seconds since the epoch it shows at first.
    """

    def __init__(self, now: int = 1_800_000_000) -> None:
        self._now = now

    def now(self) -> int:
        """Return whole seconds since the epoch, UTC."""
        return self._now

    def advance(self, seconds: int) -> None:
        """Move forward by so many seconds (backward when negative)."""
        self._now += seconds
