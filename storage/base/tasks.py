"""Waits that an event ends."""

import asyncio

__all__ = ["first_of", "happens_within"]


async def happens_within(seconds: float, event: asyncio.Event) -> bool:
    """Wait for an event, but no longer than so many seconds; return whether it has happened."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return event.is_set()


async def first_of(*events: asyncio.Event) -> None:
    """Wait until one of these events has happened."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
