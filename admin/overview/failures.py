"""Failures of calls to WeChat, in the three groups by whom they concern, with when each was first and last seen."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from admin.overview.verdict import ENDPOINTS, Work
from admin.services import Concern
from storage.activity import Activity, ActivityKind
from storage.call_outcomes import CallFailures

__all__ = ["FAILED_WORK", "FailureRow", "group_failures"]

#: Rows of each group.
_MOST_ROWS = 12
#: The endpoint of WeChat at which each kind of failure happens.
FAILED_WORK: Mapping[ActivityKind, str] = {
    ActivityKind.EXCHANGE_FAILED: ENDPOINTS[Work.LOGIN],
    ActivityKind.REFRESH_FAILED: ENDPOINTS[Work.REFRESH],
    ActivityKind.REAUTHORIZATION_REQUIRED: ENDPOINTS[Work.REFRESH],
}


@dataclass(frozen=True, slots=True)
class FailureRow:
    """What failed of an account, for which reason, and how often.

    Attributes:
        errcode: WeChat's number; None where no usable answer came.
        first_at: When it was first seen: to the second where that is known, else the hour.
        last_at: When it was last seen, likewise.
        is_listed: Whether single calls are kept of it.
    """

    appid: str
    endpoint: str
    errcode: int | None
    count: int
    first_at: int
    last_at: int
    is_listed: bool


def group_failures(
    activity: Iterable[Activity],
    seen: Iterable[CallFailures],
    concern: Callable[[int | None, str], Concern],
) -> list[tuple[Concern, Sequence[FailureRow]]]:
    """Return the groups that have failures, those to act on first; within a group, what was seen last stands first.

    Args:
        activity: What happened within the time that is shown.
        seen: The errcodes of that time, and when they were seen.
        concern: Tells whom an errcode at an endpoint concerns.
    """
    counts: Counter[tuple[str, str, int | None]] = Counter()
    hours: dict[tuple[str, str, int | None], list[int]] = {}
    for one in activity:
        if one.kind in FAILED_WORK:
            key = one.appid, FAILED_WORK[one.kind], one.errcode or None
            counts[key] += one.count
            hours.setdefault(key, []).append(one.hour)
    known = {(one.appid, one.endpoint, one.errcode): one for one in seen}
    for key, listed in known.items():
        # What is not counted by the hour, such as profiles, or not yet, is known by the calls that are kept.
        counts[key] = max(counts[key], len(listed.latest))
    groups: dict[Concern, list[FailureRow]] = {member: [] for member in Concern}
    for (appid, endpoint, errcode), count in counts.items():
        key = appid, endpoint, errcode
        if key in known:
            first_at, last_at = known[key].first_at, known[key].last_at
        else:
            first_at, last_at = min(hours[key]), max(hours[key])
        row = FailureRow(appid, endpoint, errcode, count, first_at, last_at, is_listed=key in known)
        groups[concern(errcode, endpoint)].append(row)
    return [
        (member, sorted(rows, key=lambda row: (row.last_at, row.count), reverse=True)[:_MOST_ROWS])
        for member, rows in groups.items()
        if rows
    ]
