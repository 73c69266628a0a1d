"""Sessions of operators who are signed in. The database holds hashes, by which nobody can take a session over."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select, update

from storage.base.clock import HOUR_SECONDS, was_set_back
from storage.sql.accounts.operators import Role
from storage.sql.core.engine import Database
from storage.sql.core.schema import operator_sessions, operators

__all__ = ["IDLE_SECONDS", "LONGEST_SECONDS", "OperatorSession", "OperatorSessions"]

#: A session ends when it was not used for so long, …
IDLE_SECONDS = 30 * 60
#: … and so long after it began in any case.
LONGEST_SECONDS = 12 * HOUR_SECONDS
#: How exactly the last use is known, in seconds: not every request writes.
_USE_PRECISION_SECONDS = 60
_TOKEN_BYTES = 32
_ADDRESS_LENGTH = 64
_USER_AGENT_LENGTH = 255

_ROW = operator_sessions.c


@dataclass(frozen=True, slots=True)
class OperatorSession:
    """A session in force, and whose it is.

    Attributes:
        lacks_factor: Whether it may do no more than set up a second factor.
    """

    id: int
    operator_id: int
    operator: str
    role: Role
    began_at: int
    seen_at: int
    address: str
    user_agent: str
    lacks_factor: bool = False


class OperatorSessions:
    """Begins, finds and ends sessions.

    A token is 32 random bytes, so a plain SHA-256 of it cannot be turned back by trying.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, operator_id: int, at: int, address: str, user_agent: str, *, lacks_factor: bool = False) -> str:
        """Begin a session and return its token: the only time it can be seen."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        values = {
            "token_hash": _hash(token),
            "operator_id": operator_id,
            "began_at": at,
            "seen_at": at,
            "address": address[:_ADDRESS_LENGTH],
            "user_agent": user_agent[:_USER_AGENT_LENGTH],
            "lacks_factor": lacks_factor,
        }
        self._database.write(lambda connection: connection.execute(insert(operator_sessions), values))
        return token

    def find(self, token: str, at: int) -> OperatorSession | None:
        """Return the session of a token and note its use; None when it has ended or its operator is disabled."""
        wanted = _in_force(at).where(_ROW.token_hash == _hash(token))
        row = self._database.read(lambda connection: connection.execute(wanted).first())
        if row is None:
            return None
        if row.seen_at <= at - _USE_PRECISION_SECONDS or was_set_back(row.seen_at, at):
            # Begun before the clock was set back, a session lives as long as one that begins now, not hours longer.
            values = {"seen_at": at, "began_at": min(row.began_at, at)}
            seen = update(operator_sessions).where(_ROW.id == row.id).values(values)
            self._database.write(lambda connection: connection.execute(seen))
        return _session(row)

    def list(self, operator_id: int, at: int) -> list[OperatorSession]:
        """Return an operator's sessions in force, the one used last first."""
        wanted = _in_force(at).where(_ROW.operator_id == operator_id).order_by(_ROW.seen_at.desc(), _ROW.id.desc())
        return [_session(row) for row in self._database.read(lambda connection: connection.execute(wanted).all())]

    def end(self, operator_id: int, session_id: int) -> bool:
        """End one session of an operator. False when they have no such session."""
        ended = delete(operator_sessions).where(_ROW.id == session_id, _ROW.operator_id == operator_id)
        return self._database.write(lambda connection: connection.execute(ended).rowcount == 1)

    def end_all(self, operator_id: int, *, but: int | None = None) -> int:
        """End all sessions of an operator, except the one with the id `but`; return how many ended."""
        ended = delete(operator_sessions).where(_ROW.operator_id == operator_id)
        if but is not None:
            ended = ended.where(_ROW.id != but)
        return self._database.write(lambda connection: connection.execute(ended).rowcount)

    def end_everyones(self) -> int:
        """End all sessions of all operators; return how many ended."""
        return self._database.write(lambda connection: connection.execute(delete(operator_sessions)).rowcount)

    def note_factor(self, operator_id: int) -> None:
        """Let an operator's sessions do everything, now that there is a second factor."""
        noted = update(operator_sessions).where(_ROW.operator_id == operator_id).values(lacks_factor=False)
        self._database.write(lambda connection: connection.execute(noted))

    def trim(self, at: int) -> None:
        """Delete sessions that have ended by themselves."""
        over = (_ROW.seen_at <= at - IDLE_SECONDS) | (_ROW.began_at <= at - LONGEST_SECONDS)

        def work(connection: Connection) -> None:
            connection.execute(delete(operator_sessions).where(over))

        self._database.write(work)


def _in_force(at: int) -> Select[Any]:
    return (
        select(operator_sessions, operators.c.name, operators.c.role)
        .join(operators, operators.c.id == _ROW.operator_id)
        .where(
            operators.c.disabled_at.is_(None),
            _ROW.seen_at > at - IDLE_SECONDS,
            _ROW.began_at > at - LONGEST_SECONDS,
        )
    )


def _session(row: Row[Any]) -> OperatorSession:
    return OperatorSession(
        id=row.id,
        operator_id=row.operator_id,
        operator=row.name,
        role=Role(row.role),
        began_at=row.began_at,
        seen_at=row.seen_at,
        address=row.address,
        user_agent=row.user_agent,
        lacks_factor=bool(row.lacks_factor),  # NULL in rows of the version before
    )


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
