"""Before which moment each visitor's sessions have ended, for all processes together.

Sessions of visitors stand in signed cookies alone. What ends them early is noted here for the user: whatever cookie was
made earlier, and whoever copied it, is a session no longer.
"""

from collections import OrderedDict
from typing import Any

from sqlalchemy import Column, ColumnElement, case, delete, select

from storage.sql.core.engine import Database
from storage.sql.core.schema import session_ends

__all__ = ["SessionEnds"]

_ROW = session_ends.c


class SessionEnds:
    """Keeps, for users whose sessions were ended, before which second.

    Args:
        database: Where they are kept.
        remembered: How many of the ends that this process noted itself it knows without asking the database.
    """

    def __init__(self, database: Database, *, remembered: int = 1024) -> None:
        self._database = database
        self._remembered = remembered
        self._latest: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._upsert = database.dialect.upsert(
            session_ends,
            tuple(session_ends.primary_key),
            _later,
        )

    def end(self, appid: str, openid: str, at: int) -> None:
        """End all sessions of a user that have begun until now; when this returns, that is committed."""
        # Moments are whole seconds: what has begun within this one has begun before its end.
        not_before = at + 1
        values = {"appid": appid, "openid": openid, "not_before": not_before}
        self._database.write(lambda connection: connection.execute(self._upsert, values))
        self._latest[appid, openid] = not_before
        if len(self._latest) > self._remembered:
            self._latest.popitem(last=False)

    def not_before(self, appid: str, openid: str) -> int:
        """Return since when a user's sessions must have begun; 0 where none were ended."""
        wanted = select(_ROW.not_before).where(_ROW.openid == openid, _ROW.appid == appid)
        return self._database.read(lambda connection: connection.execute(wanted).scalar()) or 0

    def noted_here(self, appid: str, openid: str) -> int:
        """Return the same as far as this process has noted it lately, without asking the database."""
        return self._latest.get((appid, openid), 0)

    def trim(self, before: int) -> None:
        """Forget ends of sessions that are too old by now anyway."""
        old = delete(session_ends).where(_ROW.not_before < before)
        self._database.write(lambda connection: connection.execute(old))


def _later(new: Any) -> list[tuple[Column[Any], ColumnElement[Any]]]:
    is_later = new.not_before > _ROW.not_before
    return [(_ROW.not_before, case((is_later, new.not_before), else_=_ROW.not_before))]
