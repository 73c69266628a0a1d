"""`SqlUserSearch`: lists and counts of users, each worded so that an index serves it."""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any, TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    String,
    and_,
    bindparam,
    func,
    literal,
    literal_column,
    select,
    union_all,
)

from storage.base.clock import DAY_SECONDS
from storage.grants import BASE_SCOPE, WIDE_SCOPE, scope_names
from storage.sql.core.conditions import is_beyond, is_exactly, is_within
from storage.sql.core.dialects.base import Dialect
from storage.sql.core.dialects.index_hints import force_index
from storage.sql.core.engine import Database
from storage.sql.core.schema import authorizations
from storage.sql.counts import count_up_to
from storage.sql.tokens.rows import USER_COLUMNS, read_user
from storage.user_search import (
    COUNT_CAP,
    CappedCount,
    Forecast,
    SearchField,
    TextMatch,
    UserFilter,
    UserPage,
    UserQuery,
    UserSearch,
)
from storage.users import Status

__all__ = ["SqlUserSearch"]

T = TypeVar("T")

#: How far ahead refreshes are counted, and the ends of refresh tokens, in seconds.
DUE_WITHIN = (1800, 3600, 7200)
ENDING_WITHIN = 3 * DAY_SECONDS

_ROW = authorizations.c
#: The names that WeChat's scopes of web authorization have.
_KNOWN_SCOPES = frozenset({BASE_SCOPE, WIDE_SCOPE, "snsapi_login"})
#: The scope of no row: what is no single name is in none.
_NO_SCOPE = ","
#: What the users of one account are indexed by.
_INDEXED_BY_APPID = {"id", "authorized_at"}


class SqlUserSearch(UserSearch):
    """Looks into the tables of a `SqlTokenStore`."""

    def __init__(self, database: Database, limit_seconds: float = 2.0) -> None:
        self._database = database
        self._limit_seconds = limit_seconds

    def page(self, query: UserQuery) -> UserPage:
        """See `UserSearch.page`."""

        def work(connection: Connection) -> Sequence[RowMapping]:
            scopes = _scopes_with(connection, query.filter.scope)
            return connection.execute(_page(query, scopes, self._database.dialect)).mappings().all()

        rows = self._read(work)
        users = tuple(read_user(row) for row in rows[: query.limit])
        return UserPage(users, query.place_of(users[-1]) if len(rows) > query.limit else None)

    def count(self, wanted: UserFilter, cap: int = COUNT_CAP) -> CappedCount:
        """See `UserSearch.count`."""

        def work(connection: Connection) -> CappedCount:
            scopes = _scopes_with(connection, wanted.scope)
            return count_up_to(connection, authorizations, _conditions(wanted, scopes, self._database.dialect), cap)

        return self._read(work)

    def forecast(self, appids: Sequence[str], now: int) -> Forecast:
        """See `UserSearch.forecast`."""
        ending = and_(
            _status_is(Status.ACTIVE),
            _ROW.refresh_expires_at >= now,
            _ROW.refresh_expires_at < now + ENDING_WITHIN,
        )

        def work(connection: Connection) -> Forecast:
            oldest = [connection.scalar(_oldest_due(appid)) for appid in appids]
            return Forecast(
                oldest_due_at=min((at for at in oldest if at is not None), default=None),
                overdue=_due(connection, appids, None, now),
                due=tuple(
                    (until, _due(connection, appids, now + since, now + until))
                    for since, until in zip((0, *DUE_WITHIN), DUE_WITHIN, strict=False)
                ),
                ending=(
                    ENDING_WITHIN,
                    count_up_to(connection, authorizations, [ending], along=_ROW.refresh_expires_at),
                ),
                snapshot_users=count_up_to(connection, authorizations, [_ROW.is_snapshotuser]),
            )

        return self._read(work)

    def _read(self, work: Callable[[Connection], T]) -> T:
        return self._database.read_within(self._limit_seconds, work)


def _scopes_with(connection: Connection, name: str | None) -> Sequence[str]:
    """Return the scopes with a name in them that rows have: the name alone, and lists with those that WeChat knows.

    Mostly it is one, so that the index has its rows in the order of their ids; hence the look before.
    """
    if name is None:
        return []
    if scope_names(name) != {name}:
        return [_NO_SCOPE]
    others = sorted(_KNOWN_SCOPES - {name})
    lists = [
        ",".join(sorted((name, *some))) for count in range(len(others) + 1) for some in combinations(others, count)
    ]
    # A version before stored lists as a refresh gives them, with a comma at their end.
    spellings = [spelling for one in lists for spelling in (one, f"{one},")]
    # The least scope from a spelling on is read where the index is entered. Whether one equals the spelling PostgreSQL
    # may look up row by row: as it prepares a statement for any value, it takes each scope for a common one.
    looks = [
        select(literal(one)).where(select(func.min(_ROW.scope)).where(_ROW.scope >= one).scalar_subquery() == one)
        for one in spellings
    ]
    return connection.scalars(union_all(*looks)).all() or [name]


def _page(query: UserQuery, scopes: Sequence[str], dialect: Dialect) -> Select[Any]:
    """Return the SELECT of a page and one more user, who tells whether there is another page."""
    statement = select(*USER_COLUMNS).where(*_conditions(query.filter, scopes, dialect))
    key: Column[Any] = _ROW[query.ordered_by]
    if query.after is not None:
        statement = statement.where(is_beyond(key, _ROW.id, query.after, descending=query.descending))
    # Sorting by the id needs no second key; naming it twice would keep some databases from using its index.
    order = [key] if key is _ROW.id else [key, _ROW.id]
    by_appid_alone = query.filter.appid is not None and query.filter == UserFilter(appid=query.filter.appid)
    if by_appid_alone and query.ordered_by in _INDEXED_BY_APPID:
        statement = force_index(statement, authorizations, _ROW.appid, *order)
    return statement.order_by(*(one.desc() if query.descending else one.asc() for one in order)).limit(query.limit + 1)


def _conditions(wanted: UserFilter, scopes: Sequence[str], dialect: Dialect) -> list[ColumnElement[bool]]:
    # Many users share an account or a scope: where something rarer is asked for, that finds the index.
    rare = (
        wanted.status not in {None, Status.ACTIVE}
        or wanted.last_error_code is not None
        or wanted.is_snapshotuser
        or wanted.searched is not None
    )
    conditions: list[ColumnElement[bool]] = []
    for column, values in ((_ROW.appid, [wanted.appid] if wanted.appid is not None else []), (_ROW.scope, scopes)):
        compared = dialect.without_index(column) if rare else column
        if values:
            conditions.append(compared == values[0] if len(values) == 1 else compared.in_(values))
    if wanted.last_error_code is not None:
        conditions.append(_ROW.last_error_code == wanted.last_error_code)
    if wanted.status is not None:
        conditions.append(_status_is(wanted.status))
        if wanted.status is not Status.ACTIVE:
            # The condition of the partial index, repeated literally: without it SQLite does not use the index.
            conditions.append(_ROW.status != literal_column(f"'{Status.ACTIVE.value}'"))
    if wanted.is_snapshotuser is not None:
        conditions.append(_ROW.is_snapshotuser if wanted.is_snapshotuser else ~_ROW.is_snapshotuser)
    conditions += [
        *is_within(_ROW.authorized_at, wanted.authorized.since, wanted.authorized.until),
        *is_within(_ROW.last_used_at, wanted.used.since, wanted.used.until),
        *is_within(_ROW.refresh_expires_at, wanted.ending.since, wanted.ending.until),
    ]
    if wanted.searched is not None:
        conditions.append(_has_text(wanted.searched, dialect))
    if wanted.searched is not None and wanted.searched.field is SearchField.UNIONID:
        # Virtual unionids collide: a snapshot user is not the same person at another account.
        conditions.append(~_ROW.is_snapshotuser)
    return conditions


def _has_text(searched: TextMatch, dialect: Dialect) -> ColumnElement[bool]:
    column = _ROW[searched.field.value]
    if not searched.exact:
        return dialect.starts_with(column, searched.text)
    if searched.field is SearchField.NICKNAME:
        # A collation may take names of different lengths for the same.
        return column == searched.text
    return is_exactly(column, bindparam(None, searched.text, type_=String))


def _status_is(status: Status) -> ColumnElement[bool]:
    """Compare with a constant: an index of some rows is used only if the statement itself shows that it has them."""
    return _ROW.status == bindparam(None, status.value, literal_execute=True)


def _oldest_due(appid: str) -> Select[Any]:
    scheduled = and_(_ROW.appid == appid, _ROW.next_refresh_at.is_not(None))
    return select(_ROW.next_refresh_at).where(scheduled).order_by(_ROW.next_refresh_at).limit(1)


def _due(connection: Connection, appids: Sequence[str], since: int | None, until: int) -> CappedCount:
    """Count refreshes that are due within a span, account by account, as the index has them."""
    span = is_within(_ROW.next_refresh_at, since, until)
    counts = [
        count_up_to(connection, authorizations, [_ROW.appid == appid, *span], along=_ROW.next_refresh_at)
        for appid in appids
    ]
    return sum(counts, start=CappedCount(0))
