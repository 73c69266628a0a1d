"""`ApiKeyUseLog`: counts what API keys are used for, by day.

The counts add up in memory and are recorded every few seconds. Counts that were not recorded when a process was
killed are lost; the metric has them.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

from storage.base.clock import DAY_SECONDS, Clock
from storage.base.errors import StorageError
from storage.base.periodic import Periodic
from storage.sql.accounts.api_key_uses import ApiKeyUse, ApiKeyUses, day_of

__all__ = ["ApiKeyUseLog"]

_EVERY_SECONDS = 5.0
_KEPT_DAYS = 90

_logger = logging.getLogger(__name__)


class ApiKeyUseLog:
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
        every_seconds: float = _EVERY_SECONDS,
    ) -> None:
        self._uses = uses
        self._clock = clock
        self._observe = observe
        self._counted: Counter[tuple[int, str, str]] = Counter()
        self._trimmed_on = 0
        self._periodic = Periodic("recording uses of API keys", self._flush, every_seconds, pause_first=True)

    def note(self, name: str, appid: str) -> None:
        """Count that a key was answered about a user of an account."""
        self._counted[day_of(self._clock.now()), name, appid] += 1
        self._observe(name, appid)

    def start(self) -> None:
        """Begin to record in the background."""
        self._periodic.start()

    async def stop(self) -> None:
        """Record what is left and end."""
        await self._periodic.stop()
        await self.flush()

    async def flush(self) -> None:
        """Record what was counted. When the database does not answer, it is kept for the next time."""
        try:
            await self._flush()
        except StorageError as error:
            _logger.warning("counts of API keys wait for the database: %s", error)

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
