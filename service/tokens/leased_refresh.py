"""One refresh for processes that share a row: whoever gets its lease refreshes, the others wait for that."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["LeasedRefresh"]

R = TypeVar("R")
L = TypeVar("L")

#: Pauses before each new look at a row whose lease somebody else holds; together the longest wait.
_WAIT_FOR_WINNER_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 0.8, 0.8, 0.8)


@dataclass(frozen=True, slots=True)
class LeasedRefresh(Generic[R, L]):
    """What is done with a row until it is the answer.

    Attributes:
        is_settled: Returns whether a row is the answer as it is; raises where there is to be none.
        claim: Leases the row, or gives None.
        refresh: Does the work under the lease, ends that, and returns the row as it is then.
        read: Reads the row again.
        give_up: Makes the answer of a row whose lease somebody holds for longer than a caller waits, or raises.
    """

    is_settled: Callable[[R], bool]
    claim: Callable[[], Awaitable[L | None]]
    refresh: Callable[[L], Awaitable[R]]
    read: Callable[[], Awaitable[R]]
    give_up: Callable[[R], R]

    async def run(self, row: R) -> R:
        """Refresh, or wait for another refresh to end, and return the row as it is then."""
        for pause in (0.0, *_WAIT_FOR_WINNER_SECONDS):
            await asyncio.sleep(pause)
            if self.is_settled(row):
                return row
            lease = await self.claim()
            if lease is not None:
                return await self.refresh(lease)
            row = await self.read()
        return self.give_up(row)
