"""Attempts to sign in, counted for all processes together."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select

from storage.sql.core.engine import Database
from storage.sql.core.schema import sign_in_attempts

__all__ = ["SignInAttempts"]

_ROW = sign_in_attempts.c


class SignInAttempts:
    """Counts attempts by subject (whom or where from) in windows of time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._count = database.dialect.upsert(
            sign_in_attempts,
            tuple(sign_in_attempts.primary_key),
            lambda new: [(_ROW.count, _ROW.count + new.count)],
        )

    def note(self, subjects: Sequence[str], window_at: int) -> dict[str, int]:
        """Count one attempt for each subject and return the counts, this one included. Older windows are forgotten."""
        # In one order everywhere, so that two transactions do not wait for one another.
        rows = [{"subject": subject, "window_at": window_at, "count": 1} for subject in sorted(set(subjects))]
        counted = select(_ROW.subject, _ROW["count"]).where(_ROW.subject.in_(subjects), _ROW.window_at == window_at)

        def work(connection: Connection) -> dict[str, int]:
            for row in rows:
                connection.execute(self._count, row)
            counts = {row.subject: row[1] for row in connection.execute(counted)}
            if 1 in counts.values():
                connection.execute(delete(sign_in_attempts).where(_ROW.window_at < window_at))
            return counts

        return self._database.write(work)

    def forget(self, subject: str) -> None:
        """Begin anew for a subject."""
        forgotten = delete(sign_in_attempts).where(_ROW.subject == subject)
        self._database.write(lambda connection: connection.execute(forgotten))

    def forget_all(self) -> None:
        """Begin anew for all."""
        self._database.write(lambda connection: connection.execute(delete(sign_in_attempts)))
