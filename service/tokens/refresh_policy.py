"""When to refresh: the schedule of a token's life and the pauses after failures, as plain arithmetic."""

import random
from dataclasses import dataclass, field
from typing import Protocol

from storage.base.clock import DAY_SECONDS, was_set_back

__all__ = ["Failing", "RefreshPolicy"]


#: The first pause after a failed refresh, and the longest.
_FIRST_BACKOFF_SECONDS = 10
_LONGEST_BACKOFF_SECONDS = 900
#: Somebody who needs the token now does not wait longer than this after a failure before WeChat is asked again.
_LONGEST_WAIT_ON_USE_SECONDS = 60

#: How long before its end WeChat replaces an account's access token (获取稳定版接口调用凭据).
_CREDENTIAL_AHEAD_SECONDS = 300
#: How much later at most the service asks for it: after the moment by WeChat's clock, and not all processes at once.
_CREDENTIAL_JITTER_SECONDS = 40


class Failing(Protocol):
    """What a row tells of refreshes that failed."""

    @property
    def refresh_failures(self) -> int:
        """How many in a row."""

    @property
    def last_error_at(self) -> int | None:
        """When the last one failed."""

    @property
    def next_refresh_at(self) -> int | None:
        """When the next one is due."""


@dataclass(frozen=True, slots=True)
class RefreshPolicy:
    """Decides when tokens are refreshed. All times are seconds since the epoch, UTC.

    Attributes:
        ahead_seconds: How long before its end a token is refreshed, but at most a tenth of its life.
        active_within_days: Users seen within so many days are refreshed on schedule; 0 refreshes on use only.
        refresh_again_seconds: The shortest time between two refreshes of a token, whatever callers ask for.
        randomness: Source of jitter.
    """

    ahead_seconds: int = 600
    active_within_days: int = 7
    refresh_again_seconds: int = 10
    randomness: random.Random = field(default_factory=random.Random)

    def next_refresh_at(self, now: int, expires_at: int, last_used_at: int) -> int | None:
        """Return when the scheduler should refresh a token that was just obtained; None leaves it to the next use.

        Tokens obtained in the same second get times spread over a tenth of their life, so that a rush of visitors
        does not become a rush of refreshes. A refresh never falls into the first half of a token's life, so even a
        very short one does not loop.
        """
        if not self.is_active(now, last_used_at):
            return None
        lifetime = max(0, expires_at - now)
        tenth = lifetime // 10
        lead = min(self.ahead_seconds, tenth)
        jitter = self.randomness.randint(0, tenth)
        return max(expires_at - lead - jitter, now + max(1, lifetime // 2))

    def credential_refresh_at(self, now: int, expires_at: int) -> int:
        """Return when an account's own credential that was just obtained is to be fetched anew.

        WeChat gives a new access token only in the last 5 minutes of the one there is, which lives on to its end; one
        that is fetched earlier is the same again. Where it was the same, the next try comes soon, but not at once.
        """
        jitter = self.randomness.randint(_CREDENTIAL_JITTER_SECONDS // 4, _CREDENTIAL_JITTER_SECONDS)
        return max(expires_at - _CREDENTIAL_AHEAD_SECONDS + jitter, now + jitter)

    def is_active(self, now: int, last_used_at: int) -> bool:
        """Return whether a user was seen recently enough to be refreshed on schedule."""
        return now - last_used_at < self.active_within_days * DAY_SECONDS

    def retry_at(self, now: int, failures: int) -> int:
        """Return when to try again after so many failures in a row: exponential, capped, spread by half."""
        pause = min(_LONGEST_BACKOFF_SECONDS, _FIRST_BACKOFF_SECONDS << min(max(failures - 1, 0), 10))
        return now + pause // 2 + self.randomness.randint(0, pause - pause // 2)

    def retry_on_use_at(self, last_error_at: int, next_refresh_at: int | None) -> int:
        """Return when a refresh on use may ask WeChat again after a failure."""
        longest = last_error_at + _LONGEST_WAIT_ON_USE_SECONDS
        return longest if next_refresh_at is None else min(next_refresh_at, longest)

    def wait_after_failure(self, row: Failing, now: int) -> int | None:
        """Return in how many seconds a refresh on use may ask WeChat; None where the last one did not fail."""
        failed_at = row.last_error_at if row.refresh_failures else None
        if failed_at is None or was_set_back(failed_at, now):
            return None
        return self.retry_on_use_at(failed_at, row.next_refresh_at) - now
