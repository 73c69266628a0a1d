"""Waits that an event ends."""

import asyncio

__all__ = ["happens_within"]


async def happens_within(seconds: float, event: asyncio.Event) -> bool:
    """Wait for an event, but no longer than so many seconds; return whether it has happened."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return event.is_set()
