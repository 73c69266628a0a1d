"""`ActivityLog`: counts events that cause no write of their own, such as exchanges that WeChat refuses.

The counts add up in memory and are recorded every few seconds, so that a flood of bad codes does not become a flood of
writes. Counts that were not recorded when a process was killed are lost: the figures are for people, not for bills.
"""

from collections import Counter

from service.runtime.background.recorder import RECORD_EVERY_SECONDS, Recorder
from storage.activity import Activity, ActivityKind, hour_of
from storage.base.clock import Clock
from storage.base.errors import StorageError
from storage.store import Capability
from storage.vault import TokenVault

__all__ = ["ActivityLog"]


class ActivityLog(Recorder):
    """Adds up and records. Belongs to one event loop.

    Args:
        vault: Where counts are recorded; a store without that capability is left alone.
        clock: For the hour.
        every_seconds: The pause between two records.
    """

    def __init__(self, vault: TokenVault, clock: Clock, *, every_seconds: float = RECORD_EVERY_SECONDS) -> None:
        super().__init__("recording activity", every_seconds)
        self._vault = vault
        self._clock = clock
        self._records = Capability.ACTIVITY in vault.capabilities
        self._counted: Counter[tuple[int, str, ActivityKind, int]] = Counter()

    def note(self, appid: str, kind: ActivityKind, errcode: int | None) -> None:
        """Count that something happened just now."""
        if self._records:
            self._counted[hour_of(self._clock.now()), appid, kind, errcode or 0] += 1

    async def _flush(self) -> None:
        counted, self._counted = self._counted, Counter()
        if not counted:
            return
        try:
            await self._vault.record([Activity(*key, count) for key, count in counted.items()])
        except StorageError:
            self._counted.update(counted)
            raise
