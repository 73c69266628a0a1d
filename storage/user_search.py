"""`UserDirectory`: what a dashboard asks of many users, beyond what the service itself needs of a `TokenStore`.

A store may offer one (`TokenStore.directory`). Every question is bounded: a page at a time, counts up to a cap, and a
limit of time, so that no filter can hold up the database.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from storage.users import AuthorizedUser, Status

__all__ = [
    "COUNT_CAP",
    "MAX_PAGE",
    "Forecast",
    "FoundUsers",
    "SearchField",
    "Searched",
    "Span",
    "Tally",
    "UserDirectory",
    "UserFilter",
    "UserSearch",
    "UserSort",
]

#: What counts stop at.
COUNT_CAP = 10_000
#: Users that one question may return.
MAX_PAGE = 1000


class SearchField(StrEnum):
    """What users can be searched by."""

    OPENID = "openid"
    UNIONID = "unionid"
    NICKNAME = "nickname"


class UserSort(StrEnum):
    """What found users may be sorted by. Each has an index."""

    ID = "id"
    AUTHORIZED_AT = "authorized_at"
    LAST_USED_AT = "last_used_at"
    REFRESH_EXPIRES_AT = "refresh_expires_at"


@dataclass(frozen=True, slots=True)
class Searched:
    """A text to look for: the whole value, or how it begins.

    Case counts, except in nicknames on MySQL and MariaDB, whose collation decides.
    """

    field: SearchField
    text: str
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Span:
    """From `since` on, before `until`; None leaves a side open."""

    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFilter:
    """Which users; what is None does not matter.

    Attributes:
        last_error_code: WeChat's errcode of the last failed refresh.
        authorized: When they last authorized.
        used: When their token was last used.
        ending: When their refresh token ends.
    """

    appid: str | None = None
    status: Status | None = None
    scope: str | None = None
    is_snapshotuser: bool | None = None
    last_error_code: int | None = None
    authorized: Span = Span()
    used: Span = Span()
    ending: Span = Span()
    searched: Searched | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSearch:
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


@dataclass(frozen=True, slots=True)
class FoundUsers:
    """One page of users; `next_cursor` is None on the last."""

    users: tuple[AuthorizedUser, ...]
    next_cursor: tuple[int | str, int] | None


@dataclass(frozen=True, slots=True)
class Tally:
    """A count that stops at a cap: `capped` says that there are more."""

    number: int
    capped: bool = False

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.number + other.number, self.capped or other.capped)


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
    overdue: Tally
    due: tuple[tuple[int, Tally], ...]
    ending: tuple[int, Tally]
    snapshot_users: Tally


class UserDirectory(ABC):
    """Answers questions about many users.

    Every method raises `StoreUnavailable` when the store does not answer, and `StoreTooSlow` when an answer would
    take too long: then the filter should be narrowed.
    """

    @abstractmethod
    def find(self, search: UserSearch) -> FoundUsers:
        """List users. Follow `next_cursor`: each user that stays unchanged meanwhile is listed exactly once."""

    @abstractmethod
    def count(self, wanted: UserFilter, cap: int = COUNT_CAP) -> Tally:
        """Count the users that a filter matches, up to a cap."""

    @abstractmethod
    def last_id(self) -> int:
        """Return the newest user's id; 0 when there is none."""

    @abstractmethod
    def forecast(self, appids: Sequence[str], now: int) -> Forecast:
        """Say what is coming for the users of some accounts. All counts are capped."""
