"""How calls to WeChat end, kept for all processes together: a row for each account and endpoint, and for each errcode.

Both tables stay small by what they are keyed by, so they are read whole.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection, Row, Table, and_, delete, select, update

from storage.base.clock import DAY_SECONDS
from storage.call_outcomes import CallFailures, CallOutcome, FailedCall, latest_of
from storage.sql.core.engine import Database
from storage.sql.core.schema import call_failures, call_outcomes

__all__ = ["KEPT_SECONDS", "CallOutcomes"]

#: How long an errcode that no longer comes is remembered.
KEPT_SECONDS = 7 * DAY_SECONDS
#: What stands for a call without a usable answer, as in the counts of activity: WeChat's own 0 is no failure.
_NO_ANSWER = 0

_OUTCOME, _FAILURES = call_outcomes.c, call_failures.c


class CallOutcomes:
    """Keeps how calls ended. Processes add what they saw; none overwrites what another saw later."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ensure_outcome = database.dialect.upsert(
            call_outcomes, tuple(call_outcomes.primary_key), lambda _: [(_OUTCOME.errcode, _OUTCOME.errcode)]
        )
        self._ensure_failures = database.dialect.upsert(
            call_failures, tuple(call_failures.primary_key), lambda _: [(_FAILURES.latest, _FAILURES.latest)]
        )

    def add(self, outcomes: Iterable[CallOutcome], failures: Iterable[CallFailures]) -> None:
        """Add what a process saw since it last did so, and forget what is long over."""
        outcomes = sorted(outcomes, key=lambda one: (one.appid, one.endpoint))
        failures = sorted(failures, key=lambda one: (one.appid, one.endpoint, _stored(one.errcode)))

        def work(connection: Connection) -> None:
            for outcome in outcomes:
                self._add_outcome(connection, outcome)
            for failed in failures:
                self._add_failures(connection, failed)
            if failures:
                before = max(one.last_at for one in failures) - KEPT_SECONDS
                connection.execute(delete(call_failures).where(_FAILURES.last_at < before))

        self._database.write(work)

    def outcomes(self) -> Sequence[CallOutcome]:
        """Return how the last calls of each account to each endpoint ended."""
        wanted = select(call_outcomes).order_by(_OUTCOME.appid, _OUTCOME.endpoint)
        rows = self._database.read(lambda connection: connection.execute(wanted).all())
        return [CallOutcome(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name for it

    def failures(self, since: int) -> Sequence[CallFailures]:
        """Return the errcodes that were seen since a moment, by account and endpoint."""
        wanted = (
            select(call_failures)
            .where(_FAILURES.last_at >= since)
            .order_by(_FAILURES.appid, _FAILURES.endpoint, _FAILURES.errcode)
        )
        rows = self._database.read(lambda connection: connection.execute(wanted).all())
        return [_read_failures(row) for row in rows]

    def _add_outcome(self, connection: Connection, seen: CallOutcome) -> None:
        key = {"appid": seen.appid, "endpoint": seen.endpoint}
        connection.execute(self._ensure_outcome, key)
        row = _locked(connection, call_outcomes, key)
        together = CallOutcome(**row._mapping).followed_by(seen)  # noqa: SLF001 - SQLAlchemy's public name for it
        _write(connection, call_outcomes, key, asdict(together))

    def _add_failures(self, connection: Connection, seen: CallFailures) -> None:
        key = {"appid": seen.appid, "endpoint": seen.endpoint, "errcode": _stored(seen.errcode)}
        connection.execute(
            self._ensure_failures, {**key, "first_at": seen.first_at, "last_at": seen.first_at, "latest": "[]"}
        )
        before = _read_failures(_locked(connection, call_failures, key))
        is_anew = seen.first_at - before.last_at > DAY_SECONDS
        together = replace(
            before,
            first_at=seen.first_at if is_anew else min(before.first_at, seen.first_at),
            last_at=max(before.last_at, seen.last_at),
            latest=latest_of((*seen.latest, *before.latest)),
        )
        values = {
            "first_at": together.first_at,
            "last_at": together.last_at,
            "latest": json.dumps([asdict(call) for call in together.latest]),
        }
        _write(connection, call_failures, key, values)


def _locked(connection: Connection, table: Table, key: dict[str, Any]) -> Row[Any]:
    """Return a row as it was last committed, which nobody else changes until this transaction ends."""
    return connection.execute(select(table).where(_is(table, key)).with_for_update()).one()


def _write(connection: Connection, table: Table, key: dict[str, Any], values: dict[str, Any]) -> None:
    changed = {name: value for name, value in values.items() if name not in key}
    connection.execute(update(table).where(_is(table, key)).values(changed))


def _is(table: Table, key: dict[str, Any]) -> Any:
    return and_(*(table.c[name] == value for name, value in key.items()))


def _read_failures(row: Row[Any]) -> CallFailures:
    return CallFailures(
        appid=row.appid,
        endpoint=row.endpoint,
        errcode=None if row.errcode == _NO_ANSWER else row.errcode,
        first_at=row.first_at,
        last_at=row.last_at,
        latest=tuple(FailedCall(**call) for call in json.loads(row.latest)),
    )


def _stored(errcode: int | None) -> int:
    return _NO_ANSWER if errcode is None else errcode
