"""`TokenManager`: live tokens for whoever needs them, and the one procedure that refreshes.

Two refreshes of one token at once leave it open which result is good, so a refresh happens only under the row's lease,
and what it gives is written only if the row has not changed hands since.
"""

import asyncio
import logging
from dataclasses import dataclass, field
from enum import StrEnum

from service.tokens.breaker import AccountPaused, Breaker
from service.tokens.refresh_policy import RefreshPolicy
from service.tokens.single_flight import SingleFlight
from service.wechat.client import WeChatClient
from service.wechat.endpoints import REFRESH_TOKEN_SECONDS, Endpoint
from service.wechat.errcodes import Kind
from service.wechat.errors import WeChatError, WeChatFault
from service.wechat.protocol import TokenReply
from storage.base.clock import Clock
from storage.base.errors import SealError, StorageError
from storage.leases import Lease, Outcome
from storage.sealing import Tokens
from storage.users import Authorization, Status, Use
from storage.vault import TokenVault

__all__ = [
    "NoAuthorization",
    "Refresh",
    "RefreshResult",
    "TokenManager",
    "TokenUnavailable",
    "UnavailableReason",
    "ValidToken",
]

#: A use is written down at most this often for each user.
_NOTE_USE_SECONDS = 3600
#: Pauses before each new look at a row whose lease somebody else holds; together the longest wait.
_WAIT_FOR_WINNER_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 0.8, 0.8, 0.8)

#: WeChat's errcode that fits a grant which cannot be refreshed any more.
_REFRESH_TOKEN_EXPIRED = 42002

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ValidToken:
    """An access token that WeChat accepts until `expires_at`."""

    access_token: str = field(repr=False)
    expires_at: int
    scope: str


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


class UnavailableReason(StrEnum):
    """Why a token cannot be refreshed just now."""

    WAITING_AFTER_FAILURE = "the last refresh failed, and the next one waits"
    REFRESH_IN_PROGRESS = "somebody else is refreshing it"
    REFRESH_FAILED = "the refresh failed"
    ACCOUNT_PAUSED = "the account's calls pause"


class TokenUnavailable(Exception):
    """The token has expired and cannot be refreshed just now.

    Attributes:
        retry_after: Seconds after which asking again makes sense.
        errcode: WeChat's answer to the refresh that failed, if it gave a number.
    """

    def __init__(
        self, appid: str, openid: str, retry_after: int, reason: UnavailableReason, errcode: int | None = None
    ) -> None:
        because = reason if errcode is None else f"{reason} (errcode {errcode})"
        super().__init__(f"no live token for {openid} of {appid}: {because}")
        self.appid = appid
        self.openid = openid
        self.retry_after = max(1, retry_after)
        self.reason = reason
        self.errcode = errcode


class RefreshResult(StrEnum):
    """How one refresh ended."""

    REFRESHED = "refreshed"
    REAUTHORIZATION_NEEDED = "reauthorization_needed"
    FAILED = "failed"
    #: The account's calls pause; no row was touched.
    PAUSED = "paused"
    #: A newer grant, or another holder, had the last word; nothing was written.
    SUPERSEDED = "superseded"
    #: Nobody used the token for long; from now on it is refreshed on use.
    LEFT_TO_USE = "left_to_use"


@dataclass(frozen=True, slots=True)
class Refresh:
    """What one refresh did, for counting and for saying why."""

    result: RefreshResult
    error: WeChatError | None = None


#: Why there is no token where a refresh ended so, other than that it failed.
_UNAVAILABLE_AFTER = {
    RefreshResult.PAUSED: UnavailableReason.ACCOUNT_PAUSED,
    RefreshResult.SUPERSEDED: UnavailableReason.REFRESH_IN_PROGRESS,
}


class TokenManager:
    """Keeps tokens alive. Belongs to one event loop.

    Args:
        vault: Where authorizations are kept.
        client: What asks WeChat.
        breaker: What knows the accounts whose calls cannot succeed.
        clock: What tells the time.
        policy: When to refresh.
        lease_ttl: Seconds a lease lasts; longer than a call to WeChat may take.
    """

    def __init__(
        self,
        vault: TokenVault,
        client: WeChatClient,
        breaker: Breaker,
        clock: Clock,
        policy: RefreshPolicy,
        *,
        lease_ttl: int = 15,
    ) -> None:
        self._vault = vault
        self._client = client
        self._breaker = breaker
        self._clock = clock
        self._policy = policy
        self._lease_ttl = lease_ttl
        self._flights: SingleFlight[tuple[str, str], Authorization] = SingleFlight()

    async def get_valid_token(
        self, appid: str, openid: str, minimum_seconds: int = 300, *, force: bool = False
    ) -> ValidToken:
        """Return a live access token, refreshing it if it would end within `minimum_seconds`.

        However many callers ask in however many processes, WeChat is asked once. When a refresh fails or somebody
        else's takes too long, a token that still lives is returned although it ends sooner.

        Args:
            appid: The account.
            openid: The user.
            minimum_seconds: How long the token must live on.
            force: Refresh even a token that lives long enough, and in spite of a pause after failures.

        Raises:
            NoAuthorization: The user must authorize (again).
            TokenUnavailable: It has expired and cannot be refreshed now; it says when to ask again.
            StorageError: The store does not answer, or the tokens do not open.
        """
        authorization = await self._active(appid, openid)
        if force or self._ends_within(minimum_seconds, authorization):
            authorization = await self._flights.run(
                (appid, openid), lambda: self._refresh_on_use(authorization, minimum_seconds, force=force)
            )
        await self._note_use(authorization)
        tokens = self._vault.open(authorization)
        return ValidToken(tokens.access_token, authorization.expires_at, authorization.scope)

    async def refresh(self, lease: Lease) -> Refresh:
        """Refresh a leased authorization, write the result and end the lease. This is the only way a token is renewed.

        What the outcome means for the row is decided by the kind of WeChat's answer. A configuration error, a
        missing key, or a pause of the account leaves the row as it was.

        Raises:
            StoreUnavailable: The store does not answer; the lease ends by itself.
            SealError: The tokens do not open. The row is untouched and the lease still held: until it ends by itself,
                a schedule does not trip over the same row again and again.
        """
        tokens = self._vault.open(lease.authorization)
        if not tokens.refresh_token:
            return await self._settle_unrefreshable(lease)
        try:
            self._breaker.check(lease.authorization.appid, Endpoint.REFRESH)
        except AccountPaused:
            await self._vault.settle(lease.released())
            return Refresh(RefreshResult.PAUSED)
        asked_at = self._clock.now()
        try:
            reply = await self._ask(lease.authorization, tokens)
        except WeChatError as error:
            self._breaker.note(error)
            return await self._settle_failure(lease, error)
        written = await self._vault.settle(self._renewed(lease, tokens, reply, asked_at))
        return Refresh(RefreshResult.REFRESHED if written else RefreshResult.SUPERSEDED)

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

    async def refresh_if_active(self, lease: Lease) -> Refresh:
        """Refresh an authorization that the schedule says is due, unless its user has not been seen for long."""
        authorization = lease.authorization
        if not self._policy.is_active(self._clock.now(), authorization.last_used_at):
            await self._vault.settle(lease.deferred(next_refresh_at=None))
            return Refresh(RefreshResult.LEFT_TO_USE)
        return await self.refresh(lease)

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
        return authorization.expires_at - self._clock.now() <= seconds

    async def _refresh_on_use(self, seen: Authorization, minimum_seconds: int, *, force: bool) -> Authorization:
        """Refresh, or wait for whoever is refreshing, and return the row as it is then."""
        now = self._clock.now()
        if seen.refresh_failures and seen.last_error_at is not None and not force:
            retry_at = self._policy.retry_on_use_at(seen.last_error_at, seen.next_refresh_at)
            if retry_at > now:
                return self._use_while_valid(
                    seen, retry_at - now, UnavailableReason.WAITING_AFTER_FAILURE, seen.last_error_code
                )
        current = seen
        for pause in (0.0, *_WAIT_FOR_WINNER_SECONDS):
            await asyncio.sleep(pause)
            lease = await self._vault.claim(seen.appid, seen.openid, self._lease_ttl)
            if lease is not None:
                return await self._refresh_leased(
                    lease, minimum_seconds, force=force and current.version == seen.version
                )
            current = await self._active(seen.appid, seen.openid)
            if current.version != seen.version and not self._ends_within(minimum_seconds, current):
                return current
        return self._use_while_valid(current, 1, UnavailableReason.REFRESH_IN_PROGRESS)

    async def _refresh_leased(self, lease: Lease, minimum_seconds: int, *, force: bool) -> Authorization:
        authorization = lease.authorization
        if not force and not self._ends_within(minimum_seconds, authorization):
            await self._vault.settle(lease.released())
            return authorization
        refresh = await self._refresh_or_release(lease)
        current = await self._active(authorization.appid, authorization.openid)
        if refresh.result is RefreshResult.REFRESHED:
            return current
        now = self._clock.now()
        retry_at = self._policy.retry_on_use_at(now, current.next_refresh_at)
        reason = _UNAVAILABLE_AFTER.get(refresh.result, UnavailableReason.REFRESH_FAILED)
        errcode = refresh.error.errcode if refresh.error is not None else None
        return self._use_while_valid(current, retry_at - now, reason, errcode)

    async def _refresh_or_release(self, lease: Lease) -> Refresh:
        """Refresh for somebody who waits: if the tokens do not open, nobody else has to wait for the lease to end."""
        try:
            return await self.refresh(lease)
        except SealError:
            await self._vault.settle(lease.released())
            raise

    def _use_while_valid(
        self, authorization: Authorization, retry_after: int, reason: UnavailableReason, errcode: int | None = None
    ) -> Authorization:
        """Fall back on the token at hand if it has not expired."""
        if self._ends_within(0, authorization):
            raise TokenUnavailable(authorization.appid, authorization.openid, retry_after, reason, errcode)
        return authorization

    async def _ask(self, authorization: Authorization, tokens: Tokens) -> TokenReply:
        reply = await self._client.refresh_token(authorization.appid, tokens.refresh_token)
        if reply.openid != authorization.openid:
            raise WeChatFault.malformed(Endpoint.REFRESH, authorization.appid, "the reply is about another openid")
        return reply

    def _renewed(self, lease: Lease, tokens: Tokens, reply: TokenReply, asked_at: int) -> Outcome:
        """Turn WeChat's answer into what is to be written.

        The reply may leave the refresh token out: the old one stays. Its 30 days are not extended by refreshing, so
        they start anew only when its string changes.
        """
        old = lease.authorization
        refresh_token = reply.refresh_token or tokens.refresh_token
        expires_at = asked_at + reply.expires_in
        unchanged = refresh_token == tokens.refresh_token
        return lease.refreshed(
            self._vault.seal(old.appid, old.openid, Tokens(reply.access_token, refresh_token)),
            scope=old.scope,
            refreshed_at=asked_at,
            expires_at=expires_at,
            refresh_expires_at=old.refresh_expires_at if unchanged else asked_at + REFRESH_TOKEN_SECONDS,
            next_refresh_at=self._policy.next_refresh_at(asked_at, expires_at, old.last_used_at),
        )

    async def _settle_unrefreshable(self, lease: Lease) -> Refresh:
        """Let a grant that came without a refresh token live as long as its access token does."""
        if not self._ends_within(0, lease.authorization):
            await self._vault.settle(lease.deferred(next_refresh_at=lease.authorization.expires_at))
            return Refresh(RefreshResult.LEFT_TO_USE)
        written = await self._vault.settle(
            lease.rejected(error_code=_REFRESH_TOKEN_EXPIRED, error_kind=Kind.REAUTHORIZE, at=self._clock.now())
        )
        return Refresh(RefreshResult.REAUTHORIZATION_NEEDED if written else RefreshResult.SUPERSEDED)

    async def _settle_failure(self, lease: Lease, error: WeChatError) -> Refresh:
        old = lease.authorization
        now = self._clock.now()
        if error.kind is Kind.CONFIGURATION:
            await self._vault.settle(lease.released())
            return Refresh(RefreshResult.PAUSED, error)
        if error.kind is Kind.REAUTHORIZE:
            # A new exchange makes WeChat refuse the older tokens: look again before declaring the user's grant dead.
            current = await self._vault.get(old.appid, old.openid)
            if current is None or current.version != old.version:
                return Refresh(RefreshResult.SUPERSEDED, error)
            outcome: Outcome = lease.rejected(error_code=error.errcode, error_kind=error.kind, at=now)
            result = RefreshResult.REAUTHORIZATION_NEEDED
        else:
            outcome = lease.failed(
                error_code=error.errcode,
                error_kind=error.kind,
                at=now,
                next_refresh_at=self._policy.retry_at(now, old.refresh_failures + 1),
            )
            result = RefreshResult.FAILED
        written = await self._vault.settle(outcome)
        return Refresh(result if written else RefreshResult.SUPERSEDED, error)

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
