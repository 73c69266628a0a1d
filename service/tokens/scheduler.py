"""`RefreshScheduler`: refreshes due tokens in the background, in every process of every instance, without a leader.

Each process claims its own share of the due rows by leases, so processes divide the work among themselves and a dead
one's share comes free when its leases end.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from aiolimiter import AsyncLimiter

from service.tokens.breaker import AccountPaused, Breaker
from service.tokens.refresher import Refresh, RefreshResult, TokenRefresher
from service.wechat.endpoints import Endpoint
from storage.base.clock import Clock, was_set_back
from storage.base.errors import SealError, StorageError
from storage.base.periodic import Periodic
from storage.base.tasks import happens_within
from storage.leases import Lease
from storage.store import Capability
from storage.vault import TokenVault

__all__ = ["PassReport", "RefreshScheduler"]

#: A claimed row waits its turn for the rate, so its lease lasts longer than that of a refresh on use.
_LEASE_TTL = 60
#: A row whose turn comes later than this after its claim is given back: the call to WeChat must end under the lease.
_START_WITHIN_SECONDS = 45
#: At most so many seconds' worth of the rate are claimed at once.
_CLAIM_AHEAD_SECONDS = 5
_LARGEST_CLAIM = 256
#: How often an account that has used up its rate is looked at again.
_RATE_POLL = 0.02

_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class PassReport:
    """What one pass over the due rows did."""

    results: Counter[RefreshResult] = field(default_factory=Counter)
    #: Failures by WeChat's errcode, or by what went wrong where there was none.
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, refresh: Refresh) -> None:
        """Count one refresh."""
        self.results[refresh.result] += 1
        if refresh.error is not None:
            self.errors[str(refresh.error.errcode or refresh.error.kind)] += 1

    def __str__(self) -> str:
        if not self.total:
            return "nothing was due"
        counts = [f"{count} {result.replace('_', ' ')}" for result, count in self.results.items()]
        errors = [f"{count} × {error}" for error, count in self.errors.most_common()]
        return ", ".join(counts) + (f" (errors: {', '.join(errors)})" if errors else "")

    @property
    def total(self) -> int:
        """How many rows were looked at."""
        return self.results.total()

    @property
    def failed(self) -> bool:
        """Whether anything failed that an operator should know. A user whose 30 days are over is not that."""
        return bool(self.results[RefreshResult.FAILED] or self.results[RefreshResult.PAUSED])


class RefreshScheduler:
    """Looks for due tokens every few seconds and refreshes them. Belongs to one event loop.

    Args:
        appids: The accounts whose tokens are refreshed.
        every_seconds: The pause between passes; spread by half, so that processes do not move in step.
        concurrency: Refreshes under way at once.
        max_per_second: Refreshes a second for each account.
        observe: Called with each refresh.
    """

    def __init__(
        self,
        vault: TokenVault,
        refresher: TokenRefresher,
        breaker: Breaker,
        clock: Clock,
        appids: Sequence[str],
        *,
        every_seconds: float = 10,
        concurrency: int = 16,
        max_per_second: float = 50,
        observe: Callable[[Refresh], None] = lambda _: None,
    ) -> None:
        self._vault = vault
        self._refresher = refresher
        self._breaker = breaker
        self._clock = clock
        self._appids = appids
        self._claim_size = max(1, min(_LARGEST_CLAIM, int(max_per_second * _CLAIM_AHEAD_SECONDS)))
        self._slots = asyncio.Semaphore(concurrency)
        # A rate below one a second is one in a longer period: the limiter cannot hold a fraction of a call.
        self._rates = {appid: AsyncLimiter(max(1.0, max_per_second), max(1.0, 1 / max_per_second)) for appid in appids}
        self._observe = observe
        self._periodic = Periodic("refreshing due tokens", self._round, every_seconds, spread=0.5)
        self._stopping = self._periodic.stopping
        self._clock_ahead = clock.now() - clock.monotonic()

    def start(self) -> None:
        """Begin to work in the background, if the store keeps a schedule."""
        if Capability.SCHEDULING not in self._vault.capabilities:
            _logger.warning("this token store keeps no schedule: tokens are refreshed on use only")
            return
        self._periodic.start()

    async def stop(self) -> None:
        """Claim nothing more, finish what is under way, give the rest back. Returns when that is done."""
        await self._periodic.stop()

    async def run_pass(self, progress: Callable[[PassReport], None] = lambda _: None) -> PassReport:
        """Refresh everything that is due now and return what was done.

        Args:
            progress: Called after each refresh with the counts so far.

        Raises:
            StorageError: The store keeps no schedule, or does not answer; leases that are held end by themselves.
        """
        if Capability.SCHEDULING not in self._vault.capabilities:
            raise StorageError("this token store keeps no schedule: tokens are refreshed on use only")
        report = PassReport()
        await _all_of(self._run_account(appid, report, progress) for appid in self._appids)
        return report

    async def _round(self) -> None:
        await self._follow_the_clock()
        report = await self.run_pass()
        if report.total:
            _logger.info("refreshes that were due: %s", report)

    async def _follow_the_clock(self) -> None:
        """Look whether the clock was set back since the last round: what is due at hours to come would wait for them.

        Set forward, it makes tokens due, which does no harm.
        """
        ahead, self._clock_ahead = self._clock_ahead, self._clock.now() - self._clock.monotonic()
        if not was_set_back(round(ahead), round(self._clock_ahead)):
            return
        now = self._clock.now()
        moved = await self._vault.reschedule(now, now)
        _logger.warning(
            "the clock was set back by %d s: refreshes of %d users are due at once", ahead - self._clock_ahead, moved
        )

    async def _run_account(self, appid: str, report: PassReport, progress: Callable[[PassReport], None]) -> None:
        while not self._stopping.is_set():
            try:
                self._breaker.check(appid, Endpoint.REFRESH)
            except AccountPaused as paused:
                _logger.warning("%s", paused)
                return
            leases = await self._vault.claim_due(appid, self._claim_size, _LEASE_TTL, self._clock.now())
            if not leases:
                return
            start_before = asyncio.get_running_loop().time() + _START_WITHIN_SECONDS
            works: list[Awaitable[object]] = []
            for lease in leases:
                if await self._may_call(appid, start_before):
                    works.append(asyncio.ensure_future(self._refresh(lease, start_before, report, progress)))
                else:
                    works.append(asyncio.ensure_future(self._vault.settle(lease.released())))
            await _all_of(works)

    async def _may_call(self, appid: str, start_before: float) -> bool:
        """Wait until the account's rate admits a call; False if it does not in time, or the scheduler stops."""
        rate = self._rates[appid]
        while not rate.has_capacity():
            if asyncio.get_running_loop().time() > start_before or await happens_within(_RATE_POLL, self._stopping):
                return False
        await rate.acquire()  # at once
        return not self._stopping.is_set()

    async def _refresh(
        self, lease: Lease, start_before: float, report: PassReport, progress: Callable[[PassReport], None]
    ) -> None:
        async with self._slots:
            if self._stopping.is_set() or asyncio.get_running_loop().time() > start_before:
                await self._vault.settle(lease.released())
                return
            try:
                refresh = await self._refresher.refresh_if_active(lease)
            except SealError as error:
                _logger.error("not refreshed: %s", error)  # noqa: TRY400 - the message says all there is to know
                refresh = Refresh(RefreshResult.FAILED)
                report.errors["sealed"] += 1
        report.add(refresh)
        self._observe(refresh)
        progress(report)


async def _all_of(works: Iterable[Awaitable[object]]) -> None:
    """Run all to their end, then raise the first failure: one row's trouble must not leave the others half done."""
    for result in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
