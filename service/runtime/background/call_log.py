"""`CallLog`: notes how calls to WeChat end, for the dashboard of every process, without a write for each call.

Outcomes add up in memory and are stored every few seconds. Those that were not stored when a process was killed are
lost: the next call of the account shows them again.
"""

import asyncio
from dataclasses import replace

from service.authorization.exchange import FailedExchange
from service.runtime.background.recorder import RECORD_EVERY_SECONDS, Recorder
from service.wechat.endpoints import Endpoint
from service.wechat.errcodes import Concern, concern_of
from service.wechat.errors import WeChatError
from storage.base.clock import Clock
from storage.base.errors import StorageError
from storage.call_outcomes import CallFailures, CallOutcome, FailedCall, latest_of
from storage.sql.work.call_outcomes import CallOutcomes

__all__ = ["CallLog"]


class CallLog(Recorder):
    """Adds up and stores. Belongs to one event loop.

    Args:
        outcomes: Where it is stored.
        clock: What tells when a call ended.
        every_seconds: The pause between two writes.
    """

    def __init__(self, outcomes: CallOutcomes, clock: Clock, *, every_seconds: float = RECORD_EVERY_SECONDS) -> None:
        super().__init__("noting how calls ended", every_seconds)
        self._stored = outcomes
        self._clock = clock
        self._outcomes: dict[tuple[str, str], CallOutcome] = {}
        self._failures: dict[tuple[str, str, int | None], CallFailures] = {}

    def ended(self, endpoint: Endpoint, appid: str, error: WeChatError | None) -> None:
        """Note that a call has ended. A failed exchange is listed by `refused`, which knows whose request it was.

        Args:
            endpoint: What was called.
            appid: The account.
            error: Why it failed; None where it did not.
        """
        key, now = (appid, endpoint), self._clock.now()
        outcome = self._outcomes.get(key) or CallOutcome(*key)
        if error is None:
            self._outcomes[key] = outcome.accepted(now, succeeded=True)
            return
        if concern_of(error.errcode, endpoint) is Concern.VISITOR:
            self._outcomes[key] = outcome.accepted(now, succeeded=False)
        else:
            self._outcomes[key] = outcome.failed(now, error.errcode)
        if endpoint is not Endpoint.EXCHANGE:
            self._list(appid, endpoint, error.errcode, FailedCall(now, error.rid or ""))

    def refused(self, failed: FailedExchange) -> None:
        """List a failed exchange whose error a visitor has received."""
        call = FailedCall(self._clock.now(), failed.rid or "", failed.request_id)
        self._list(failed.appid, Endpoint.EXCHANGE, failed.errcode, call)

    def _list(self, appid: str, endpoint: str, errcode: int | None, call: FailedCall) -> None:
        self._add(CallFailures(appid, endpoint, errcode, call.at, call.at, (call,)))

    def _add(self, seen: CallFailures) -> None:
        key = seen.appid, seen.endpoint, seen.errcode
        known = self._failures.get(key)
        if known is None:
            self._failures[key] = seen
            return
        self._failures[key] = replace(
            known,
            first_at=min(known.first_at, seen.first_at),
            last_at=max(known.last_at, seen.last_at),
            latest=latest_of((*seen.latest, *known.latest)),
        )

    async def _flush(self) -> None:
        outcomes, self._outcomes = self._outcomes, {}
        failures, self._failures = self._failures, {}
        if not outcomes and not failures:
            return
        try:
            await asyncio.to_thread(self._stored.add, outcomes.values(), failures.values())
        except StorageError:
            for key, outcome in outcomes.items():
                self._outcomes[key] = outcome.followed_by(self._outcomes[key]) if key in self._outcomes else outcome
            for seen in failures.values():
                self._add(seen)
            raise
