"""`InFlight`: the requests that are under way, so that a stopping server can wait for their answers."""

import asyncio

__all__ = ["InFlight"]


class InFlight:
    """Counts the requests that are under way. Belongs to one event loop."""

    def __init__(self) -> None:
        self._requests: set[object] = set()
        self._none = asyncio.Event()
        self._none.set()

    def enter(self, request: object) -> None:
        """Note that a request has begun."""
        self._requests.add(request)
        self._none.clear()

    def leave(self, request: object) -> None:
        """Note that a request is answered. One that never began, such as of an unknown method, changes nothing."""
        self._requests.discard(request)
        if not self._requests:
            self._none.set()

    async def ended(self) -> None:
        """Return when no request is under way."""
        await self._none.wait()
