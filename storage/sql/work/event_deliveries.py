"""Which pushed events have been acted on, noted for all processes together, so that each is acted on once."""

from enum import Enum, auto
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, and_, case, delete, insert, select, update

from storage.sql.accounts.audit import NewAuditEntry, audit_values
from storage.sql.core.engine import Database
from storage.sql.core.schema import audit_log, event_deliveries

__all__ = ["DeliveryState", "EventDeliveries"]

#: A process that has not finished by then is taken for gone. WeChat delivers again after 5 seconds.
_CLAIM_SECONDS = 5

_ROW = event_deliveries.c


class DeliveryState(Enum):
    """What is known of an event that was delivered."""

    CLAIMED = auto()  #: the caller is to act on it
    UNDER_WAY = auto()  #: somebody else is acting on it
    DONE = auto()  #: it has been acted on


class EventDeliveries:
    """Keeps events by digest: who is acting on one, and whether that is done.

    Args:
        database: Where they are kept.
        claim_seconds: How long a claim keeps others away.
    """

    def __init__(self, database: Database, *, claim_seconds: int = _CLAIM_SECONDS) -> None:
        self._database = database

        def taken_over(new: Any) -> list[tuple[Column[Any], ColumnElement[Any]]]:
            is_given_up = and_(_ROW.done_at.is_(None), _ROW.claimed_at <= new.claimed_at - claim_seconds)
            return [
                (column, case((is_given_up, new[column.name]), else_=column))
                for column in (_ROW.owner, _ROW.claimed_at)
            ]

        self._claim = database.dialect.upsert(event_deliveries, tuple(event_deliveries.primary_key), taken_over)

    def claim(self, digest: bytes, owner: str, at: int) -> DeliveryState:
        """Claim an event. Of any number of callers at once, one gets it.

        Args:
            digest: The event.
            owner: A name of this claim that no other has.
            at: The time now.
        """
        values = {"digest": digest, "owner": owner, "claimed_at": at}
        found = select(_ROW.owner, _ROW.done_at).where(_ROW.digest == digest)

        def work(connection: Connection) -> DeliveryState:
            connection.execute(self._claim, values)
            row = connection.execute(found).one()
            if row.done_at is not None:
                return DeliveryState.DONE
            return DeliveryState.CLAIMED if row.owner == owner else DeliveryState.UNDER_WAY

        return self._database.write(work)

    def finish(self, digest: bytes, owner: str, at: int, entry: NewAuditEntry | None) -> bool:
        """Note that an event was acted on, and with that the audit entry which tells it, in one transaction.

        Returns False, and writes nothing, when somebody else has taken the claim over.
        """
        done = update(event_deliveries).where(_is_claim(digest, owner)).values(done_at=at)

        def work(connection: Connection) -> bool:
            if connection.execute(done).rowcount == 0:
                return False
            if entry is not None:
                connection.execute(insert(audit_log), audit_values(entry))
            return True

        return self._database.write(work)

    def release(self, digest: bytes, owner: str) -> None:
        """Give a claim back, so that the next delivery is acted on at once."""
        released = delete(event_deliveries).where(_is_claim(digest, owner))
        self._database.write(lambda connection: connection.execute(released))

    def trim(self, before: int) -> None:
        """Forget events that were claimed before a moment."""
        old = delete(event_deliveries).where(_ROW.claimed_at < before)
        self._database.write(lambda connection: connection.execute(old))


def _is_claim(digest: bytes, owner: str) -> ColumnElement[bool]:
    return and_(_ROW.digest == digest, _ROW.owner == owner, _ROW.done_at.is_(None))
