"""`VisitorSessions`: begins, checks and ends the sessions of visitors.

A session stands in its cookie and costs nothing where a code is posted. Where it is used, to show whose it is, it is
compared with what has become of its user: signing out ends it, and so does revoking or erasing the authorization. Every
copy of its cookie ends with it.
"""

import asyncio

from service.authorization.sessions import SESSION_DAYS, Session
from storage.base.clock import DAY_SECONDS, HOUR_SECONDS, Clock
from storage.sql.accounts.session_ends import SessionEnds
from storage.users import Status
from storage.vault import TokenVault

__all__ = ["VisitorSessions"]


class VisitorSessions:
    """The sessions of all users. Belongs to one event loop.

    Args:
        ends: The users whose sessions were ended, and when.
    """

    def __init__(self, ends: SessionEnds, vault: TokenVault, clock: Clock) -> None:
        self._ends = ends
        self._vault = vault
        self._clock = clock
        self._trim_at = 0

    def begin(self, appid: str, openid: str) -> Session:
        """Return the session of a user who has just signed in."""
        # Sessions that were ended within this second have begun before the next: one that begins after them does, too.
        signed_in_at = max(self._clock.now(), self._ends.noted_here(appid, openid))
        return Session.of_user(appid, openid, signed_in_at)

    async def is_good(self, appid: str, openid: str, signed_in_at: int) -> bool:
        """Return whether a user who signed in at a moment is still signed in.

        Raises:
            StoreUnavailable: That cannot be told now.
        """
        authorization, not_before = await asyncio.gather(
            self._vault.get(appid, openid), asyncio.to_thread(self._ends.not_before, appid, openid)
        )
        return (
            authorization is not None
            and authorization.status is not Status.REVOKED
            and signed_in_at >= max(authorization.first_authorized_at, not_before)
        )

    async def sign_out(self, appid: str, openid: str) -> None:
        """End all sessions of a user, in whichever browser.

        Raises:
            StoreUnavailable: They cannot be ended now.
        """
        now = self._clock.now()
        await asyncio.to_thread(self._ends.end, appid, openid, now)
        if now >= self._trim_at:
            self._trim_at = now + HOUR_SECONDS
            await asyncio.to_thread(self._ends.trim, now - (SESSION_DAYS + 1) * DAY_SECONDS)
