"""Challenges that have been answered, so that each is answered once, whichever process is asked."""

import hashlib

from sqlalchemy import Connection, delete, insert

from storage.base.errors import InvalidRecord
from storage.sql.core.engine import Database
from storage.sql.core.schema import spent_challenges

__all__ = ["SpentChallenges"]


class SpentChallenges:
    """Remembers challenges for as long as an answer to one could be sent again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def spend(self, challenge: str, at: int, expires_at: int) -> bool:
        """Note that a challenge was answered. Of any number of callers, whenever they come, one gets True.

        Args:
            challenge: Any text.
            at: The time now. Challenges that have expired are forgotten.
            expires_at: From when on the caller takes no answer to it.
        """
        row = spent_challenges.c
        values = {
            "digest": hashlib.sha256(challenge.encode("utf-8", "surrogatepass")).digest(),
            "expires_at": expires_at,
        }

        def work(connection: Connection) -> None:
            connection.execute(delete(spent_challenges).where(row.expires_at <= at))
            connection.execute(insert(spent_challenges), values)

        try:
            self._database.write(work)
        except InvalidRecord:
            return False
        return True
