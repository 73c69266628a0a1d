"""Writes tokens that were sealed with another key, where their rows have not changed meanwhile."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from storage.grants import Resealing
from storage.sql.tokens import statements
from storage.sql.tokens.rows import read_sealed_row

__all__ = ["write_resealed"]


def write_resealed(connection: Connection, changes: Sequence[Resealing]) -> list[bool]:
    """Write changes in the transaction of a connection; return for each of them whether its row was as it says."""
    ids = sorted({change.row.id for change in changes})
    rows = connection.execute(statements.LOCK_SEALED_ROWS, {"the_ids": ids}).mappings()
    held = {row["id"]: read_sealed_row(row) for row in rows}
    written = []
    for change in changes:
        unchanged = held.get(change.row.id) == change.row
        if unchanged:
            held[change.row.id] = replace(change.row, tokens=change.tokens, fallback=change.fallback)
        written.append(unchanged)
    values = [
        {
            "the_id": change.row.id,
            "new_access_token": change.tokens.access_token,
            "new_refresh_token": change.tokens.refresh_token,
            "new_fallback_access_token": change.fallback and change.fallback.access_token,
            "new_fallback_refresh_token": change.fallback and change.fallback.refresh_token,
        }
        for change, is_written in zip(changes, written, strict=True)
        if is_written
    ]
    if values:
        connection.execute(statements.RESEAL, values)
    return written
