"""`TokenRefresher`: the one procedure by which a token is renewed.

After two refreshes of one token at once either result may be the valid one, so a refresh happens only under the row's
lease, and its result is written only if the row has not changed hands since.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from service.tokens.breaker import AccountPaused, Breaker
from service.tokens.refresh_policy import RefreshPolicy
from service.wechat.client import WeChatClient
from service.wechat.endpoints import REFRESH_TOKEN_SECONDS, Endpoint
from service.wechat.errcodes import STALE_TOKEN_ERRCODES, Kind
from service.wechat.errors import WeChatError, WeChatFault
from service.wechat.protocol import TokenReply
from service.wechat.scopes import canonical_scope
from storage.base.clock import Clock
from storage.leases import Lease, Outcome
from storage.sealing import Tokens
from storage.users import Authorization
from storage.vault import TokenVault

__all__ = ["Refresh", "RefreshResult", "TokenRefresher"]

#: WeChat's errcode that fits a grant which cannot be refreshed any more.
_REFRESH_TOKEN_EXPIRED = 42002

_logger = logging.getLogger(__name__)


class RefreshResult(StrEnum):
    """How one refresh ended."""

    REFRESHED = "refreshed"
    REAUTHORIZATION_REQUIRED = "reauthorization_required"
    #: WeChat refused the grant, and a newer, narrower one that was held beside it took its place, not refreshed yet.
    FELL_BACK = "fell_back"
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


class TokenRefresher:
    """Refreshes authorizations that the caller has leased. Belongs to one event loop.

    Args:
        policy: When to refresh.
        note_failure: Called with the account, the user and the error of each refresh that failed for the user.
    """

    def __init__(
        self,
        vault: TokenVault,
        client: WeChatClient,
        breaker: Breaker,
        clock: Clock,
        policy: RefreshPolicy,
        *,
        note_failure: Callable[[str, str, WeChatError], None] = lambda _appid, _openid, _error: None,
    ) -> None:
        self._vault = vault
        self._client = client
        self._breaker = breaker
        self._clock = clock
        self._policy = policy
        self._note_failure = note_failure

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

    async def refresh_if_active(self, lease: Lease) -> Refresh:
        """Refresh an authorization that the schedule says is due, unless its user has not been seen for long."""
        authorization = lease.authorization
        if not self._policy.is_active(self._clock.now(), authorization.last_used_at):
            await self._vault.settle(lease.deferred(next_refresh_at=None))
            return Refresh(RefreshResult.LEFT_TO_USE)
        return await self.refresh(lease)

    async def _ask(self, authorization: Authorization, tokens: Tokens) -> TokenReply:
        reply = await self._client.refresh_token(authorization.appid, tokens.refresh_token)
        if reply.openid != authorization.openid:
            raise WeChatFault.malformed(Endpoint.REFRESH, authorization.appid, "the reply is about another openid")
        return reply

    def _renewed(self, lease: Lease, tokens: Tokens, reply: TokenReply, asked_at: int) -> Outcome:
        """Turn WeChat's answer into what is to be written.

        The scope stays that of the exchange: the reply lists what the user ever granted. The reply may leave the
        refresh token out: the old one stays. Its 30 days are not extended by refreshing, so they start anew only when
        its string changes.
        """
        old = lease.authorization
        refresh_token = reply.refresh_token or tokens.refresh_token
        expires_at = asked_at + reply.expires_in
        unchanged = refresh_token == tokens.refresh_token
        return lease.refreshed(
            self._vault.seal(old.appid, old.openid, Tokens(reply.access_token, refresh_token)),
            scope=canonical_scope(old.scope),
            refreshed_at=asked_at,
            expires_at=expires_at,
            refresh_expires_at=old.refresh_expires_at if unchanged else asked_at + REFRESH_TOKEN_SECONDS,
            next_refresh_at=self._policy.next_refresh_at(asked_at, expires_at, old.last_used_at),
        )

    async def _settle_unrefreshable(self, lease: Lease) -> Refresh:
        """Let a grant that came without a refresh token live as long as its access token does."""
        if lease.authorization.expires_at > self._clock.now():
            await self._vault.settle(lease.deferred(next_refresh_at=lease.authorization.expires_at))
            return Refresh(RefreshResult.LEFT_TO_USE)
        return await self._reject(lease, _REFRESH_TOKEN_EXPIRED)

    async def _settle_failure(self, lease: Lease, error: WeChatError) -> Refresh:
        if error.kind is Kind.CONFIGURATION:
            await self._vault.settle(lease.released())
            return Refresh(RefreshResult.PAUSED, error)
        self._note_failure(lease.authorization.appid, lease.authorization.openid, error)
        if error.kind is Kind.REAUTHORIZE:
            return await self._reject(lease, error.errcode, error)
        if error.errcode in STALE_TOKEN_ERRCODES and await self._has_successor(lease):
            return await self._reject(lease, error.errcode, error)
        old, now = lease.authorization, self._clock.now()
        outcome = lease.failed(
            error_code=error.errcode,
            error_kind=error.kind,
            at=now,
            next_refresh_at=self._policy.retry_at(now, old.refresh_failures + 1),
        )
        written = await self._vault.settle(outcome)
        return Refresh(RefreshResult.FAILED if written else RefreshResult.SUPERSEDED, error)

    async def _reject(self, lease: Lease, errcode: int | None, error: WeChatError | None = None) -> Refresh:
        """Give up the grant that was to be refreshed: the store lets a newer one that it holds take over, if any.

        A new exchange makes WeChat refuse the older tokens, so the row is read again before.
        """
        old, now = lease.authorization, self._clock.now()
        current = await self._vault.get(old.appid, old.openid)
        if current is None or current.version != old.version:
            return Refresh(RefreshResult.SUPERSEDED, error)
        written = await self._vault.settle(lease.rejected(error_code=errcode, error_kind=Kind.REAUTHORIZE, at=now))
        if not written:
            return Refresh(RefreshResult.SUPERSEDED, error)
        if current.successor(now) is None:
            return Refresh(RefreshResult.REAUTHORIZATION_REQUIRED, error)
        _logger.info("a newer grant of %s takes the place of one that WeChat refuses (%s)", old.openid, errcode)
        return Refresh(RefreshResult.FELL_BACK, error)

    async def _has_successor(self, lease: Lease) -> bool:
        current = await self._vault.get(lease.authorization.appid, lease.authorization.openid)
        return current is not None and current.successor(self._clock.now()) is not None
