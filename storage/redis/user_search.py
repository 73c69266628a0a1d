"""`RedisUserSearch`: users by account, status, openid, unionid and external id, the newest or the oldest first."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from storage.redis.connection import Connection
from storage.redis.fields import user_name, user_values
from storage.user_search import (
    COUNT_CAP,
    CappedCount,
    Filter,
    SearchField,
    TextMatch,
    UserFilter,
    UserPage,
    UserQuery,
    UserSearch,
    UserSort,
    count_of,
    page_of,
)
from storage.users import USER_FIELDS, AuthorizedUser, Status

__all__ = ["RedisUserSearch", "names_by_id"]


class RedisUserSearch(UserSearch):
    """Reads the listings that `RedisTokenStore` keeps: anything else would mean to look at every user."""

    filters: ClassVar[frozenset[Filter]] = frozenset(
        {Filter.APPID, Filter.STATUS, Filter.OPENID, Filter.UNIONID, Filter.EXTERNAL_ID}
    )
    sorts: ClassVar[frozenset[UserSort]] = frozenset({UserSort.ID})

    def __init__(self, connection: Connection) -> None:
        self._redis = connection

    def page(self, query: UserQuery) -> UserPage:
        """See `UserSearch.page`."""
        self.require_supported(query.filter, query.sort)
        wanted = query.filter
        with self._redis.translating_errors():
            if wanted.searched is not None:
                return page_of(self._users_named(wanted.searched), query)
            found = names_by_id(
                self._redis,
                self._appids(wanted),
                _statuses(wanted),
                after=None if query.after is None else query.after[1],
                descending=query.descending,
                limit=query.limit + 1,
            )
            users = self._users([name for _, name in found[: query.limit]])
        last_id = found[query.limit - 1][0] if len(found) > query.limit else None
        return UserPage(tuple(users), None if last_id is None else (last_id, last_id))

    def count(self, wanted: UserFilter, cap: int = COUNT_CAP) -> CappedCount:
        """See `UserSearch.count`."""
        self.require_supported(wanted)
        with self._redis.translating_errors():
            if wanted.searched is not None:
                return count_of(self._users_named(wanted.searched), wanted, cap)
            pipeline = self._redis.pipeline()
            for appid in self._appids(wanted):
                for status in _statuses(wanted):
                    pipeline.zcard(self._redis.key("by_id", appid, status))
            number = sum(pipeline.execute())
        return CappedCount(min(number, cap), capped=number > cap)

    def _appids(self, wanted: UserFilter) -> list[str]:
        return self._redis.appids() if wanted.appid is None else [wanted.appid]

    def _users_named(self, searched: TextMatch) -> list[AuthorizedUser]:
        """Return the users of one openid, unionid or external id: a handful."""
        if searched.field is not SearchField.OPENID:
            members = self._redis.client.smembers(self._redis.key(searched.field.value, searched.text))
            return self._users(name.decode() for name in members)
        return self._users(user_name(appid, searched.text) for appid in self._redis.appids())

    def _users(self, names: Iterable[str]) -> list[AuthorizedUser]:
        """Read users without their tokens; those that are gone are left out."""
        pipeline = self._redis.pipeline()
        for name in names:
            pipeline.hmget(self._redis.key("user", name), USER_FIELDS)
        found = (dict(zip(USER_FIELDS, values, strict=True)) for values in pipeline.execute())
        return [AuthorizedUser(**user_values(values)) for values in found if values["id"] is not None]


def names_by_id(
    connection: Connection,
    appids: Sequence[str],
    statuses: Sequence[Status],
    *,
    after: int | None,
    descending: bool,
    limit: int,
) -> list[tuple[int, str]]:
    """Return the ids and names of users in the order of their ids.

    They are spread over a sorted set for each account and status, which are all read at the same moment.

    Args:
        connection: The server.
        appids: The accounts.
        statuses: The statuses.
        after: The id behind which to begin; None for the first.
        descending: Whether the newest come first.
        limit: How many at most.
    """
    # Members are `<id>:<name>`; the character after the colon leaves out the one that has this id.
    place = None if after is None else f"({after:016}{':' if descending else ';'}"
    pipeline = connection.pipeline()
    for appid in appids:
        for status in statuses:
            key = connection.key("by_id", appid, status)
            if descending:
                pipeline.zrevrangebylex(key, place or "+", "-", 0, limit)
            else:
                pipeline.zrangebylex(key, place or "-", "+", 0, limit)
    members = sorted((member for found in pipeline.execute() for member in found), reverse=descending)
    pairs = (member.decode().split(":", 1) for member in members[:limit])
    return [(int(row_id), name) for row_id, name in pairs]


def _statuses(wanted: UserFilter) -> Sequence[Status]:
    return tuple(Status) if wanted.status is None else [wanted.status]
