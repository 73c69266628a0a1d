"""The filter of the list of users, as the address of a page writes it: such an address can be sent to a colleague."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TypeVar

from admin.labels.users import FILTERS, SCOPES, SEARCH_FIELDS, STATUSES
from admin.web.days import day_of, midnight
from admin.web.handler import Refused
from storage.user_search import FoundUsers, Searched, SearchField, Span, UserFilter, UserSearch, UserSort
from storage.users import Status

__all__ = ["FIELDS", "Listing", "described", "given_of"]

T = TypeVar("T")

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
    "authorized_from",
    "authorized_to",
    "used_from",
    "used_to",
    "ends_from",
    "ends_to",
)
#: The largest number that a database compares with its own.
_LARGEST_NUMBER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Listing:
    """What an address asks for.

    Attributes:
        given: The filter's arguments as they were typed.
        filter: What they mean.
        sort: What the users are sorted by.
        cursor: Where the page begins, as the page before wrote it; empty for the first.
    """

    given: dict[str, str]
    filter: UserFilter
    sort: UserSort
    descending: bool
    cursor: str = ""

    @classmethod
    def read(cls, argument: Callable[[str], str]) -> "Listing":
        """Read it from an address.

        Args:
            argument: Gives an argument by its name, empty where it is missing.

        Raises:
            Refused: An argument means nothing.
        """
        given = {name: argument(name).strip() for name in FIELDS}
        wanted = _filter_of(given)
        sort = _one_of(UserSort, argument("sort")) or _natural_sort(wanted)
        return cls(given, wanted, sort, descending=argument("order") != "up", cursor=argument("cursor"))

    def search(self, limit: int) -> UserSearch:
        """Return the query of this page.

        Raises:
            Refused: The cursor is none of ours.
        """
        search = UserSearch(filter=self.filter, sort=self.sort, descending=self.descending, limit=limit)
        kind = int if search.ordered_by == self.sort.value else str
        return replace(search, after=_place(self.cursor, kind)) if self.cursor else search

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

    def after(self, page: FoundUsers) -> list[tuple[str, str]]:
        """Return the arguments of the page that follows one."""
        place = json.dumps(page.next_cursor, ensure_ascii=False, separators=(",", ":"))
        return [*self.arguments(), ("cursor", base64.urlsafe_b64encode(place.encode()).decode())]


def given_of(wanted: UserFilter) -> dict[str, str]:
    """Write a filter as an address's arguments; those that narrow nothing are left out."""
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
    for name, span in (("authorized", wanted.authorized), ("used", wanted.used), ("ends", wanted.ending)):
        given[f"{name}_from"] = None if span.since is None else day_of(span.since)
        given[f"{name}_to"] = None if span.until is None else day_of(span.until - 1)
    return {name: str(value) for name, value in given.items() if value is not None}


def described(
    wanted: UserFilter, accounts: Mapping[str, str], translate: Callable[[str], str]
) -> list[tuple[str, str]]:
    """Put a filter into the words of its form: each condition's label and value, translated.

    Args:
        wanted: The filter.
        accounts: The accounts' names by their appids.
        translate: Translates the words of the form; what was typed stays as it is.
    """
    given = given_of(wanted)
    words = {"appid": accounts, "status": STATUSES, "scope": SCOPES}
    conditions = []
    for name, label in FILTERS.items():
        if name not in given:
            continue
        value = given[name]
        if name == "snapshot":
            value = translate(value)
        elif value in words.get(name, {}):
            value = words[name][value] if name == "appid" else translate(words[name][value])
        conditions.append((translate(label), value))
    if wanted.searched is not None:
        match = translate("is exactly" if wanted.searched.exact else "begins with")
        conditions.append((translate(SEARCH_FIELDS[wanted.searched.field]), f"{match} {wanted.searched.text}"))
    return conditions


def _filter_of(given: dict[str, str]) -> UserFilter:
    snapshot = {"": None, "yes": True, "no": False}
    if given["snapshot"] not in snapshot:
        raise _meaningless()
    return UserFilter(
        appid=given["appid"] or None,
        status=_one_of(Status, given["status"]),
        scope=given["scope"] or None,
        is_snapshotuser=snapshot[given["snapshot"]],
        last_error_code=_errcode(given["errcode"]),
        authorized=_span(given["authorized_from"], given["authorized_to"]),
        used=_span(given["used_from"], given["used_to"]),
        ending=_span(given["ends_from"], given["ends_to"]),
        searched=_searched(given),
    )


def _searched(given: dict[str, str]) -> Searched | None:
    field = _one_of(SearchField, given["by"]) or SearchField.OPENID
    return None if not given["q"] else Searched(field, given["q"], exact=given["match"] == "exact")


def _natural_sort(wanted: UserFilter) -> UserSort:
    """Sort by what narrows the list: the index that finds the users has them in that order."""
    for span, sort in (
        (wanted.authorized, UserSort.AUTHORIZED_AT),
        (wanted.used, UserSort.LAST_USED_AT),
        (wanted.ending, UserSort.REFRESH_EXPIRES_AT),
    ):
        if span != Span():
            return sort
    return UserSort.ID


def _span(first_day: str, last_day: str) -> Span:
    return Span(midnight(first_day), midnight(last_day, days_later=1))


def _errcode(text: str) -> int | None:
    if not text:
        return None
    try:
        number = int(text)
    except ValueError:
        raise _meaningless() from None
    if abs(number) > _LARGEST_NUMBER:
        raise _meaningless()
    return number


def _one_of(kind: Callable[[str], T], text: str) -> T | None:
    try:
        return kind(text) if text else None
    except ValueError:
        raise _meaningless() from None


def _place(cursor: str, kind: type[int] | type[str]) -> tuple[int | str, int]:
    try:
        value, row_id = json.loads(base64.urlsafe_b64decode(cursor))
    except (ValueError, TypeError):
        raise _meaningless() from None
    if not isinstance(value, kind) or not isinstance(row_id, int):
        raise _meaningless()
    if any(isinstance(one, int) and abs(one) > _LARGEST_NUMBER for one in (value, row_id)):
        raise _meaningless()
    return value, row_id


def _meaningless() -> Refused:
    return Refused(HTTPStatus.BAD_REQUEST, "The address asks for something that does not exist. Set the filter anew.")
