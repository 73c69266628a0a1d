"""`AuditRetention`: deletes what the audit log need not keep any longer."""

import asyncio
import logging
import random

from storage.base.clock import Clock
from storage.base.errors import StorageError
from storage.base.tasks import cancel
from storage.sql.accounts.audit import AuditLog

__all__ = ["AuditRetention"]

_DAY_SECONDS = 86_400
_EVERY_SECONDS = 3600

_logger = logging.getLogger(__name__)


class AuditRetention:
    """Trims the log about once an hour. Several processes may do so at once; each row is deleted once.

    Args:
        audit: The log.
        clock: What entries grow old by.
        days: How long they are kept; 0 keeps them for ever.
    """

    def __init__(self, audit: AuditLog, clock: Clock, days: int) -> None:
        self._audit = audit
        self._clock = clock
        self._days = days
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, if there is anything to do."""
        if self._days and self._task is None:
            self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End. A transaction under way is finished."""
        if self._task is not None:
            await cancel(self._task)
            self._task = None

    async def trim(self) -> int:
        """Delete what is too old now; return how many entries there were."""
        return await asyncio.to_thread(self._audit.trim, self._clock.now() - self._days * _DAY_SECONDS)

    async def _run(self) -> None:
        while True:
            # Not at the same moment in every process, and not in the first seconds of a start.
            await asyncio.sleep(_EVERY_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 - only spreads the load
            try:
                deleted = await self.trim()
            except StorageError as error:
                _logger.warning("the audit log was not trimmed: %s", error)
                continue
            if deleted:
                _logger.info("deleted %d entries of the audit log, older than %d days", deleted, self._days)
