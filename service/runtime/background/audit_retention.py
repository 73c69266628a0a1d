"""`AuditRetention`: deletes entries of the audit log that are too old."""

import asyncio
import logging

from storage.base.clock import DAY_SECONDS, HOUR_SECONDS, Clock
from storage.base.periodic import Periodic
from storage.sql.accounts.audit import AuditLog

__all__ = ["AuditRetention"]

_EVERY_SECONDS = HOUR_SECONDS

_logger = logging.getLogger(__name__)


class AuditRetention:
    """Trims the log about once an hour. Several processes may do so at once; each row is deleted once.

    Args:
        clock: For the age of entries.
        days: How long they are kept; 0 keeps them for ever.
        every_seconds: About how often to look.
    """

    def __init__(self, audit: AuditLog, clock: Clock, days: int, *, every_seconds: float = _EVERY_SECONDS) -> None:
        self._audit = audit
        self._clock = clock
        self._days = days
        # Not at the same moment in every process, and not in the first seconds of a start.
        self._periodic = Periodic("trimming the audit log", self._round, every_seconds, spread=0.5, pause_first=True)

    def start(self) -> None:
        """Begin, if there is anything to do."""
        if self._days:
            self._periodic.start()

    @property
    def is_trimming(self) -> bool:
        """Whether it looks at the log from time to time."""
        return self._periodic.started

    async def stop(self) -> None:
        """End. A transaction under way is finished."""
        await self._periodic.stop()

    async def trim(self) -> int:
        """Delete what is too old now; return how many entries there were."""
        return await asyncio.to_thread(self._audit.trim, self._clock.now() - self._days * DAY_SECONDS)

    async def _round(self) -> None:
        deleted = await self.trim()
        if deleted:
            _logger.info("deleted %d entries of the audit log, older than %d days", deleted, self._days)
