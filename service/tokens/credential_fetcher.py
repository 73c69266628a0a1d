"""`CredentialFetcher`: the one procedure by which an account's own credential is fetched and stored.

It happens under the credential's lease, and what it gives is written only if nobody else was given the lease since.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from service.tokens.breaker import AccountPaused, Breaker
from service.tokens.refresh_policy import RefreshPolicy
from service.wechat.account_protocol import CredentialReply
from service.wechat.endpoints import Endpoint
from service.wechat.errors import WeChatError
from storage.base.clock import Clock
from storage.base.errors import SealError
from storage.credentials.records import Credential, CredentialKind, CredentialLease
from storage.credentials.vault import CredentialVault

__all__ = ["CredentialFetcher", "Fetch", "FetchResult"]


class FetchResult(StrEnum):
    """How fetching a credential ended."""

    RENEWED = "renewed"
    #: WeChat gave the one that was stored.
    SAME = "same"
    FAILED = "failed"
    #: The account's calls pause; nothing was written.
    PAUSED = "paused"
    #: Another holder had the last word; nothing was written.
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Fetch:
    """What fetching a credential did, for counting and for saying why."""

    result: FetchResult
    error: WeChatError | None = None


class CredentialFetcher:
    """Fetches credentials that the caller has leased. Belongs to one event loop.

    Args:
        policy: When to fetch anew, and when to try again.
        observe: Called with the kind and the result of each.
    """

    def __init__(
        self,
        vault: CredentialVault,
        breaker: Breaker,
        clock: Clock,
        policy: RefreshPolicy,
        observe: Callable[[CredentialKind, FetchResult], None],
    ) -> None:
        self._vault = vault
        self._breaker = breaker
        self._clock = clock
        self._policy = policy
        self._observe = observe

    async def fetch(
        self, lease: CredentialLease, endpoint: Endpoint, ask: Callable[[], Awaitable[CredentialReply]]
    ) -> Fetch:
        """Ask WeChat for a leased credential, write what came of it and end the lease.

        A failure leaves the value that there is as it is. Whatever `ask` raises that is not a `WeChatError` ends the
        lease, too, and goes to the caller.

        Raises:
            StoreUnavailable: The store does not answer; the lease ends by itself.
        """
        fetch = await self._fetch(lease, endpoint, ask)
        self._observe(lease.credential.kind, fetch.result)
        return fetch

    def value_of(self, credential: Credential) -> str | None:
        """Return the value of a credential; None where there is none, or it does not open: WeChat gives it again."""
        try:
            return self._vault.open(credential) if credential.sealed else None
        except SealError:
            return None

    async def _fetch(
        self, lease: CredentialLease, endpoint: Endpoint, ask: Callable[[], Awaitable[CredentialReply]]
    ) -> Fetch:
        try:
            self._breaker.check(lease.credential.appid, endpoint)
        except AccountPaused:
            await self._vault.settle(lease.released())
            return Fetch(FetchResult.PAUSED)
        asked_at = self._clock.now()
        try:
            reply = await ask()
        except WeChatError as error:
            self._breaker.note(error)
            return await self._settle_failure(lease, error)
        except Exception:
            await self._vault.settle(lease.released())
            raise
        expires_at = asked_at + reply.expires_in
        written = await self._vault.settle(
            lease.renewed(
                self._vault.seal(lease.credential, reply.value),
                obtained_at=asked_at,
                expires_at=expires_at,
                next_refresh_at=self._policy.credential_refresh_at(asked_at, expires_at),
            )
        )
        if not written:
            return Fetch(FetchResult.SUPERSEDED)
        is_same = reply.value == self.value_of(lease.credential)
        return Fetch(FetchResult.SAME if is_same else FetchResult.RENEWED)

    async def _settle_failure(self, lease: CredentialLease, error: WeChatError) -> Fetch:
        now = self._clock.now()
        written = await self._vault.settle(
            lease.failed(
                error_code=error.errcode,
                error_kind=error.kind,
                at=now,
                next_refresh_at=self._policy.retry_at(now, lease.credential.refresh_failures + 1),
            )
        )
        return Fetch(FetchResult.FAILED if written else FetchResult.SUPERSEDED, error)
