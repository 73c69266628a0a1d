"""What happened to each user on each day that the user's own row does not tell: refreshes that failed, tokens given."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, ColumnElement, Executable, case, delete, select

from storage.sql.core.engine import Database
from storage.sql.core.schema import user_history
from storage.sql.counts import count_up_to
from storage.user_search import CappedCount

__all__ = ["MOST_ENTRIES", "HistoryKind", "UserHistory", "UserHistoryEntry"]

#: Entries of one user that are read at most, the newest.
MOST_ENTRIES = 50
#: Rows that one transaction writes or deletes: a long one would hold up others.
_BATCH = 500
#: How long counting the users of a key may take.
_COUNT_SECONDS = 1.0

_ROW = user_history.c
_KEY = ("openid", "appid", "day", "kind", "name")


class HistoryKind(StrEnum):
    """What happened. The values are stored."""

    TOKEN_READ = "token_read"  # noqa: S105 - the name of an event
    REFRESH_FAILED = "refresh_failed"


@dataclass(frozen=True, slots=True)
class UserHistoryEntry:
    """How often something happened to a user on a day.

    Attributes:
        day: When the day began, in UTC.
        name: The API key that was given the token, or WeChat's errcode; empty for a call without a usable answer.
        last_at: When it happened last.
        rid: The number by which WeChat's support finds the last call; empty where there is none.
    """

    appid: str
    openid: str
    day: int
    kind: HistoryKind
    name: str
    count: int
    last_at: int
    rid: str = ""


class UserHistory:
    """Keeps the counts of all processes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._add = database.dialect.upsert(user_history, tuple(_ROW[name] for name in _KEY), _added)

    def add(self, entries: Iterable[UserHistoryEntry]) -> None:
        """Add to the counts, in transactions of some hundred rows each."""
        # In one order, so that two processes never wait for each other.
        values = sorted(({name: getattr(one, name) for name in _NAMES} for one in entries), key=_place)
        for start in range(0, len(values), _BATCH):
            self._write(self._add, values[start : start + _BATCH])

    def of(self, appid: str, openid: str) -> list[UserHistoryEntry]:
        """Return what happened to a user, the newest first, at most `MOST_ENTRIES`."""
        wanted = (
            select(*(_ROW[name] for name in _NAMES))
            .where(_ROW.openid == openid, _ROW.appid == appid)
            .order_by(_ROW.day.desc(), _ROW.last_at.desc(), _ROW.kind, _ROW.name)
            .limit(MOST_ENTRIES)
        )
        rows = self._database.read(lambda connection: connection.execute(wanted).mappings().all())
        return [UserHistoryEntry(**{**row, "kind": HistoryKind(row["kind"])}) for row in rows]

    def users_of_key(self, name: str, day: int) -> CappedCount:
        """Count the users whose tokens an API key was given on a day, up to a cap.

        Raises:
            StoreTooSlow: That takes too long.
        """
        conditions = [_ROW.day == day, _ROW.kind == HistoryKind.TOKEN_READ.value, _ROW.name == name]
        return self._database.read_within(
            _COUNT_SECONDS, lambda connection: count_up_to(connection, user_history, conditions)
        )

    def forget(self, appid: str, openid: str) -> None:
        """Delete all about a user."""
        self._write(delete(user_history).where(_ROW.openid == openid, _ROW.appid == appid))

    def trim(self, before: int) -> None:
        """Forget the days before one, some hundred rows at a time."""
        oldest = select(_ROW.id).where(_ROW.day < before).order_by(_ROW.day).limit(_BATCH)
        while ids := self._database.read(lambda connection: list(connection.execute(oldest).scalars())):
            self._write(delete(user_history).where(_ROW.id.in_(ids)))

    def _write(self, statement: Executable, values: Sequence[Mapping[str, Any]] = ()) -> None:
        self._database.write(lambda connection: connection.execute(statement, values or None))


_NAMES = (*_KEY, "count", "last_at", "rid")


def _place(values: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(values[name] for name in _KEY)


def _added(incoming: Any) -> list[tuple[Column[Any], ColumnElement[Any]]]:
    """Return the assignments of one more count. The rid goes before the time that it is decided by."""
    is_newer = incoming.last_at >= _ROW.last_at
    return [
        (_ROW["count"], _ROW["count"] + incoming["count"]),
        (_ROW.rid, case((is_newer, incoming.rid), else_=_ROW.rid)),
        (_ROW.last_at, case((is_newer, incoming.last_at), else_=_ROW.last_at)),
    ]
