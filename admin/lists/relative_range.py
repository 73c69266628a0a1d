"""Ranges of time that are told from now: an address keeps the word, and each request finds out what it means."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta, tzinfo
from enum import StrEnum

from storage.base.clock import DAY_SECONDS, HOUR_SECONDS
from storage.user_search import TimeRange

__all__ = ["AHEAD", "PAST", "RelativeRange"]


class RelativeRange(StrEnum):
    """The ranges there are. `TODAY` and `YESTERDAY` begin at midnight, all others now."""

    LAST_HOUR = "last-1h"
    LAST_24_HOURS = "last-24h"
    TODAY = "today"
    YESTERDAY = "yesterday"
    LAST_7_DAYS = "last-7d"
    LAST_30_DAYS = "last-30d"
    NEXT_24_HOURS = "next-24h"
    NEXT_3_DAYS = "next-3d"
    NEXT_7_DAYS = "next-7d"
    NEXT_30_DAYS = "next-30d"

    def at(self, now: int, zone: tzinfo) -> TimeRange:
        """Return what it means at a point in time; `zone` is where midnight is."""
        if self in _LAST:
            return TimeRange(since=now - _LAST[self])
        if self in _NEXT:
            return TimeRange(since=now, until=now + _NEXT[self])
        today = datetime.fromtimestamp(now, zone).date()
        first = today - timedelta(1) if self is RelativeRange.YESTERDAY else today
        since, until = (int(datetime.combine(day, time.min, zone).timestamp()) for day in (first, first + timedelta(1)))
        return TimeRange(since, until)


_LAST: Mapping[RelativeRange, int] = {
    RelativeRange.LAST_HOUR: HOUR_SECONDS,
    RelativeRange.LAST_24_HOURS: DAY_SECONDS,
    RelativeRange.LAST_7_DAYS: 7 * DAY_SECONDS,
    RelativeRange.LAST_30_DAYS: 30 * DAY_SECONDS,
}
_NEXT: Mapping[RelativeRange, int] = {
    RelativeRange.NEXT_24_HOURS: DAY_SECONDS,
    RelativeRange.NEXT_3_DAYS: 3 * DAY_SECONDS,
    RelativeRange.NEXT_7_DAYS: 7 * DAY_SECONDS,
    RelativeRange.NEXT_30_DAYS: 30 * DAY_SECONDS,
}
#: What is offered for something that has happened, and for something that will.
PAST = tuple(one for one in RelativeRange if one not in _NEXT)
AHEAD = (RelativeRange.TODAY, *_NEXT)
