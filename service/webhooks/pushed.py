"""`PushedEvents`: does what an event asks for, once, and writes down that it was done."""

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from service.authorization.profiles import Profiles
from service.tokens.single_flight import SingleFlight
from service.webhooks.messages import AuthorizationEvent, EventKind
from storage.vault import TokenVault

__all__ = ["Done", "PushedEvents", "log_done"]

#: Events that this process remembers, so that one which is delivered again is not done again.
_REMEMBERED = 8192

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Done:
    """What was done about an event, for the audit log.

    Attributes:
        found: Whether there was anything to do it to.
    """

    event: AuthorizationEvent
    found: bool


async def log_done(done: Done) -> None:
    """Write an audit entry to the log."""
    event = done.event
    fields = {"event": event.kind.value, "appid": event.appid, "openid": event.openid, "found": done.found}
    _logger.warning(
        "audit: %s of %s for %s, sent by WeChat: %s",
        event.kind,
        event.openid,
        event.appid,
        "done" if done.found else "there was nothing to do it to",
        extra=fields,
    )


class PushedEvents:
    """Acts on events. Belongs to one event loop.

    Args:
        vault: Where authorizations are kept.
        profiles: What keeps profiles.
        audit: Writes an audit entry down. The effect comes first; an entry that fails has the event delivered again.
    """

    def __init__(
        self, vault: TokenVault, profiles: Profiles, audit: Callable[[Done], Awaitable[None]] = log_done
    ) -> None:
        self._vault = vault
        self._profiles = profiles
        self._audit = audit
        self._flights: SingleFlight[AuthorizationEvent, None] = SingleFlight()
        self._done: OrderedDict[AuthorizationEvent, None] = OrderedDict()

    async def act(self, event: AuthorizationEvent) -> None:
        """Do what an event asks for. However often it is delivered, and to however many at once, it is done once.

        Another process may do it again: erasing and dropping are such that it makes no difference.

        Raises:
            StorageError: The store does not answer; deliver it again.
        """
        if event not in self._done:
            await self._flights.run(event, lambda: self._act_once(event))

    async def drain(self) -> None:
        """Return when everything under way has ended."""
        await self._flights.drain()

    async def _act_once(self, event: AuthorizationEvent) -> None:
        if event.kind is EventKind.PROFILE_MODIFIED:
            found = await self._profiles.forget(event.appid, event.openid)
        else:
            found = await self._vault.erase(event.appid, event.openid)
        await self._audit(Done(event, found))
        self._done[event] = None
        while len(self._done) > _REMEMBERED:
            self._done.popitem(last=False)
