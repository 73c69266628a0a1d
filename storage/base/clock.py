"""The clock. Everything that needs the time is given one, so that tests move time instead of waiting."""

import time
from typing import Protocol

__all__ = ["DAY_SECONDS", "HOUR_SECONDS", "Clock", "ManualClock", "SystemClock", "was_set_back"]

HOUR_SECONDS = 3600
DAY_SECONDS = 24 * HOUR_SECONDS
#: How far apart the clocks of machines that share a store may be.
_CLOCKS_DIFFER_SECONDS = 60


class Clock(Protocol):
    """The current time: moments, which are stored and compared, and what durations in a process are measured by."""

    def now(self) -> int:
        """Return whole seconds since the epoch, UTC. Whoever sets the machine's clock moves it, either way."""
        ...

    def monotonic(self) -> float:
        """Return seconds since some moment. They pass evenly, whatever the machine's clock is set to."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> int:
        """Return whole seconds since the epoch, UTC."""
        return int(time.time())

    def monotonic(self) -> float:
        """Return seconds since some moment."""
        return time.monotonic()


class ManualClock:
    """A clock that stands still until it is moved.

    Args:
        now: Seconds since the epoch it shows at first.
    """

    def __init__(self, now: int = 1_800_000_000) -> None:
        self._now = now
        self._monotonic = 0.0

    def now(self) -> int:
        """Return whole seconds since the epoch, UTC."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds that have passed."""
        return self._monotonic

    def advance(self, seconds: int) -> None:
        """Let so many seconds pass. Negative ones set the clock back, and none pass."""
        self._now += seconds
        self._monotonic += max(0, seconds)

    def set_by(self, seconds: int) -> None:
        """Set the clock forward by so many seconds, or back where negative; none pass."""
        self._now += seconds


def was_set_back(stored_at: int, now: int) -> bool:
    """Return whether a stored moment lies so far ahead that the clock must have been set back since.

    What was stored with it, such as when a token ends, then says nothing.
    """
    return stored_at > now + _CLOCKS_DIFFER_SECONDS
