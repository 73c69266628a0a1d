"""`CodeExchange`: turns a code into a stored authorization, once.

WeChat's clients ask for the redirect twice, retry slow posts, and replay addresses from caches and shared links; the
second exchange of a code then fails (errcode 40163) right after the first succeeded. The browser that posted the code
gets its own result again for a minute. Anybody else is refused: answering them would undo the single use that WeChat
gave the code for.
"""

import asyncio
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from service.authorization.exchange_budget import ExchangeBudget, Standing
from service.tokens.breaker import AccountPaused, Breaker
from service.tokens.refresh_policy import RefreshPolicy
from service.wechat.client import WeChatClient
from service.wechat.endpoints import REFRESH_TOKEN_SECONDS, Endpoint
from service.wechat.errors import WeChatError
from service.wechat.protocol import Account, TokenReply, is_wellformed_code
from service.wechat.scopes import BASE_SCOPE
from storage.base.clock import Clock
from storage.grants import Grant, RedeemedCode
from storage.sealing import Tokens
from storage.vault import TokenVault

__all__ = [
    "CODE_MALFORMED",
    "CODE_USED",
    "Browser",
    "CodeExchange",
    "CodeRefused",
    "ExchangeUnderWay",
    "FailedExchange",
]

#: WeChat's errcodes for codes that it does not know, and for codes that were exchanged before.
CODE_MALFORMED = 40029
CODE_USED = 40163

#: How long a browser gets the result of its own code again.
_REPEAT_SECONDS = 60

#: Results kept in this process; older ones are looked up in the store.
_REMEMBERED = 2048
#: Pauses before each look for the row that another process may be about to commit for the same code.
_LOOK_AGAIN_SECONDS = (0.0, 0.1, 0.2, 0.4, 0.8)


@dataclass(frozen=True, slots=True)
class Browser:
    """The browser that posts a code, as far as the service can tell.

    Attributes:
        binding: Digest of what identifies it: its state, its cookie, or its address; together with its user agent.
        appid: The account of its session, if it has one.
        openid: The user of its session, if it has one.
        signed_in_at: When that user signed in.
        standing: Which part of a scarce budget of exchanges its visitor may use.
    """

    binding: bytes
    appid: str | None = None
    openid: str | None = None
    signed_in_at: int = 0
    standing: Standing = Standing.STRANGER

    def owns(self, redeemed: RedeemedCode) -> bool:
        """Return whether a code's result is this browser's own.

        A session that names a user owns that user's results and no other's, though it posted the code: its cookie may
        have been planted by whoever signed in with it before. Any other browser owns what it posted.
        """
        if self.openid is not None:
            return (self.appid, self.openid) == (redeemed.appid, redeemed.openid)
        return redeemed.binding is not None and hmac.compare_digest(redeemed.binding, self.binding)


class CodeRefused(Exception):
    """A code that the service refuses without asking WeChat, with the errcode that WeChat would give.

    40029: it is not of the form of a code. 40163: it was already exchanged by another browser.
    """

    def __init__(self, appid: str, errcode: int, reason: str) -> None:
        super().__init__(reason)
        self.appid = appid
        self.errcode = errcode


class ExchangeUnderWay(Exception):
    """The exchange takes longer than a page waits. It goes on; its result is there for the same browser."""


@dataclass(frozen=True, slots=True)
class FailedExchange:
    """A failed exchange whose error a caller has received.

    Attributes:
        errcode: WeChat's number; None where no usable answer came.
        rid: By what WeChat's support finds it; None where WeChat gave none, or was not asked because calls pause.
        request_id: By what the log finds the caller's request.
    """

    appid: str
    errcode: int | None
    rid: str | None
    request_id: str


@dataclass(frozen=True, slots=True)
class _Redemption:
    """A code that this process exchanges, or exchanged a moment ago."""

    binding: bytes
    task: "asyncio.Task[RedeemedCode]"
    began_at: float


class CodeExchange:
    """Exchanges codes. Belongs to one event loop.

    Args:
        policy: When to refresh what was obtained.
        budget: How many exchanges may be asked for.
        is_signed_in: Tells of an account and a user who signed in at a moment whether they still are.
        accepted: Called with the account of each code that WeChat accepts.
        failed: Called with each failure of the call.
        refused: Called with each failure of an account's calls that is returned to a caller.
        answer_seconds: How long a caller waits for an exchange, which goes on after that. A page in WeChat gives up,
            and asks again by itself, after 5 seconds.
    """

    def __init__(
        self,
        vault: TokenVault,
        client: WeChatClient,
        breaker: Breaker,
        clock: Clock,
        policy: RefreshPolicy,
        *,
        budget: ExchangeBudget,
        is_signed_in: Callable[[str, str, int], Awaitable[bool]],
        accepted: Callable[[str], None] = lambda _: None,
        failed: Callable[[WeChatError], None] = lambda _: None,
        refused: Callable[[FailedExchange], None] = lambda _: None,
        answer_seconds: float = 4.8,
    ) -> None:
        self._vault = vault
        self._client = client
        self._breaker = breaker
        self._clock = clock
        self._policy = policy
        self._budget = budget
        self._is_signed_in = is_signed_in
        self._accepted = accepted
        self._failed = failed
        self._refused = refused
        self._answer_seconds = answer_seconds
        self._redemptions: OrderedDict[bytes, _Redemption] = OrderedDict()

    async def exchange(
        self,
        account: Account,
        code: str,
        browser: Browser,
        *,
        asked_scope: str = BASE_SCOPE,
        request_id: str = "",
    ) -> RedeemedCode:
        """Exchange a code and store what it gives; when this returns, the authorization survives a crash.

        The same code from the same browser within a minute gives the same result, in any process. A caller who is
        cancelled does not end the exchange: the code is spent, so its result is stored.

        Args:
            account: The account that the code was given for.
            code: As received.
            browser: The browser that posts it.
            asked_scope: What the user was asked for. WeChat's answer may name no scope; then it is this.
            request_id: By what the log finds the request.

        Raises:
            CodeRefused: The code is malformed, or was exchanged by another browser. WeChat was not asked.
            AccountPaused: Calls of this account cannot succeed now. WeChat was not asked.
            BudgetSpent: No exchange is left for such a visitor. WeChat was not asked.
            StoreUnavailable: The store is down or late. If that was known beforehand, the code was not spent.
            StoreBusy: Too many exchanges are under way. The code was not spent.
            WeChatError: WeChat refused, or gave no usable answer.
            ExchangeUnderWay: It takes longer than a page waits. It goes on; the same code may be posted again.
        """
        if not is_wellformed_code(code):
            raise CodeRefused(account.appid, CODE_MALFORMED, "invalid code")
        digest = hashlib.sha256(f"{account.appid}|{code}".encode()).digest()
        now = self._clock.monotonic()
        earlier = self._redemptions.get(digest)
        if earlier is not None and now - earlier.began_at <= _REPEAT_SECONDS:
            return await self._repeat(account, earlier, browser)
        redeeming = self._redeem(account, code, digest, browser, asked_scope=asked_scope, request_id=request_id)
        task = asyncio.ensure_future(redeeming)
        self._remember(digest, _Redemption(browser.binding, task, now))
        task.add_done_callback(lambda done: self._forget_if_failed(digest, done))
        return await self._result_in_time(task)

    async def drain(self) -> None:
        """Return when every exchange under way has ended, however it ended."""
        while under_way := [entry.task for entry in self._redemptions.values() if not entry.task.done()]:
            await asyncio.wait(under_way)

    async def _repeat(self, account: Account, earlier: _Redemption, browser: Browser) -> RedeemedCode:
        """Answer a code that is under way or was exchanged in this process."""
        if earlier.task.done() or hmac.compare_digest(earlier.binding, browser.binding):
            redeemed = await self._result_in_time(earlier.task)
            if await self._owns(browser, redeemed):
                return redeemed
        raise CodeRefused(account.appid, CODE_USED, "code been used")

    async def _result_in_time(self, task: "asyncio.Task[RedeemedCode]") -> RedeemedCode:
        """Wait for an exchange as long as a page waits, and leave it running after that."""
        # Unlike `await` and `asyncio.timeout`, this leaves the task alone when its own caller is cancelled.
        await asyncio.wait((task,), timeout=self._answer_seconds)
        if not task.done():
            raise ExchangeUnderWay("the exchange is still under way; post the same code again")
        return task.result()

    async def _redeem(
        self, account: Account, code: str, digest: bytes, browser: Browser, *, asked_scope: str, request_id: str
    ) -> RedeemedCode:
        try:
            self._breaker.check(account.appid, Endpoint.EXCHANGE)
        except AccountPaused as paused:
            self._refused(FailedExchange(account.appid, paused.pause.errcode, None, request_id))
            raise
        async with self._vault.reserve():
            await self._budget.spend(account.appid, browser.standing)
            asked_at = self._clock.now()
            try:
                reply = await self._client.exchange_code(account, code)
            except WeChatError as error:
                self._breaker.note(error)
                self._failed(error)
                redeemed = await self._redeemed_elsewhere(error, digest, browser)
                if redeemed is None:
                    self._refused(FailedExchange(account.appid, error.errcode, error.rid, request_id))
                    raise
                return redeemed
            self._accepted(account.appid)
            grant = self._grant(account.appid, reply, asked_at, asked_scope, digest=digest, browser=browser)
            await self._vault.save(grant)
        return RedeemedCode(
            appid=grant.appid,
            openid=grant.openid,
            scope=grant.scope,
            is_snapshotuser=grant.is_snapshotuser,
            unionid=grant.unionid,
            binding=grant.code_binding,
            authorized_at=grant.authorized_at,
        )

    def _grant(
        self, appid: str, reply: TokenReply, asked_at: int, asked_scope: str, *, digest: bytes, browser: Browser
    ) -> Grant:
        """Turn WeChat's answer into what is stored. Without a refresh token, the grant ends with its access token."""
        expires_at = asked_at + reply.expires_in
        next_refresh_at = self._policy.next_refresh_at(asked_at, expires_at, last_used_at=asked_at)
        is_refreshable = reply.refresh_token is not None
        return Grant(
            appid=appid,
            openid=reply.openid,
            scope=reply.scope or asked_scope,
            tokens=self._vault.seal(appid, reply.openid, Tokens(reply.access_token, reply.refresh_token or "")),
            authorized_at=asked_at,
            expires_at=expires_at,
            refresh_expires_at=asked_at + REFRESH_TOKEN_SECONDS if is_refreshable else expires_at,
            next_refresh_at=next_refresh_at if is_refreshable else None,
            unionid=reply.unionid,
            is_snapshotuser=reply.is_snapshotuser,
            code_digest=digest,
            code_binding=browser.binding,
        )

    async def _redeemed_elsewhere(self, error: WeChatError, digest: bytes, browser: Browser) -> RedeemedCode | None:
        """Look for the result of a used code in the store: another process may have exchanged it.

        That process may not be done: WeChat refuses the second exchange while the first one's row is not committed yet.
        """
        if error.errcode != CODE_USED:
            return None
        since = self._clock.now() - _REPEAT_SECONDS
        for pause in _LOOK_AGAIN_SECONDS:
            await asyncio.sleep(pause)
            redeemed = await self._vault.find_by_code(digest, since)
            if redeemed is not None:
                return redeemed if await self._owns(browser, redeemed) else None
        return None

    async def _owns(self, browser: Browser, redeemed: RedeemedCode) -> bool:
        """Return whether a code's result is a browser's own, and not that of who signed out there."""
        if not browser.owns(redeemed):
            return False
        if browser.appid is None or browser.openid is None:
            return True
        return await self._is_signed_in(browser.appid, browser.openid, browser.signed_in_at)

    def _remember(self, digest: bytes, redemption: _Redemption) -> None:
        self._redemptions[digest] = redemption
        self._redemptions.move_to_end(digest)
        while True:
            oldest_digest, oldest = next(iter(self._redemptions.items()))
            is_old = redemption.began_at - oldest.began_at > _REPEAT_SECONDS
            # A flood of exchanges under way is bounded by the vault, not here.
            if not oldest.task.done() or not (is_old or len(self._redemptions) > _REMEMBERED):
                return
            del self._redemptions[oldest_digest]

    def _forget_if_failed(self, digest: bytes, task: "asyncio.Task[RedeemedCode]") -> None:
        """Forget a failed exchange, so that a code which was not spent can be posted again."""
        if task.cancelled() or task.exception() is not None:
            self._redemptions.pop(digest, None)
