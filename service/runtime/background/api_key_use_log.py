"""`ApiKeyUseLog`: counts what API keys are used for, by day.

The counts add up in memory and are recorded every few seconds. Counts that were not recorded when a process was
killed are lost; the metric has them.
"""

import asyncio
from collections import Counter
from collections.abc import Callable

from service.runtime.background.recorder import RECORD_EVERY_SECONDS, Recorder
from storage.base.clock import DAY_SECONDS, Clock
from storage.base.errors import StorageError
from storage.sql.accounts.api_key_uses import ApiKeyUse, ApiKeyUses, day_of

__all__ = ["ApiKeyUseLog"]

_KEPT_DAYS = 90


class ApiKeyUseLog(Recorder):
    """Adds up and records. Belongs to one event loop.

    Args:
        uses: Where counts are recorded.
        clock: For the day.
        observe: Called with the key's name and the account of each use.
        every_seconds: The pause between two records.
    """

    def __init__(
        self,
        uses: ApiKeyUses,
        clock: Clock,
        observe: Callable[[str, str], None],
        *,
        every_seconds: float = RECORD_EVERY_SECONDS,
    ) -> None:
        super().__init__("recording uses of API keys", every_seconds)
        self._uses = uses
        self._clock = clock
        self._observe = observe
        self._counted: Counter[tuple[int, str, str]] = Counter()
        self._trimmed_on = 0

    def note(self, name: str, appid: str) -> None:
        """Count that a key was answered about a user of an account."""
        self._counted[day_of(self._clock.now()), name, appid] += 1
        self._observe(name, appid)

    async def _flush(self) -> None:
        counted, self._counted = self._counted, Counter()
        if not counted:
            return
        try:
            await asyncio.to_thread(self._uses.add, [ApiKeyUse(*key, count) for key, count in counted.items()])
        except StorageError:
            self._counted.update(counted)
            raise
        today = day_of(self._clock.now())
        if self._trimmed_on != today:
            self._trimmed_on = today
            await asyncio.to_thread(self._uses.trim, today - _KEPT_DAYS * DAY_SECONDS)
