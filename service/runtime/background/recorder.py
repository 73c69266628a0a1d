"""`Recorder`: what adds up in memory and is recorded every few seconds, so that requests cost no write of their own.

What was not recorded when a process was killed is lost.
"""

import logging
from abc import ABC, abstractmethod

from storage.base.errors import StorageError
from storage.base.periodic import Periodic

__all__ = ["RECORD_EVERY_SECONDS", "Recorder"]

RECORD_EVERY_SECONDS = 5.0

_logger = logging.getLogger(__name__)


class Recorder(ABC):
    """Records in the background, and what is left in the end. Belongs to one event loop.

    Args:
        name: What the log calls the work, as in "recording activity".
        every_seconds: The pause between two records.
    """

    def __init__(self, name: str, every_seconds: float) -> None:
        self._name = name
        self._periodic = Periodic(name, self._flush, every_seconds, pause_first=True)

    def start(self) -> None:
        """Begin to record in the background."""
        self._periodic.start()

    async def stop(self) -> None:
        """Record what is left and end."""
        await self._periodic.stop()
        await self.flush()

    async def flush(self) -> None:
        """Record now. When the store does not answer, everything is kept for the next time."""
        try:
            await self._flush()
        except StorageError as error:
            _logger.warning("%s waits for the store: %s", self._name, error)

    @abstractmethod
    async def _flush(self) -> None:
        """Record what has added up.

        Raises:
            StorageError: The store does not answer; what was to be recorded has been kept.
        """
