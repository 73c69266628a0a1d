"""`TimeRangeFilter`: a range of time in a filter, as a word such as `last-24h`, as days from and to, or as both."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo

from admin.labels.time_ranges import RELATIVE_RANGE_LABELS
from admin.lists.relative_range import PAST, RelativeRange
from admin.web.inputs import day_of, moment_of, parse_choice, parse_midnight, parse_moment
from admin.web.time_zones import PageTime
from storage.user_search import TimeRange

__all__ = ["TimeRangeFilter"]


@dataclass(frozen=True, slots=True)
class TimeRangeFilter:
    """The arguments of an address that make a range, and how it is read from them.

    Attributes:
        word: The argument that holds a `RelativeRange`.
        since: The one that holds the first day, or the moment from which on.
        until: The one that holds the last day, or the moment before which.
        choices: The relative ranges that are offered; others are refused.
    """

    word: str
    since: str
    until: str
    choices: tuple[RelativeRange, ...] = PAST

    @property
    def names(self) -> tuple[str, str, str]:
        """All three arguments."""
        return self.word, self.since, self.until

    @property
    def labels(self) -> dict[str, str]:
        """The relative ranges that are offered, with what pages call them, to be translated."""
        return {one: RELATIVE_RANGE_LABELS[one] for one in self.choices}

    def read(self, given: Mapping[str, str], page_time: PageTime) -> TimeRange:
        """Return what the arguments mean now: what is within the word's range and within the days.

        Raises:
            PageError: One of them is not valid.
        """
        chosen = parse_choice(RelativeRange, given[self.word], self.choices)
        relative = TimeRange() if chosen is None else chosen.at(page_time.now, page_time.zone)
        since = parse_moment(given[self.since], page_time.zone)
        until = parse_moment(given[self.until], page_time.zone, days_later=1)
        return TimeRange(
            max((at for at in (relative.since, since) if at is not None), default=None),
            min((at for at in (relative.until, until) if at is not None), default=None),
        )

    def write(self, span: TimeRange, zone: tzinfo) -> dict[str, str]:
        """Return the arguments of a range that stays what it is: as days, where it begins and ends with one."""
        given = {}
        if span.since is not None:
            day = day_of(span.since, zone)
            given[self.since] = day if parse_midnight(day, zone) == span.since else moment_of(span.since, zone)
        if span.until is not None:
            day = day_of(span.until - 1, zone)
            is_end = parse_midnight(day, zone, days_later=1) == span.until
            given[self.until] = day if is_end else moment_of(span.until, zone)
        return given
