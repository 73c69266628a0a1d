"""`UserHistoryLog`: counts by day what happens to users and is not in their rows: tokens given, refreshes that failed.

The counts add up in memory and are recorded every few seconds, so that no request waits for them and none costs a
transaction more.
"""

import asyncio
from dataclasses import replace

from service.runtime.background.recorder import RECORD_EVERY_SECONDS, Recorder
from service.wechat.errors import WeChatError
from storage.base.clock import DAY_SECONDS, Clock
from storage.base.errors import StorageError
from storage.sql.accounts.api_key_uses import day_of
from storage.sql.accounts.user_history import HistoryKind, UserHistory, UserHistoryEntry

__all__ = ["UserHistoryLog"]

_KEPT_DAYS = 30
#: Counts that wait while the database is away, of different users, days and keys; what comes beyond is not counted.
_MOST_WAITING = 20_000
_LONGEST_RID = 64

Key = tuple[str, str, int, HistoryKind, str]


class UserHistoryLog(Recorder):
    """Adds up and records. Belongs to one event loop.

    Args:
        history: Where counts are recorded.
        clock: For the day.
        every_seconds: The pause between two records.
    """

    def __init__(self, history: UserHistory, clock: Clock, *, every_seconds: float = RECORD_EVERY_SECONDS) -> None:
        super().__init__("recording what happened to users", every_seconds)
        self._history = history
        self._clock = clock
        self._waiting: dict[Key, UserHistoryEntry] = {}
        self._trimmed_on = 0

    def token_read(self, key: str, appid: str, openid: str) -> None:
        """Count that an API key was given the token of a user."""
        self._note(appid, openid, HistoryKind.TOKEN_READ, key)

    def refresh_failed(self, appid: str, openid: str, error: WeChatError) -> None:
        """Count that the refresh of a user's token failed."""
        name = "" if error.errcode is None else str(error.errcode)
        self._note(appid, openid, HistoryKind.REFRESH_FAILED, name, (error.rid or "")[:_LONGEST_RID])

    def _note(self, appid: str, openid: str, kind: HistoryKind, name: str, rid: str = "") -> None:
        now = self._clock.now()
        self._merge(UserHistoryEntry(appid, openid, day_of(now), kind, name, 1, now, rid))

    def _merge(self, new: UserHistoryEntry) -> None:
        key = new.appid, new.openid, new.day, new.kind, new.name
        old = self._waiting.get(key)
        if old is None and len(self._waiting) >= _MOST_WAITING:
            return
        if old is None:
            self._waiting[key] = new
            return
        newest = max(old, new, key=lambda one: one.last_at)
        self._waiting[key] = replace(newest, count=old.count + new.count)

    async def _flush(self) -> None:
        noted, self._waiting = self._waiting, {}
        if noted:
            try:
                await asyncio.to_thread(self._history.add, noted.values())
            except StorageError:
                for one in noted.values():
                    self._merge(one)
                raise
        today = day_of(self._clock.now())
        if self._trimmed_on != today:
            self._trimmed_on = today
            await asyncio.to_thread(self._history.trim, today - (_KEPT_DAYS - 1) * DAY_SECONDS)
