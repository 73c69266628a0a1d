"""Waiting that an event can end, and ending what waits."""

import asyncio
from contextlib import suppress

__all__ = ["cancel", "happens_within"]


async def happens_within(seconds: float, event: asyncio.Event) -> bool:
    """Wait for an event, but no longer than so many seconds; tell whether it has happened."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return event.is_set()


async def cancel(task: "asyncio.Task[None]") -> None:
    """Cancel a task and return when it has ended. What it was cancelled out of is not an error."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
