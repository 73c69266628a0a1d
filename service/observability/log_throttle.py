"""`LogThrottle`: keeps events of every request from filling the log."""

import time
from collections.abc import Hashable

__all__ = ["LogThrottle"]


class LogThrottle:
    """Passes one line per interval for each of a closed set of keys.

    Args:
        every_seconds: How long the next line of the same key is held back.
    """

    def __init__(self, every_seconds: float = 60.0) -> None:
        self._every_seconds = every_seconds
        self._passed_at: dict[Hashable, float] = {}

    def passes(self, key: Hashable) -> bool:
        """Return whether a line is to be logged now."""
        now = time.monotonic()
        passed_at = self._passed_at.get(key)
        if passed_at is not None and now - passed_at < self._every_seconds:
            return False
        self._passed_at[key] = now
        return True
