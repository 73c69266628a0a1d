"""`Breaker`: pauses calls to WeChat that cannot succeed, for one account and endpoint at a time.

A wrong secret or a spent quota fails every call of an account alike. Calling on would burn quota, and counting those
failures against users would be wrong, so the calls pause and no user's row is touched.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from service.wechat.endpoints import Endpoint
from service.wechat.errcodes import Kind
from service.wechat.errors import WeChatError
from storage.base.clock import Clock
from storage.pauses import AccountPause

__all__ = ["AccountPaused", "Breaker"]

_MINUTE = 60
#: WeChat's errcode for a spent quota of the minute; it is whole again when the minute is over.
_MINUTE_QUOTA = 45011
_DAY_QUOTA_PAUSE_SECONDS = 600
_CONFIGURATION_PAUSE_SECONDS = 30


class AccountPaused(Exception):
    """A call was not made because an earlier one showed that it cannot succeed yet."""

    def __init__(self, pause: AccountPause, retry_after: int) -> None:
        super().__init__(
            f"calls of {pause.appid} to {pause.endpoint} pause for {retry_after} s after errcode {pause.errcode}"
        )
        self.pause = pause
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class _Running:
    """A pause and when it ends by the monotonic clock."""

    pause: AccountPause
    ends_at: float


class Breaker:
    """Remembers which calls pause. Belongs to one process; each finds out for itself within one call.

    Args:
        clock: Measures pauses.
        on_change: Called with a pause when it begins, for alerts.
    """

    def __init__(self, clock: Clock, on_change: Callable[[AccountPause], None] = lambda _: None) -> None:
        self._clock = clock
        self._on_change = on_change
        self._pauses: dict[tuple[str, Endpoint], _Running] = {}

    def check(self, appid: str, endpoint: Endpoint) -> None:
        """Return when a call may be made.

        Raises:
            AccountPaused: Not now; it says why and for how long.
        """
        running = self._pauses.get((appid, endpoint))
        if running is None:
            return
        remaining = self._remaining(running)
        if remaining > 0:
            raise AccountPaused(running.pause, remaining)
        del self._pauses[appid, endpoint]

    def note(self, error: WeChatError) -> None:
        """Begin a pause if a failed call shows that the account's next ones would fail alike.

        Calls that were under way when it began may lengthen it, but neither shorten it nor begin it again.
        """
        now = self._clock.now()
        if error.kind is Kind.CONFIGURATION:
            seconds = _CONFIGURATION_PAUSE_SECONDS
        elif error.kind is Kind.RATE_LIMITED and error.errcode == _MINUTE_QUOTA:
            seconds = _MINUTE - now % _MINUTE
        elif error.kind is Kind.RATE_LIMITED:
            seconds = _DAY_QUOTA_PAUSE_SECONDS
        else:
            return
        current = self._pauses.get((error.appid, error.endpoint))
        if current is not None and self._remaining(current) >= seconds:
            return
        pause = AccountPause(error.appid, error.endpoint, error.kind, error.errcode, now + seconds)
        self._pauses[error.appid, error.endpoint] = _Running(pause, self._clock.monotonic() + seconds)
        if current is None or self._remaining(current) <= 0:
            self._on_change(pause)

    def pauses(self) -> list[AccountPause]:
        """Return the pauses in force."""
        now = self._clock.now()
        remaining = [(running.pause, self._remaining(running)) for running in self._pauses.values()]
        return [replace(pause, until=now + seconds) for pause, seconds in remaining if seconds > 0]

    def _remaining(self, running: _Running) -> int:
        return math.ceil(running.ends_at - self._clock.monotonic())
