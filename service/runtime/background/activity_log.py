"""`ActivityLog`: counts events that cause no write of their own, such as exchanges that WeChat refuses.

The counts add up in memory and are recorded every few seconds, so that a flood of bad codes does not become a flood of
writes. Counts that were not recorded when a process was killed are lost: the figures are for people, not for bills.
"""

import logging
from collections import Counter

from storage.activity import Activity, ActivityKind, hour_of
from storage.base.clock import Clock
from storage.base.errors import StorageError
from storage.base.periodic import Periodic
from storage.store import Capability
from storage.vault import TokenVault

__all__ = ["ActivityLog"]

_EVERY_SECONDS = 5.0

_logger = logging.getLogger(__name__)


class ActivityLog:
    """Adds up and records. Belongs to one event loop.

    Args:
        vault: Where counts are recorded; a store without that capability is left alone.
        clock: For the hour.
        every_seconds: The pause between two records.
    """

    def __init__(self, vault: TokenVault, clock: Clock, *, every_seconds: float = _EVERY_SECONDS) -> None:
        self._vault = vault
        self._clock = clock
        self._records = Capability.ACTIVITY in vault.capabilities
        self._counted: Counter[tuple[int, str, ActivityKind, int]] = Counter()
        self._periodic = Periodic("recording activity", self._flush, every_seconds, pause_first=True)

    def note(self, appid: str, kind: ActivityKind, errcode: int | None) -> None:
        """Count that something happened just now."""
        if self._records:
            self._counted[hour_of(self._clock.now()), appid, kind, errcode or 0] += 1

    def start(self) -> None:
        """Begin to record in the background."""
        self._periodic.start()

    async def stop(self) -> None:
        """Record what is left and end."""
        await self._periodic.stop()
        await self.flush()

    async def flush(self) -> None:
        """Record what was counted. When the store does not answer, it is kept for the next time."""
        try:
            await self._flush()
        except StorageError as error:
            _logger.warning("counts of activity wait for the store: %s", error)

    async def _flush(self) -> None:
        counted, self._counted = self._counted, Counter()
        if not counted:
            return
        try:
            await self._vault.record([Activity(*key, count) for key, count in counted.items()])
        except StorageError:
            self._counted.update(counted)
            raise
