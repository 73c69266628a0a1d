"""How calls to WeChat end, as processes tell each other: the state of an account's calls, and the last that failed."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

__all__ = ["LATEST_FAILURES", "CallFailures", "CallOutcome", "FailedCall", "latest_of"]

#: Failed calls that are kept one by one, for each account, endpoint and errcode.
LATEST_FAILURES = 20


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """How the last calls of an account to an endpoint of WeChat ended.

    Attributes:
        endpoint: Such as `access_token`.
        last_success_at: When one last succeeded.
        accepted_at: When WeChat last took the account for good: by a success, or by refusing no more than what the
            visitor brought, such as a used code.
        last_failure_at: When one last failed for a reason that is not the visitor's.
        errcode: WeChat's number for that failure; None where no usable answer came.
        failing_since: The first such failure after which WeChat has not accepted the account; None while it does.
    """

    appid: str
    endpoint: str
    last_success_at: int | None = None
    accepted_at: int | None = None
    last_failure_at: int | None = None
    errcode: int | None = None
    failing_since: int | None = None

    def accepted(self, at: int, *, succeeded: bool) -> "CallOutcome":
        """Return the outcome after a call that succeeded, or whose refusal was the visitor's own."""
        last_success_at = at if succeeded else self.last_success_at
        return replace(self, last_success_at=last_success_at, accepted_at=at, failing_since=None)

    def failed(self, at: int, errcode: int | None) -> "CallOutcome":
        """Return the outcome after a call that failed for a reason that is not the visitor's."""
        since = at if self.failing_since is None else self.failing_since
        return replace(self, last_failure_at=at, errcode=errcode, failing_since=since)

    def followed_by(self, later: "CallOutcome") -> "CallOutcome":
        """Return the outcome of these calls and of others, such as those of another process, told later.

        Where both are of the same second, what was told later counts as later.
        """
        newer = later if _or_never(later.last_failure_at) >= _or_never(self.last_failure_at) else self
        return replace(
            self,
            last_success_at=_latest(self.last_success_at, later.last_success_at),
            accepted_at=_latest(self.accepted_at, later.accepted_at),
            last_failure_at=newer.last_failure_at,
            errcode=newer.errcode,
            failing_since=self._failing_since(later),
        )

    def _failing_since(self, later: "CallOutcome") -> int | None:
        if later.failing_since is None:
            is_over = _or_never(later.accepted_at) >= _or_never(self.last_failure_at)
            return None if is_over else self.failing_since
        if _or_never(self.accepted_at) > _or_never(later.last_failure_at):
            return self.failing_since
        if later.accepted_at is None and self.failing_since is not None:
            return min(self.failing_since, later.failing_since)
        return later.failing_since


@dataclass(frozen=True, slots=True)
class FailedCall:
    """One failed call, without anything that is the visitor's.

    Attributes:
        rid: The number by which WeChat's support finds the call; empty where there is none.
        request_id: The number by which the service's log finds the request; empty where no request was waiting.
    """

    at: int
    rid: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class CallFailures:
    """Failed calls of an account to an endpoint that have the same errcode.

    Attributes:
        errcode: WeChat's number; None where no usable answer came.
        first_at: When the first was seen, of all that followed each other within a day.
        last_at: When the last was seen.
        latest: The last of them, newest first, at most `LATEST_FAILURES`.
    """

    appid: str
    endpoint: str
    errcode: int | None
    first_at: int
    last_at: int
    latest: tuple[FailedCall, ...] = field(default=())


def latest_of(calls: Iterable[FailedCall]) -> tuple[FailedCall, ...]:
    """Return the calls that are kept, newest first."""
    return tuple(sorted(calls, key=lambda call: call.at, reverse=True)[:LATEST_FAILURES])


def _or_never(at: int | None) -> int:
    return -1 if at is None else at


def _latest(one: int | None, other: int | None) -> int | None:
    return other if _or_never(other) >= _or_never(one) else one
