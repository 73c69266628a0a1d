"""The filter of the list of users, as the address of a page writes it: such an address can be sent to a colleague."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from enum import StrEnum

from admin.labels.users import FILTER_LABELS, SCOPE_LABELS, SEARCH_FIELD_LABELS, STATUS_LABELS
from admin.lists.paging import FIRST_PAGE, Leaf, Place
from admin.lists.relative_range import AHEAD
from admin.lists.time_range_filter import TimeRangeFilter
from admin.web.i18n import N_
from admin.web.inputs import (
    parse_choice,
    parse_number,
    parse_text,
)
from admin.web.time_zones import PageTime
from storage.user_search import Filter, SearchField, TextMatch, TimeRange, UserFilter, UserPage, UserQuery, UserSort
from storage.users import AuthorizedUser, Status

__all__ = ["FIELDS", "TIME_RANGES", "Listing", "arguments_of", "describe_filter"]

#: The ranges of time by which users are found.
TIME_RANGES: Mapping[Filter, TimeRangeFilter] = {
    Filter.AUTHORIZED: TimeRangeFilter("authorized", "authorized_from", "authorized_to"),
    Filter.USED: TimeRangeFilter("used", "used_from", "used_to"),
    Filter.ENDING: TimeRangeFilter("ends", "ends_from", "ends_to", AHEAD),
}

#: The arguments that make a filter.
FIELDS = (
    "appid",
    "status",
    "scope",
    "snapshot",
    "errcode",
    "by",
    "match",
    "q",
    *(name for span in TIME_RANGES.values() for name in span.names),
)


class _YesNo(StrEnum):
    YES = "yes"
    NO = "no"


_MOMENTS = frozenset(name for span in TIME_RANGES.values() for name in (span.since, span.until))
_YES_NO_LABELS: Mapping[str, str] = {_YesNo.YES: N_("yes"), _YesNo.NO: N_("no")}


@dataclass(frozen=True, slots=True)
class Listing:
    """What an address asks for.

    Attributes:
        given: The filter's arguments as they were typed.
        filter: What they mean.
        sort: What the users are sorted by.
        place: Where the page lies in the list.
    """

    given: dict[str, str]
    filter: UserFilter
    sort: UserSort
    descending: bool
    place: Place = FIRST_PAGE

    @classmethod
    def read(cls, argument: Callable[[str], str], page_time: PageTime) -> "Listing":
        """Read it from an address.

        Args:
            argument: Gives an argument by its name, empty where it is missing.
            page_time: What its ranges of time are told from.

        Raises:
            PageError: An argument is not valid.
        """
        given = {name: parse_text(argument(name).strip()) for name in FIELDS}
        wanted = _filter_of(given, page_time)
        sort = parse_choice(UserSort, argument("sort")) or _natural_sort(wanted)
        return cls(given, wanted, sort, descending=argument("order") != "up", place=Place.read(argument))

    @classmethod
    def unread(cls, argument: Callable[[str], str]) -> "Listing":
        """Return what holds an address's arguments as they were typed, for a form that is to be mended.

        Raises:
            PageError: An argument is no text.
        """
        given = {name: parse_text(argument(name).strip()) for name in FIELDS}
        return cls(given, UserFilter(), UserSort.ID, descending=True)

    def query(self, limit: int) -> UserQuery:
        """Return the query of this page.

        Raises:
            PageError: The cursor is none of ours.
        """
        descending = self.descending != self.place.is_backward
        query = UserQuery(filter=self.filter, sort=self.sort, descending=descending, limit=limit)
        kind = int if query.ordered_by == self.sort.value else str
        return replace(query, after=self.place.after(kind))

    def guesses(self, supported: frozenset[Filter]) -> list["Listing"]:
        """Return what this listing may mean where it is not said which text is searched, likeliest first.

        Whole external ids come first: what a backend calls its users may be how somebody's nickname begins.

        Args:
            supported: What the store can find users by. This listing comes back where that is none of these.
        """
        searched = self.filter.searched
        if searched is None or self.given["by"]:
            return [self]
        whole = TextMatch(SearchField.EXTERNAL_ID, searched.text)
        matches = dict.fromkeys([whole, *(replace(searched, field=field) for field in SearchField)])
        return [
            replace(
                self,
                given={**self.given, "by": match.field.value, "match": "exact" if match.exact else ""},
                filter=replace(self.filter, searched=match),
            )
            for match in matches
            if match.filter in supported
        ] or [self]

    @property
    def is_filtered(self) -> bool:
        """Whether anything narrows the list."""
        return self.filter != UserFilter()

    @property
    def is_searched_by_beginning(self) -> bool:
        """Whether the order is that of the text searched for."""
        return self.filter.searched is not None and not self.filter.searched.exact

    def arguments(self) -> list[tuple[str, str]]:
        """Return what an address needs for the same users in the same order, from the first page on."""
        order = "" if self.descending else "up"
        return [*self.given.items(), ("sort", self.sort.value), ("order", order)]

    def sorted_by(self, sort: UserSort) -> list[tuple[str, str]]:
        """Return the arguments for another order; for the same one, the other way round."""
        turned = sort is self.sort and self.descending
        return [*self.given.items(), ("sort", sort.value), ("order", "up" if turned else "")]

    def turn(self, query: UserQuery, found: UserPage) -> Leaf[AuthorizedUser]:
        """Return the page that a query of this listing found, in its order, and the ways to its neighbours."""
        return self.place.turn(
            found.users,
            query.limit,
            has_more=found.next_cursor is not None,
            place_of=query.place_of,
            arguments=self.arguments(),
        )


def arguments_of(wanted: UserFilter, zone: tzinfo = UTC) -> dict[str, str]:
    """Write a filter as an address's arguments, its times in a zone; those that narrow nothing are left out.

    Ranges of time are the same on any day: what was told from now when they were read is told no more.
    """
    searched = wanted.searched
    given = {
        "appid": wanted.appid,
        "status": wanted.status,
        "scope": wanted.scope,
        "snapshot": None if wanted.is_snapshotuser is None else ("yes" if wanted.is_snapshotuser else "no"),
        "errcode": wanted.last_error_code,
        "by": searched and searched.field,
        "match": "exact" if searched and searched.exact else None,
        "q": searched and searched.text,
    }
    for name, span in TIME_RANGES.items():
        given |= span.write(getattr(wanted, name), zone)
    return {name: str(value) for name, value in given.items() if value is not None}


def describe_filter(
    wanted: UserFilter, accounts: Mapping[str, str], translate: Callable[[str], str], zone: tzinfo = UTC
) -> list[tuple[str, str]]:
    """Put a filter into the words of its form: each condition's label and value, translated.

    Args:
        wanted: The filter.
        accounts: The accounts' names by their appids.
        translate: Translates the words of the form; what was typed stays as it is.
        zone: The zone to write times in.
    """
    given = arguments_of(wanted, zone)
    labels = {"status": STATUS_LABELS, "scope": SCOPE_LABELS, "snapshot": _YES_NO_LABELS}
    conditions = []
    for name, label in FILTER_LABELS.items():
        if name not in given:
            continue
        value = given[name]
        if name == "appid":
            value = accounts.get(value, value)
        elif name in _MOMENTS:
            value = value.replace("T", " ")
        elif value in labels.get(name, {}):
            value = translate(labels[name][value])
        conditions.append((translate(label), value))
    if wanted.searched is not None:
        pattern = translate(N_("is exactly %s") if wanted.searched.exact else N_("starts with %s"))
        conditions.append((translate(SEARCH_FIELD_LABELS[wanted.searched.field]), pattern % wanted.searched.text))
    return conditions


def _filter_of(given: dict[str, str], page_time: PageTime) -> UserFilter:
    snapshot = parse_choice(_YesNo, given["snapshot"])
    return UserFilter(
        appid=given["appid"] or None,
        status=parse_choice(Status, given["status"]),
        scope=given["scope"] or None,
        is_snapshotuser=None if snapshot is None else snapshot is _YesNo.YES,
        last_error_code=parse_number(given["errcode"]),
        authorized=TIME_RANGES[Filter.AUTHORIZED].read(given, page_time),
        used=TIME_RANGES[Filter.USED].read(given, page_time),
        ending=TIME_RANGES[Filter.ENDING].read(given, page_time),
        searched=_searched(given),
    )


def _searched(given: dict[str, str]) -> TextMatch | None:
    field = parse_choice(SearchField, given["by"]) or SearchField.OPENID
    return None if not given["q"] else TextMatch(field, given["q"], exact=given["match"] == "exact")


def _natural_sort(wanted: UserFilter) -> UserSort:
    """Sort by what narrows the list: the index that finds the users has them in that order."""
    for span, sort in (
        (wanted.authorized, UserSort.AUTHORIZED_AT),
        (wanted.used, UserSort.LAST_USED_AT),
        (wanted.ending, UserSort.REFRESH_EXPIRES_AT),
    ):
        if span != TimeRange():
            return sort
    return UserSort.ID
