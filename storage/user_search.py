"""`UserSearch`: lists, searches and counts users. What a store offers with the capability `users`.

Every answer is bounded: a page at a time, counts up to a cap, and a time limit, so that no filter can hold up the
database. A store that cannot filter or sort by something says so; the dashboard offers only what it can.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import ClassVar

from storage.base.errors import UnsupportedSearch
from storage.grants import scope_names
from storage.users import AuthorizedUser, Status

__all__ = [
    "COUNT_CAP",
    "MAX_PAGE",
    "CappedCount",
    "Filter",
    "Forecast",
    "SearchField",
    "TextMatch",
    "TimeRange",
    "UserFilter",
    "UserPage",
    "UserQuery",
    "UserSearch",
    "UserSort",
    "count_of",
    "page_of",
]

#: What counts stop at.
COUNT_CAP = 10_000
#: Users that one page may hold.
MAX_PAGE = 1000


class SearchField(StrEnum):
    """The texts that users can be searched by."""

    OPENID = "openid"
    UNIONID = "unionid"
    NICKNAME = "nickname"
    EXTERNAL_ID = "external_id"


class Filter(StrEnum):
    """Each way of filtering, which a store may support or not: the fields of `UserFilter`, and the texts."""

    APPID = "appid"
    STATUS = "status"
    SCOPE = "scope"
    IS_SNAPSHOTUSER = "is_snapshotuser"
    LAST_ERROR_CODE = "last_error_code"
    AUTHORIZED = "authorized"
    USED = "used"
    ENDING = "ending"
    OPENID = "openid"
    UNIONID = "unionid"
    NICKNAME = "nickname"
    EXTERNAL_ID = "external_id"
    OPENID_PREFIX = "openid_prefix"
    UNIONID_PREFIX = "unionid_prefix"
    NICKNAME_PREFIX = "nickname_prefix"
    EXTERNAL_ID_PREFIX = "external_id_prefix"


class UserSort(StrEnum):
    """What users may be sorted by."""

    ID = "id"
    AUTHORIZED_AT = "authorized_at"
    LAST_USED_AT = "last_used_at"
    REFRESH_EXPIRES_AT = "refresh_expires_at"


@dataclass(frozen=True, slots=True)
class TextMatch:
    """A text to look for: the whole value, or how it begins.

    Case counts, except in nicknames on MySQL and MariaDB, whose collation decides.
    """

    field: SearchField
    text: str
    exact: bool = True

    @property
    def filter(self) -> Filter:
        """Which way of filtering this is."""
        return Filter(self.field.value if self.exact else f"{self.field.value}_prefix")

    def matches(self, user: AuthorizedUser) -> bool:
        """Return whether a user has the text. Virtual unionids collide: a snapshot user is never found by one."""
        value: str | None = getattr(user, self.field.value)
        if value is None or (self.field is SearchField.UNIONID and user.is_snapshotuser):
            return False
        return value == self.text if self.exact else value.startswith(self.text)


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From `since` on, before `until`; None leaves a side open."""

    since: int | None = None
    until: int | None = None

    def __contains__(self, at: int) -> bool:
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFilter:
    """Which users; what is None does not matter.

    Attributes:
        scope: One name, which is in their scope.
        last_error_code: WeChat's errcode of the last failed refresh.
        authorized: When they last authorized.
        used: When their token was last used.
        ending: When their refresh token ends.
        searched: A text that they have.
    """

    appid: str | None = None
    status: Status | None = None
    scope: str | None = None
    is_snapshotuser: bool | None = None
    last_error_code: int | None = None
    authorized: TimeRange = TimeRange()
    used: TimeRange = TimeRange()
    ending: TimeRange = TimeRange()
    searched: TextMatch | None = None

    @property
    def filters(self) -> frozenset[Filter]:
        """The ways of filtering that this one uses."""
        used = {one.name for one in fields(self) if getattr(self, one.name) != one.default} - {"searched"}
        return frozenset({*map(Filter, used), *([self.searched.filter] if self.searched is not None else [])})

    def matches(self, user: AuthorizedUser) -> bool:
        """Return whether a user is one of them."""
        compared = ("appid", "status", "is_snapshotuser", "last_error_code")
        return (
            all(getattr(self, name) in {None, getattr(user, name)} for name in compared)
            and (self.scope is None or self.scope in scope_names(user.scope))
            and user.authorized_at in self.authorized
            and user.last_used_at in self.used
            and user.refresh_expires_at in self.ending
            and (self.searched is None or self.searched.matches(user))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UserQuery:
    """A page of the users that a filter matches.

    Attributes:
        sort: Ignored where a text is searched by its beginning: such users come in the order of that text, the only
            one that an index has ready.
        after: The `next_cursor` of the page before; None starts at the beginning.
        limit: Users on a page, 1 to `MAX_PAGE`.
    """

    filter: UserFilter = UserFilter()
    sort: UserSort = UserSort.ID
    descending: bool = True
    after: tuple[int | str, int] | None = None
    limit: int = 50

    @property
    def ordered_by(self) -> str:
        """The column that the users are in the order of; the id decides among equals."""
        searched = self.filter.searched
        return searched.field.value if searched is not None and not searched.exact else self.sort.value

    def place_of(self, user: AuthorizedUser) -> tuple[int | str, int]:
        """Return where a user stands in that order."""
        return getattr(user, self.ordered_by), user.id


@dataclass(frozen=True, slots=True)
class UserPage:
    """One page of users; `next_cursor` is None on the last."""

    users: tuple[AuthorizedUser, ...]
    next_cursor: tuple[int | str, int] | None


@dataclass(frozen=True, slots=True)
class CappedCount:
    """A count that stops at a cap: `capped` says that there are more."""

    number: int
    capped: bool = False

    def __add__(self, other: "CappedCount") -> "CappedCount":
        return CappedCount(self.number + other.number, self.capped or other.capped)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is coming.

    Attributes:
        oldest_due_at: When the refresh that has waited longest was due; None when none is scheduled.
        overdue: Refreshes that are due.
        due: Refreshes that become due, by the number of seconds from now within which they do; each counts only
            those that the one before does not.
        ending: Active users whose refresh token ends within so many seconds.
        snapshot_users: Users that are the virtual ones of a snapshot page.
    """

    oldest_due_at: int | None
    overdue: CappedCount
    due: tuple[tuple[int, CappedCount], ...]
    ending: tuple[int, CappedCount]
    snapshot_users: CappedCount


class UserSearch(ABC):
    """Lists, searches and counts users.

    Every method raises `StoreUnavailable` when the store does not answer, `StoreTooSlow` when an answer would take
    too long (then the filter should be narrowed), and `UnsupportedSearch` for a filter or an order that is not in
    `filters` and `sorts`.
    """

    filters: ClassVar[frozenset[Filter]] = frozenset(Filter)
    sorts: ClassVar[frozenset[UserSort]] = frozenset(UserSort)

    @abstractmethod
    def page(self, query: UserQuery) -> UserPage:
        """List users. Follow `next_cursor`: each user that stays unchanged meanwhile is listed exactly once."""

    @abstractmethod
    def count(self, wanted: UserFilter, cap: int = COUNT_CAP) -> CappedCount:
        """Count the users that a filter matches, up to a cap."""

    def last_id(self) -> int:
        """Return the newest user's id; 0 when there is none."""
        return next((user.id for user in self.page(UserQuery(limit=1)).users), 0)

    def forecast(self, appids: Sequence[str], now: int) -> Forecast | None:  # noqa: ARG002 - for those that can
        """Return what is coming for the users of some accounts, all counts capped; None where the store cannot tell."""
        return None

    def require_supported(self, wanted: UserFilter, sort: UserSort = UserSort.ID) -> None:
        """Raise `UnsupportedSearch` for a filter or an order that is not declared."""
        unsupported = sorted((wanted.filters - self.filters) | ({sort} - self.sorts))
        if unsupported:
            raise UnsupportedSearch(f"The token store cannot filter or sort users by: {', '.join(unsupported)}.")


def page_of(users: Iterable[AuthorizedUser], query: UserQuery) -> UserPage:
    """Return a page of the given users, for a store that has all of them in memory."""
    found = sorted(filter(query.filter.matches, users), key=query.place_of, reverse=query.descending)
    if query.after is not None:
        after = query.after
        places = [query.place_of(user) for user in found]
        found = [
            user
            for user, place in zip(found, places, strict=True)
            if (place < after if query.descending else place > after)
        ]
    page = tuple(found[: query.limit])
    return UserPage(page, query.place_of(page[-1]) if len(found) > query.limit else None)


def count_of(users: Iterable[AuthorizedUser], wanted: UserFilter, cap: int) -> CappedCount:
    """Count the given users that a filter matches, up to a cap."""
    number = sum(map(wanted.matches, users))
    return CappedCount(min(number, cap), capped=number > cap)
