"""`AccountCredentials`: an account's own access token and tickets, fetched on use and on schedule, one call for all.

Callers in one process share one call, processes share a lease, as for users' tokens.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from service.tokens.breaker import Breaker
from service.tokens.credential_fetcher import CredentialFetcher, Fetch, FetchResult
from service.tokens.forced_tokens import ForceRefused, number_of_next_forced
from service.tokens.leased_refresh import LeasedRefresh
from service.tokens.refresh_policy import RefreshPolicy
from service.tokens.single_flight import SingleFlight
from service.tokens.unavailable import Unavailable, UnavailableReason
from service.wechat.account_protocol import JSAPI, WX_CARD, CredentialReply
from service.wechat.client import WeChatClient
from service.wechat.endpoints import Endpoint
from service.wechat.errcodes import STALE_TOKEN_ERRCODES
from service.wechat.errors import WeChatRefusal
from service.wechat.protocol import Account, AccountKind
from storage.base.clock import DAY_SECONDS, HOUR_SECONDS, Clock, was_set_back
from storage.base.errors import StorageError
from storage.base.periodic import Periodic
from storage.credentials.records import Credential, CredentialKind, CredentialLease
from storage.credentials.vault import CredentialVault

__all__ = [
    "AccountCredentials",
    "CredentialUnavailable",
    "LiveCredential",
    "RefusedReason",
    "UnknownAccount",
]

#: A use is written down at most this often for each credential.
_NOTE_USE_SECONDS = HOUR_SECONDS
#: What nobody has asked for within this time is not fetched on schedule.
_IN_USE_SECONDS = DAY_SECONDS
_TICKET_TYPES = {CredentialKind.JSAPI_TICKET: JSAPI, CredentialKind.WX_CARD_TICKET: WX_CARD}

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LiveCredential:
    """A credential that WeChat accepts until `expires_at`."""

    value: str = field(repr=False)
    expires_at: int


class UnknownAccount(Exception):
    """The settings name no such Official Account."""


class RefusedReason(StrEnum):
    """Why there is no access token for a caller whose last one WeChat refused."""

    FORCED_ELSEWHERE = "WeChat refuses the one that it gives itself; somebody else may just have forced another"


class CredentialUnavailable(Unavailable):
    """A credential has expired, or WeChat refused it, and there is no other just now."""

    def __init__(self, credential: Credential, retry_after: int, reason: StrEnum, errcode: int | None = None) -> None:
        super().__init__(f"{credential.kind} of {credential.appid}", retry_after, reason, errcode)


class AccountCredentials:
    """Gives accounts' own credentials. Belongs to one event loop.

    A method that gives one may raise `UnknownAccount`, `CredentialUnavailable` (no credential now; it says when to ask
    again) and `StorageError` (the store does not answer, or keeps no credentials).

    Args:
        accounts: Those of the settings. A website application has no such credentials.
        policy: When to try again, and how often at most.
        every_seconds: The pause between looks at what is due; spread by half, so that processes do not move in step.
        lease_ttl: Seconds a lease lasts; longer than a ticket's two calls to WeChat and the access token's may take.
        observe: Called with the kind and the result of each fetch.
    """

    def __init__(
        self,
        accounts: Sequence[Account],
        vault: CredentialVault,
        client: WeChatClient,
        breaker: Breaker,
        *,
        clock: Clock,
        policy: RefreshPolicy,
        every_seconds: float = 10,
        lease_ttl: int = 30,
        observe: Callable[[CredentialKind, FetchResult], None] = lambda *_: None,
    ) -> None:
        self._accounts = {one.appid: one for one in accounts if one.kind is AccountKind.OFFICIAL}
        self._vault = vault
        self._client = client
        self._clock = clock
        self._policy = policy
        self._lease_ttl = lease_ttl
        self._fetcher = CredentialFetcher(vault, breaker, clock, policy, observe)
        self._periodic = Periodic(
            "fetching accounts' credentials that are due", self.refresh_due, every_seconds, spread=0.5
        )
        self._flights: SingleFlight[tuple[str, str, str | None], Credential] = SingleFlight()

    async def access_token(self, appid: str, refused: str | None = None) -> LiveCredential:
        """Return the account's access token.

        It lives 4 minutes at least, unless WeChat could not be asked for the next one.

        Args:
            appid: The account.
            refused: A token that WeChat has refused. If it is not the one that is stored, that is the answer. If it
                is, WeChat is asked once; a new token is never forced.

        Raises:
            CredentialUnavailable: Besides other reasons: WeChat gives the refused one again (`FORCED_ELSEWHERE`).
        """
        return await self._live(appid, CredentialKind.ACCESS_TOKEN, refused)

    async def jsapi_ticket(self, appid: str) -> LiveCredential:
        """Return the ticket that signs `wx.config` (`sign_jsapi`). No page may see it."""
        return await self._live(appid, CredentialKind.JSAPI_TICKET)

    async def wx_card_ticket(self, appid: str) -> LiveCredential:
        """Return the ticket that signs calls about cards. No page may see it."""
        return await self._live(appid, CredentialKind.WX_CARD_TICKET)

    async def status(self, appid: str) -> list[Credential]:
        """Return the account's credentials as they are stored, sealed: age, next refresh, last use and error of each.

        There is none of a kind that nobody has asked for yet. Asks nobody but the store.
        """
        return await self._vault.all(appid)

    async def force(self, appid: str, by: str) -> LiveCredential:
        """End the access token that there is, and make WeChat give another: at most 20 a day, 30 seconds apart.

        Only for an operator who has given a reason; the caller puts both into the audit log before it calls this.
        Other servers that hold the token that is ended are refused from then on. It is counted in the store before
        WeChat is asked.

        Args:
            appid: The account.
            by: The operator, for the log.

        Raises:
            ForceRefused: It would be too many, or too soon.
        """
        account = self._account(appid)
        lease = await self._vault.claim(appid, CredentialKind.ACCESS_TOKEN, self._lease_ttl)
        if lease is None:
            waiting = Credential(appid, CredentialKind.ACCESS_TOKEN)
            raise CredentialUnavailable(waiting, 1, UnavailableReason.REFRESH_IN_PROGRESS)
        try:
            count = number_of_next_forced(lease.credential, self._clock.now())
        except ForceRefused:
            await self._vault.settle(lease.released())
            raise
        await self._vault.settle(lease.forcing(at=self._clock.now(), count=count))
        _logger.warning("%s forces a new access token of %s, number %d of the day", by, appid, count)
        fetch = await self._fetcher.fetch(
            lease, Endpoint.STABLE_TOKEN, lambda: self._client.stable_token(account, force=True)
        )
        row = await self._vault.get(appid, CredentialKind.ACCESS_TOKEN)
        if fetch.result is not FetchResult.RENEWED:
            raise self._unavailable_after(fetch, row)
        return self._opened(row)

    async def refresh_due(self) -> None:
        """Fetch what is due and was asked for lately. Of several processes one fetches each; failures are logged."""
        for row in await self._vault.all():
            if self._is_in_use(row) and self._is_due(row):
                await self._refresh_due_one(row)

    def start(self) -> None:
        """Begin to do `refresh_due` in the background."""
        self._periodic.start()

    async def stop(self) -> None:
        """Begin no more in the background, and return when every fetch that is under way has ended."""
        await self._periodic.stop()
        await self._flights.drain()

    def _account(self, appid: str) -> Account:
        account = self._accounts.get(appid)
        if account is None:
            raise UnknownAccount("the settings name no such Official Account")
        return account

    async def _live(self, appid: str, kind: CredentialKind, refused: str | None = None) -> LiveCredential:
        self._account(appid)
        row = await self._vault.get(appid, kind)
        if not self._serves(row, refused):
            row = await self._flights.run((appid, kind, refused), lambda: self._obtain(row, refused))
        await self._note_use(row)
        return self._opened(row)

    def _opened(self, row: Credential) -> LiveCredential:
        return LiveCredential(self._vault.open(row), row.expires_at)

    def _lives(self, row: Credential, refused: str | None) -> bool:
        """Return whether a row holds a value that has not ended, nor may have by a clock that was right."""
        now = self._clock.now()
        value = self._fetcher.value_of(row)
        return value not in (None, refused) and row.expires_at > now and not was_set_back(row.obtained_at, now)

    def _is_due(self, row: Credential) -> bool:
        return row.next_refresh_at is None or row.next_refresh_at <= self._clock.now() or not self._lives(row, None)

    def _is_in_use(self, row: Credential) -> bool:
        return row.appid in self._accounts and self._clock.now() - row.last_used_at < _IN_USE_SECONDS

    def _serves(self, row: Credential, refused: str | None) -> bool:
        return self._lives(row, refused) and not self._is_due(row)

    async def _obtain(self, row: Credential, refused: str | None) -> Credential:
        appid, kind = row.appid, row.kind
        refresh: LeasedRefresh[Credential, CredentialLease] = LeasedRefresh(
            is_settled=lambda found: self._is_settled(found, refused),
            claim=lambda: self._vault.claim(appid, kind, self._lease_ttl),
            refresh=lambda lease: self._fetch_leased(lease, refused),
            read=lambda: self._vault.get(appid, kind),
            give_up=lambda found: self._use_while_valid(
                found, refused, CredentialUnavailable(found, 1, UnavailableReason.REFRESH_IN_PROGRESS)
            ),
        )
        return await refresh.run(row)

    def _is_settled(self, row: Credential, refused: str | None) -> bool:
        """Return whether a row is the answer as it is, because it serves or because WeChat is not to be asked now.

        Raises:
            CredentialUnavailable: It is too early to ask WeChat again, and the row gives nothing.
        """
        if self._serves(row, refused):
            return True
        now = self._clock.now()
        wait = self._policy.wait_after_failure(row, now)
        if wait is not None:
            error = CredentialUnavailable(row, wait, UnavailableReason.WAITING_AFTER_FAILURE, row.last_error_code)
        else:
            # What WeChat gave a moment ago is asked for again only where it has ended already.
            is_new = self._lives(row, None) and now - row.obtained_at < self._policy.refresh_again_seconds
            wait = row.obtained_at + self._policy.refresh_again_seconds - now if is_new else 0
            error = CredentialUnavailable(row, wait, RefusedReason.FORCED_ELSEWHERE)
        if wait > 0:
            self._use_while_valid(row, refused, error)
        return wait > 0

    def _use_while_valid(self, row: Credential, refused: str | None, error: CredentialUnavailable) -> Credential:
        """Fall back on the value at hand if it has not expired and was not refused."""
        if not self._lives(row, refused):
            raise error
        return row

    async def _fetch_leased(self, lease: CredentialLease, refused: str | None) -> Credential:
        # Somebody else may have fetched it, or failed to, before the lease was free.
        try:
            is_settled = self._is_settled(lease.credential, refused)
        except CredentialUnavailable:
            await self._vault.settle(lease.released())
            raise
        if is_settled:
            await self._vault.settle(lease.released())
            return lease.credential
        fetch = await self._fetch(lease)
        row = await self._vault.get(lease.credential.appid, lease.credential.kind)
        return self._use_while_valid(row, refused, self._unavailable_after(fetch, row))

    async def _fetch(self, lease: CredentialLease) -> Fetch:
        appid, kind = lease.credential.appid, lease.credential.kind
        if kind is CredentialKind.ACCESS_TOKEN:
            return await self._fetcher.fetch(
                lease, Endpoint.STABLE_TOKEN, lambda: self._client.stable_token(self._account(appid))
            )
        return await self._fetcher.fetch(lease, Endpoint.TICKET, lambda: self._ask_for_ticket(appid, kind))

    async def _ask_for_ticket(self, appid: str, kind: CredentialKind) -> CredentialReply:
        """Ask with the account's access token; if WeChat refuses that, with the one that is had then."""
        token = (await self.access_token(appid)).value
        try:
            return await self._client.ticket(appid, token, _TICKET_TYPES[kind])
        except WeChatRefusal as refusal:
            if refusal.errcode not in STALE_TOKEN_ERRCODES:
                raise
        token = (await self.access_token(appid, refused=token)).value
        return await self._client.ticket(appid, token, _TICKET_TYPES[kind])

    def _unavailable_after(self, fetch: Fetch, row: Credential) -> CredentialUnavailable:
        if fetch.result in {FetchResult.SAME, FetchResult.RENEWED}:
            return CredentialUnavailable(row, self._policy.refresh_again_seconds, RefusedReason.FORCED_ELSEWHERE)
        now = self._clock.now()
        wait = self._policy.retry_on_use_at(now, row.next_refresh_at) - now
        reason = {
            FetchResult.PAUSED: UnavailableReason.ACCOUNT_PAUSED,
            FetchResult.SUPERSEDED: UnavailableReason.REFRESH_IN_PROGRESS,
        }.get(fetch.result, UnavailableReason.REFRESH_FAILED)
        return CredentialUnavailable(row, wait, reason, None if fetch.error is None else fetch.error.errcode)

    async def _refresh_due_one(self, row: Credential) -> None:
        lease = await self._vault.claim(row.appid, row.kind, self._lease_ttl)
        if lease is None:
            return
        if not self._is_due(lease.credential) or self._is_waiting(lease.credential):
            await self._vault.settle(lease.released())
            return
        try:
            fetch = await self._fetch(lease)
        except CredentialUnavailable as error:
            _logger.warning("the %s of %s was not renewed: %s", row.kind, row.appid, error)
            return
        if fetch.error is not None:
            _logger.warning("the %s of %s was not renewed: %s", row.kind, row.appid, fetch.error)

    def _is_waiting(self, row: Credential) -> bool:
        return bool(row.refresh_failures) and (row.next_refresh_at or 0) > self._clock.now()

    async def _note_use(self, row: Credential) -> None:
        """Write down, now and then, that the credential is in use."""
        now = self._clock.now()
        if now - row.last_used_at < _NOTE_USE_SECONDS:
            return
        try:
            await self._vault.touch(row, now)
        except StorageError as error:
            # The caller has a live credential; that its use was not written down is no reason to withhold it.
            _logger.warning("a use of the %s of %s was not written down: %s", row.kind, row.appid, error)
