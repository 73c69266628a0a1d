"""`TokenManager`: live tokens, refreshed on use.

Callers in one process share one call, processes share a lease: however many ask at once, WeChat is asked once. Nor does
asking again and again make the service ask WeChat each time, whether the last refresh failed or succeeded.
"""

import logging
from dataclasses import dataclass, field

from service.tokens.leased_refresh import LeasedRefresh
from service.tokens.refresh_policy import RefreshPolicy
from service.tokens.refresher import Refresh, RefreshResult, TokenRefresher
from service.tokens.single_flight import SingleFlight
from service.tokens.unavailable import Unavailable, UnavailableReason
from storage.base.clock import HOUR_SECONDS, Clock, was_set_back
from storage.base.errors import SealError, StorageError
from storage.leases import Lease
from storage.users import Authorization, Status, Use
from storage.vault import TokenVault

__all__ = ["NoAuthorization", "TokenManager", "TokenUnavailable", "ValidToken"]

#: A use is written down at most this often for each user.
_NOTE_USE_SECONDS = HOUR_SECONDS

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ValidToken:
    """An access token that WeChat accepts until `expires_at`."""

    access_token: str = field(repr=False)
    expires_at: int
    scope: str


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a caller asks for: how long the token must live, and whether WeChat has refused the stored one."""

    minimum_seconds: int
    refused: Authorization | None


class NoAuthorization(Exception):
    """There is nothing to refresh: the user is unknown, must authorize again, or was revoked.

    Attributes:
        status: None when the user is unknown.
    """

    def __init__(self, appid: str, openid: str, status: Status | None) -> None:
        super().__init__(f"{openid} of {appid}: {status or 'not known here'}")
        self.appid = appid
        self.openid = openid
        self.status = status


class TokenUnavailable(Unavailable):
    """A user's token has expired, or WeChat refused it, and there is no other just now."""

    def __init__(
        self, appid: str, openid: str, retry_after: int, reason: UnavailableReason, errcode: int | None = None
    ) -> None:
        super().__init__(f"token for {openid} of {appid}", retry_after, reason, errcode)
        self.appid = appid
        self.openid = openid
        self.reason: UnavailableReason = reason


#: Why there is no token where a refresh ended so, other than that it failed.
_UNAVAILABLE_AFTER = {
    RefreshResult.PAUSED: UnavailableReason.ACCOUNT_PAUSED,
    RefreshResult.SUPERSEDED: UnavailableReason.REFRESH_IN_PROGRESS,
}


class TokenManager:
    """Gives valid tokens. Belongs to one event loop.

    Args:
        policy: When to refresh.
        lease_ttl: Seconds a lease lasts; longer than a call to WeChat may take.
    """

    def __init__(
        self,
        vault: TokenVault,
        refresher: TokenRefresher,
        clock: Clock,
        policy: RefreshPolicy,
        *,
        lease_ttl: int = 15,
    ) -> None:
        self._vault = vault
        self._refresher = refresher
        self._clock = clock
        self._policy = policy
        self._lease_ttl = lease_ttl
        self._flights: SingleFlight[tuple[str, str, bool], Authorization] = SingleFlight()

    async def get_valid_token(
        self, appid: str, openid: str, minimum_seconds: int = 300, *, refused: bool = False
    ) -> ValidToken:
        """Return a live access token, refreshing it if it would end within `minimum_seconds`.

        However many callers ask in however many processes, WeChat is asked once. When a refresh fails, was done a
        moment ago, or is somebody else's and takes too long, a token that still lives is returned although it ends
        sooner; but never one that was refused.

        Args:
            appid: The account.
            openid: The user.
            minimum_seconds: How long the token must live on.
            refused: WeChat has refused the token that is stored: refresh it though it should live long enough. What
                is returned then is another token, or the same one if WeChat has confirmed it by the refresh.

        Raises:
            NoAuthorization: The user must authorize (again).
            TokenUnavailable: There is none and no refresh now; it says when to ask again.
            StorageError: The store does not answer, or the tokens do not open.
        """
        authorization = await self._active(appid, openid)
        wanted = _Wanted(minimum_seconds, authorization if refused else None)
        if not self._serves(authorization, wanted):
            authorization = await self._flights.run(
                (appid, openid, refused), lambda: self._obtain(authorization, wanted)
            )
        await self._note_use(authorization)
        tokens = self._vault.open(authorization)
        return ValidToken(tokens.access_token, authorization.expires_at, authorization.scope)

    async def refresh_now(self, appid: str, openid: str) -> Refresh:
        """Refresh a user's token at once, however long it lives on and whatever failed before, and say how it went.

        Raises:
            NoAuthorization: The user must authorize (again).
            TokenUnavailable: Somebody else is refreshing it just now.
            StorageError: The store does not answer, or the tokens do not open.
        """
        await self._active(appid, openid)
        lease = await self._vault.claim(appid, openid, self._lease_ttl)
        if lease is None:
            raise TokenUnavailable(appid, openid, 1, UnavailableReason.REFRESH_IN_PROGRESS)
        return await self._refresh_or_release(lease)

    async def drain(self) -> None:
        """Return when every refresh on use that is under way has ended."""
        await self._flights.drain()

    async def _active(self, appid: str, openid: str) -> Authorization:
        authorization = await self._vault.get(appid, openid)
        if authorization is None:
            raise NoAuthorization(appid, openid, None)
        if authorization.status is not Status.ACTIVE:
            raise NoAuthorization(appid, openid, authorization.status)
        return authorization

    def _ends_within(self, seconds: int, authorization: Authorization) -> bool:
        """Return whether its access token ends, or may have ended already by a clock that was right."""
        now = self._clock.now()
        return authorization.expires_at - now <= seconds or was_set_back(authorization.obtained_at, now)

    def _is_refused(self, row: Authorization, wanted: _Wanted) -> bool:
        """Return whether a row holds the token that was refused, and WeChat has not confirmed it by a refresh since."""
        refused = wanted.refused
        if refused is None or row.refreshed_at != refused.refreshed_at:
            return False
        return self._vault.open(row).access_token == self._vault.open(refused).access_token

    def _serves(self, authorization: Authorization, wanted: _Wanted) -> bool:
        return not self._ends_within(wanted.minimum_seconds, authorization) and not self._is_refused(
            authorization, wanted
        )

    async def _obtain(self, row: Authorization, wanted: _Wanted) -> Authorization:
        """Refresh, or wait for another refresh to end, and return the row as it is then."""
        user = row.appid, row.openid
        refresh: LeasedRefresh[Authorization, Lease] = LeasedRefresh(
            is_settled=lambda found: self._is_settled(found, wanted),
            claim=lambda: self._vault.claim(*user, self._lease_ttl),
            refresh=lambda lease: self._refresh_leased(lease, wanted),
            read=lambda: self._active(*user),
            give_up=lambda found: self._use_while_valid(found, wanted, 1, UnavailableReason.REFRESH_IN_PROGRESS),
        )
        return await refresh.run(row)

    def _is_settled(self, row: Authorization, wanted: _Wanted) -> bool:
        """Return whether a row is the answer as it is, because it serves or because WeChat is not to be asked now.

        Raises:
            TokenUnavailable: It is too early to ask WeChat again, and the row gives nothing.
        """
        if self._serves(row, wanted):
            return True
        after_failure = self._policy.wait_after_failure(row, self._clock.now())
        if after_failure is not None:
            wait = after_failure
            reason, errcode = UnavailableReason.WAITING_AFTER_FAILURE, row.last_error_code
        else:
            wait = self._policy.refresh_again_seconds if self._was_just_refreshed(row) else 0
            reason, errcode = UnavailableReason.JUST_REFRESHED, None
        if wait > 0:
            self._use_while_valid(row, wanted, wait, reason, errcode)
        return wait > 0

    def _was_just_refreshed(self, row: Authorization) -> bool:
        """Return whether the token that the row holds was renewed so lately that WeChat has no better one.

        A user who has authorized since may have ended it by that. A token that lived shorter still is renewed at once.
        """
        return (
            row.refreshed_at is not None
            # Of a login within the same second, a grant that is held beside the refreshed one tells.
            and row.refreshed_at >= row.authorized_at + (row.fallback is not None)
            and self._clock.now() - row.refreshed_at < self._policy.refresh_again_seconds
            and not self._ends_within(0, row)
        )

    async def _refresh_leased(self, lease: Lease, wanted: _Wanted) -> Authorization:
        row = lease.authorization
        # Somebody else may have refreshed it, or failed to, before the lease was free.
        try:
            is_settled = self._is_settled(row, wanted)
        except TokenUnavailable:
            await self._vault.settle(lease.released())
            raise
        if is_settled:
            await self._vault.settle(lease.released())
            return row
        refresh = await self._refresh_or_release(lease)
        current = await self._active(row.appid, row.openid)
        if refresh.result is RefreshResult.REFRESHED or self._serves(current, wanted):
            return current
        if refresh.result is RefreshResult.FELL_BACK:
            return await self._obtain(current, wanted)  # once: there is nothing behind the grant that took over
        now = self._clock.now()
        wait = self._policy.retry_on_use_at(now, current.next_refresh_at) - now
        reason = _UNAVAILABLE_AFTER.get(refresh.result, UnavailableReason.REFRESH_FAILED)
        errcode = refresh.error.errcode if refresh.error is not None else None
        return self._use_while_valid(current, wanted, wait, reason, errcode)

    async def _refresh_or_release(self, lease: Lease) -> Refresh:
        """Refresh; if the tokens do not open, release the lease at once: other callers may wait for it."""
        try:
            return await self._refresher.refresh(lease)
        except SealError:
            await self._vault.settle(lease.released())
            raise

    def _use_while_valid(
        self,
        row: Authorization,
        wanted: _Wanted,
        retry_after: int,
        reason: UnavailableReason,
        errcode: int | None = None,
    ) -> Authorization:
        """Fall back on the token at hand if it has not expired and was not refused."""
        if self._ends_within(0, row) or self._is_refused(row, wanted):
            raise TokenUnavailable(row.appid, row.openid, retry_after, reason, errcode)
        return row

    async def _note_use(self, authorization: Authorization) -> None:
        """Write down, now and then, that the user is active, and put a token that was left to use on schedule again."""
        now = self._clock.now()
        unscheduled = authorization.next_refresh_at is None and self._policy.is_active(now, now)
        if now - authorization.last_used_at >= _NOTE_USE_SECONDS or unscheduled:
            next_refresh_at = self._policy.next_refresh_at(now, authorization.expires_at, last_used_at=now)
            try:
                await self._vault.touch(Use(authorization.appid, authorization.openid, now, next_refresh_at))
            except StorageError as error:
                # The caller has a live token; that its use was not written down is no reason to withhold it.
                _logger.warning("a use of %s was not written down: %s", authorization.openid, error)
