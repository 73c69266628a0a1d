"""How often each API key was used on each day, and for which account."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, delete, select

from storage.base.clock import DAY_SECONDS
from storage.sql.core.engine import Database
from storage.sql.core.schema import api_key_uses

__all__ = ["ApiKeyUse", "ApiKeyUses", "day_of"]

_ROW = api_key_uses.c


@dataclass(frozen=True, slots=True)
class ApiKeyUse:
    """How often a key was answered on a day.

    Attributes:
        day: When the day began, in UTC.
        name: The key's.
        appid: The account whose users it was about.
    """

    day: int
    name: str
    appid: str
    count: int


def day_of(at: int) -> int:
    """Return when the day of a moment began, in UTC."""
    return at - at % DAY_SECONDS


class ApiKeyUses:
    """Keeps the counts of all processes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._add = database.dialect.upsert(api_key_uses, tuple(api_key_uses.primary_key), _sum)

    def add(self, uses: Iterable[ApiKeyUse]) -> None:
        """Add to the counts; when this returns, that is committed."""
        # In one order, so that two processes never wait for each other.
        values = [
            {"day": use.day, "name": use.name, "appid": use.appid, "count": use.count}
            for use in sorted(uses, key=lambda use: (use.day, use.name, use.appid))
        ]
        if values:
            self._database.write(lambda connection: connection.execute(self._add, values))

    def since(self, day: int) -> list[ApiKeyUse]:
        """Return the counts from a day on, the latest day first."""
        wanted = select(api_key_uses).where(_ROW.day >= day).order_by(_ROW.day.desc(), _ROW.name, _ROW.appid)
        return [ApiKeyUse(*row) for row in self._database.read(lambda connection: connection.execute(wanted).all())]

    def trim(self, before: int) -> None:
        """Forget the days before one."""
        old = delete(api_key_uses).where(_ROW.day < before)
        self._database.write(lambda connection: connection.execute(old))


def _sum(new: Any) -> list[tuple[Column[Any], ColumnElement[Any]]]:
    return [(_ROW["count"], _ROW["count"] + new["count"])]
