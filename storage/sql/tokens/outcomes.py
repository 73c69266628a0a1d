"""Writes outcomes of leases, those of a kind by one statement."""

from collections.abc import Container, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Executable

from storage.activity import Activity, count_outcomes
from storage.leases import Outcome, Rejected, outcome_fields
from storage.sql.tokens import statements

__all__ = ["write_outcomes"]

Values = dict[str, Any]


def write_outcomes(connection: Connection, outcomes: Sequence[Outcome]) -> tuple[list[bool], list[Activity]]:
    """Write the outcomes whose leases still hold, in the transaction of a connection.

    Returns:
        For each outcome whether it was written, and what happened by that, to be counted.
    """
    ids = sorted({outcome.lease.authorization.id for outcome in outcomes})
    found = {row.id: row for row in connection.execute(statements.LOCK_ROWS, {"the_ids": ids})}
    held = {row_id: (row.version, row.lease_owner) for row_id, row in found.items()}
    # A lease is taken out as it is settled: a second outcome of it finds nothing.
    written = [
        held.get(lease.authorization.id) == (lease.authorization.version, lease.owner)
        and held.pop(lease.authorization.id) is not None
        for lease in (outcome.lease for outcome in outcomes)
    ]
    valid = [outcome for outcome, is_valid in zip(outcomes, written, strict=True) if is_valid]
    succeeded = {
        outcome.lease.authorization.id
        for outcome in valid
        if isinstance(outcome, Rejected)
        and (found[outcome.lease.authorization.id].fallback_refresh_expires_at or 0) > outcome.at
    }
    for statement, values in _batches(valid, succeeded):
        connection.execute(statement, values)
    return written, count_outcomes(valid, succeeded)


def _batches(outcomes: Iterable[Outcome], succeeded: Container[int]) -> list[tuple[Executable, list[Values]]]:
    """Bring outcomes of a kind together: one statement, many rows."""
    batches: dict[Executable, list[Values]] = {}
    for outcome in outcomes:
        row_id = outcome.lease.authorization.id
        if isinstance(outcome, Rejected) and row_id in succeeded:
            batches.setdefault(statements.SUCCEED, []).append({"the_id": row_id, "the_moment": outcome.at})
        else:
            written = {f"new_{name}": value for name, value in outcome_fields(outcome).items()}
            batches.setdefault(statements.SETTLE[type(outcome)], []).append({"the_id": row_id, **written})
    return list(batches.items())
