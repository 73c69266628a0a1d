"""How often an operator may force a new access token: WeChat's own limits, counted in the store.

20 a day and 30 seconds apart (获取稳定版接口调用凭据); its day is taken for that of Beijing.
"""

from storage.base.clock import DAY_SECONDS, HOUR_SECONDS
from storage.credentials.records import Credential

__all__ = ["ForceRefused", "number_of_next_forced"]

_A_DAY = 20
_SECONDS_BETWEEN = 30
_BEIJING_SECONDS = 8 * HOUR_SECONDS


class ForceRefused(Exception):
    """No access token is forced now: one was a moment ago, or 20 were today.

    Attributes:
        retry_after: Seconds after which it may be tried again.
    """

    def __init__(self, text: str, retry_after: int) -> None:
        super().__init__(text)
        self.retry_after = retry_after


def number_of_next_forced(row: Credential, now: int) -> int:
    """Return which of its day's forced tokens the next one is.

    Raises:
        ForceRefused: It would be too soon, or one too many.
    """
    if row.forced_at is None or row.forced_at > now:
        return 1
    if now - row.forced_at < _SECONDS_BETWEEN:
        raise ForceRefused(
            f"an access token was forced {now - row.forced_at} s ago", row.forced_at + _SECONDS_BETWEEN - now
        )
    today, day_of_last = ((at + _BEIJING_SECONDS) // DAY_SECONDS for at in (now, row.forced_at))
    if day_of_last != today:
        return 1
    if row.forced_count >= _A_DAY:
        raise ForceRefused(
            f"{_A_DAY} access tokens were forced today", (today + 1) * DAY_SECONDS - _BEIJING_SECONDS - now
        )
    return row.forced_count + 1
