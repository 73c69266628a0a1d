"""Activity: counts by hour and kind that a store keeps of the grants and outcomes it writes."""

from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import dataclass
from enum import StrEnum

from storage.base.clock import HOUR_SECONDS
from storage.grants import Grant
from storage.leases import Failed, Outcome, Refreshed, Rejected

__all__ = ["Activity", "ActivityKind", "count_grants", "count_outcomes", "hour_of", "sum_by_hour"]


class ActivityKind(StrEnum):
    """What is counted by the hour."""

    AUTHORIZED = "authorized"
    REFRESHED = "refreshed"
    REFRESH_FAILED = "refresh_failed"
    REAUTHORIZATION_REQUIRED = "reauthorization_required"
    EXCHANGE_FAILED = "exchange_failed"

    @classmethod
    def _missing_(cls, value: object) -> "ActivityKind | None":
        """Read the former name of a kind; see `storage.users.Status`."""
        return cls.REAUTHORIZATION_REQUIRED if value == "reauthorization_needed" else None


@dataclass(frozen=True, slots=True)
class Activity:
    """How often something happened within an hour.

    Attributes:
        hour: The start of the hour.
        errcode: WeChat's errcode for failures; 0 where there is none.
    """

    hour: int
    appid: str
    kind: ActivityKind
    errcode: int
    count: int


def hour_of(at: int) -> int:
    """Return the start of the hour of a time."""
    return at - at % HOUR_SECONDS


def count_grants(grants: Iterable[Grant]) -> list[Activity]:
    """Count grants."""
    return sum_by_hour(Activity(grant.authorized_at, grant.appid, ActivityKind.AUTHORIZED, 0, 1) for grant in grants)


def count_outcomes(outcomes: Iterable[Outcome], succeeded: Container[int] = ()) -> list[Activity]:
    """Count refreshes, failures and rejections; deferred and released leases are not counted.

    Args:
        outcomes: Those that were written.
        succeeded: Ids of authorizations whose fallback took over: there a rejection ended nothing.
    """
    counted = (_of_outcome(outcome, is_end=outcome.lease.authorization.id not in succeeded) for outcome in outcomes)
    return sum_by_hour(one for one in counted if one is not None)


def sum_by_hour(activities: Iterable[Activity]) -> list[Activity]:
    """Round times down to their hours and sum what is alike; sorted by hour, appid, kind and errcode."""
    counts: Counter[tuple[int, str, ActivityKind, int]] = Counter()
    for one in activities:
        counts[hour_of(one.hour), one.appid, one.kind, one.errcode] += one.count
    return [Activity(*key, count) for key, count in sorted(counts.items())]


def _of_outcome(outcome: Outcome, *, is_end: bool) -> Activity | None:
    appid = outcome.lease.authorization.appid
    match outcome:
        case Refreshed():
            return Activity(outcome.refreshed_at, appid, ActivityKind.REFRESHED, 0, 1)
        case Rejected():
            kind = ActivityKind.REAUTHORIZATION_REQUIRED if is_end else ActivityKind.REFRESH_FAILED
            return Activity(outcome.at, appid, kind, outcome.error_code or 0, 1)
        case Failed():
            return Activity(outcome.at, appid, ActivityKind.REFRESH_FAILED, outcome.error_code or 0, 1)
        case _:
            return None
