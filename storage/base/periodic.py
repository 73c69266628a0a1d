"""`Periodic`: work that is repeated in the background of an event loop, until it is told to stop."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from storage.base.errors import StorageError
from storage.base.tasks import happens_within

__all__ = ["Periodic"]

_logger = logging.getLogger(__name__)


class Periodic:
    """Repeats a piece of work. Belongs to one event loop.

    A round that fails is logged and does not end the repetition. While the store is out of reach, one line tells when
    that began and one when it is over, with the number of rounds between them.

    Args:
        name: What the log calls the work.
        work: One round; True asks for the next round without a pause.
        every_seconds: The pause between two rounds.
        spread: By which part each pause is lengthened or shortened at random, so that processes do not move in step.
        pause_first: Whether the first round comes after a pause.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], Awaitable[bool | None]],
        every_seconds: float,
        *,
        spread: float = 0.0,
        pause_first: bool = False,
    ) -> None:
        self._name = name
        self._work = work
        self._every_seconds = every_seconds
        self._spread = spread
        self._pause_first = pause_first
        self._rounds_failed = 0
        self._task: asyncio.Task[None] | None = None
        #: Set when the work is to end; a long round looks at it.
        self.stopping = asyncio.Event()

    @property
    def started(self) -> bool:
        """Whether `start` was called."""
        return self._task is not None

    def start(self) -> None:
        """Begin in the background; a second call changes nothing."""
        if self._task is None:
            self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """Return when the round under way has ended; no other begins."""
        self.stopping.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        if self._pause_first:
            await self._pause()
        while not self.stopping.is_set():
            if not await self._round():
                await self._pause()

    async def _pause(self) -> None:
        part = 1 + random.uniform(-self._spread, self._spread)  # noqa: S311 - jitter, not a secret
        await happens_within(self._every_seconds * part, self.stopping)

    async def _round(self) -> bool:
        """Do one round; return whether the next is to come at once."""
        try:
            again = await self._work()
        except StorageError as error:
            if not self._rounds_failed:
                _logger.warning("%s is held up: %s", self._name, error)
            self._rounds_failed += 1
            return False
        except Exception:
            # Whatever it was, the work must go on when the next round comes.
            _logger.exception("%s failed", self._name)
            return False
        if self._rounds_failed:
            _logger.warning("%s goes on after %d rounds", self._name, self._rounds_failed)
            self._rounds_failed = 0
        return bool(again)
