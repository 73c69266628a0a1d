"""Logins of an account by day, and by the hours of a day, each with the users who logged in then."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from itertools import pairwise

from admin.users.filters import TIME_RANGES
from admin.web.inputs import day_of
from admin.web.links import link
from storage.activity import Activity, ActivityKind
from storage.base.clock import HOUR_SECONDS
from storage.user_search import Filter, TimeRange

__all__ = ["SHOWN_DAYS", "LoginDays", "LoginSpan"]

SHOWN_DAYS = 14
_DAYS_OF_WEEK = 7


@dataclass(frozen=True, slots=True)
class LoginSpan:
    """How many logins there were from `since` on and before `until`."""

    since: int
    until: int
    count: int


@dataclass(frozen=True, slots=True)
class LoginDays:
    """The logins of an account on the last days of a zone, the earliest first.

    Attributes:
        days: One for each day, today's the last.
    """

    appid: str
    zone: tzinfo
    days: Sequence[LoginSpan]
    _logins: Sequence[Activity]

    @classmethod
    def of(cls, appid: str, activity: Iterable[Activity], now: int, zone: tzinfo) -> "LoginDays":
        """Add up what a store has counted by the hour."""
        logins = [one for one in activity if one.appid == appid and one.kind is ActivityKind.AUTHORIZED]
        today = datetime.fromtimestamp(now, zone).date()
        midnights = [
            int(datetime.combine(today - timedelta(back), time.min, zone).timestamp())
            for back in range(SHOWN_DAYS - 1, -2, -1)
        ]
        return cls(appid, zone, _spans(logins, midnights), logins)

    @property
    def week(self) -> LoginSpan:
        """Today and the six days before."""
        days = self.days[-_DAYS_OF_WEEK:]
        return LoginSpan(days[0].since, days[-1].until, sum(day.count for day in days))

    def name(self, day: LoginSpan) -> str:
        """Return a day as addresses and pages write it."""
        return day_of(day.since, self.zone)

    def hour(self, span: LoginSpan) -> str:
        """Return when an hour begins."""
        return f"{datetime.fromtimestamp(span.since, self.zone):%H:%M}"

    def hours(self, name: str) -> Sequence[LoginSpan]:
        """Return the hours of a day by its name, which may be any text; none where it is no day of these."""
        for day in self.days:
            if self.name(day) == name:
                return _spans(self._logins, range(day.since, day.until + 1, HOUR_SECONDS))
        return ()

    def users(self, span: LoginSpan) -> str:
        """Return the address of the list of users who authorized last within a span."""
        times = TIME_RANGES[Filter.AUTHORIZED].write(TimeRange(span.since, span.until), self.zone)
        return link("/admin/users", ("appid", self.appid), *times.items())


def _spans(logins: Sequence[Activity], bounds: Iterable[int]) -> list[LoginSpan]:
    return [
        LoginSpan(since, until, sum(one.count for one in logins if since <= one.hour < until))
        for since, until in pairwise(bounds)
    ]
