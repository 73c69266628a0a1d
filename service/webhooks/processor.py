"""`EventProcessor`: acts on each event once, and records that."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from service.authorization.profiles import Profiles
from service.tokens.single_flight import SingleFlight
from service.webhooks.messages import AuthorizationEvent, EventKind
from service.webhooks.signed_query import LONGEST_AHEAD_SECONDS, OLDEST_SECONDS
from service.wechat.endpoints import REFRESH_TOKEN_SECONDS
from service.wechat.errcodes import Kind
from storage.base.clock import Clock
from storage.base.errors import StorageError, StoreBusy
from storage.sql.accounts.audit import AuditAction, AuditResult, NewAuditEntry
from storage.sql.work.event_deliveries import DeliveryState, EventDeliveries
from storage.users import Authorization
from storage.vault import TokenVault

__all__ = ["EventProcessor"]

T = TypeVar("T")

#: An event that was claimed so long ago is refused as too old by now.
_KEPT_SECONDS = OLDEST_SECONDS + LONGEST_AHEAD_SECONDS

#: How long the end of a grant may take. Nothing is asked of WeChat meanwhile.
_LEASE_SECONDS = 5

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Effect:
    """The effect of an event: the action, whether the user was known, and whether their authorization is newer."""

    action: AuditAction
    found: bool
    is_newer: bool = False


class EventProcessor:
    """Acts on events. Belongs to one event loop.

    Args:
        deliveries: Records which events have been acted on, in all processes.
        clock: For the times of entries.
        wait_seconds: How long to wait for another process that is acting on the same event.
        poll_seconds: How often to check whether it is done.
    """

    def __init__(
        self,
        vault: TokenVault,
        profiles: Profiles,
        deliveries: EventDeliveries,
        clock: Clock,
        *,
        wait_seconds: float = 4.0,
        poll_seconds: float = 0.1,
    ) -> None:
        self._vault = vault
        self._profiles = profiles
        self._deliveries = deliveries
        self._clock = clock
        self._wait_seconds = wait_seconds
        self._poll_seconds = poll_seconds
        self._flights: SingleFlight[AuthorizationEvent, None] = SingleFlight()

    async def process(self, event: AuthorizationEvent) -> None:
        """Do what an event asks for; when this returns, that and its audit entry are committed.

        However often an event is delivered, to however many processes, and whether or not one of them is killed
        meanwhile, it is done once.

        Raises:
            StorageError: It is not done; deliver it again.
        """
        await self._flights.run(event, lambda: self._process_once(event))

    async def drain(self) -> None:
        """Return when everything under way has ended."""
        await self._flights.drain()

    async def _process_once(self, event: AuthorizationEvent) -> None:
        owner = secrets.token_hex(16)
        if not await self._claim(event, owner):
            return
        try:
            effect = await self._act(event)
            now = self._clock.now()
            entry = _audit_entry(event, effect, now)
            is_first = await _in_thread(lambda: self._deliveries.finish(event.digest, owner, now, entry))
        except StorageError:
            with suppress(StorageError):  # then the claim ends by its time
                await _in_thread(lambda: self._deliveries.release(event.digest, owner))
            raise
        if is_first:
            _log(event, effect)

    async def _claim(self, event: AuthorizationEvent, owner: str) -> bool:
        """Return whether this process is to act on an event. If another one is acting on it, wait for that."""
        await _in_thread(lambda: self._deliveries.trim(self._clock.now() - _KEPT_SECONDS))
        deadline = time.monotonic() + self._wait_seconds
        while True:
            state = await _in_thread(lambda: self._deliveries.claim(event.digest, owner, self._clock.now()))
            if state is not DeliveryState.UNDER_WAY:
                return state is DeliveryState.CLAIMED
            if time.monotonic() >= deadline:
                raise StoreBusy("another process is acting on the same event")
            await asyncio.sleep(self._poll_seconds)

    async def _act(self, event: AuthorizationEvent) -> _Effect:
        user = event.appid, event.openid
        if event.erases:
            # Who authorizes in the very second of the event is erased: whichever came first, nothing is kept that
            # should not be, and the user can authorize again.
            if await self._vault.erase(*user, authorized_before=event.happened_at + 1):
                return _Effect(AuditAction.USER_ERASE, found=True)
            row = await self._vault.get(*user)
            if row is None:
                return _Effect(AuditAction.USER_ERASE, found=False)
            if _has_grant_to_end(row, event):
                await self._end_grant(event)
        found = await self._profiles.forget(*user)
        return _Effect(AuditAction.USER_PROFILE_DROP, found, is_newer=event.erases)

    async def _end_grant(self, event: AuthorizationEvent) -> None:
        """Let the silent grant that is held beside an older one take its place, as if WeChat had refused the older."""
        lease = await self._vault.claim(event.appid, event.openid, _LEASE_SECONDS)
        if lease is None:
            raise StoreBusy("the user's token is being refreshed")
        if _has_grant_to_end(lease.authorization, event):
            rejected = lease.rejected(error_code=None, error_kind=Kind.REAUTHORIZE, at=self._clock.now())
            is_settled = await self._vault.settle(rejected)
        else:
            is_settled = await self._vault.settle(lease.released())
        if not is_settled:
            raise StoreBusy("the user has authorized meanwhile")


def _has_grant_to_end(row: Authorization, event: AuthorizationEvent) -> bool:
    """Return whether a silent login alone has made the user newer than an event, and the tokens in use are older.

    The time of the grant in use is not kept, but its refresh token's end tells the latest it can have been: a token
    that was replaced since then cannot be of a grant that the user had taken back.
    """
    return row.fallback is not None and row.refresh_expires_at - REFRESH_TOKEN_SECONDS <= event.happened_at


async def _in_thread(call: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(None, call)


def _audit_entry(event: AuthorizationEvent, effect: _Effect, now: int) -> NewAuditEntry | None:
    """Return the audit entry of an event; None for a changed profile, which is no more than one that has expired."""
    if event.kind is EventKind.PROFILE_MODIFIED:
        return None
    details = {"reason": event.kind.value}
    if event.revoke_info:
        details["revoke_info"] = event.revoke_info
    if effect.is_newer:
        details["kept"] = "newer_authorization"
    return NewAuditEntry(
        at=now,
        operator="",  # WeChat asked for it, on behalf of the user; no operator had a hand in it
        action=effect.action,
        result=AuditResult.SUCCESS,
        appid=event.appid,
        openid=event.openid,
        details=details,
    )


def _log(event: AuthorizationEvent, effect: _Effect) -> None:
    if effect.is_newer:
        outcome = "the authorization is newer than that; its profile was dropped"
    else:
        outcome = "done" if effect.found else "there was nothing to do it to"
    _logger.warning(
        "audit: %s of %s for %s, sent by WeChat: %s",
        event.kind,
        event.openid,
        event.appid,
        outcome,
        extra={
            "event": event.kind.value,
            "appid": event.appid,
            "openid": event.openid,
            "revoke_info": event.revoke_info,
            "found": effect.found,
        },
    )
