"""`SqlTokenStore`: authorizations in a relational database."""

import random
from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence
from functools import partial
from typing import Any, ClassVar, Self

from sqlalchemy import Connection, Executable

from storage.activity import Activity, ActivityKind, count_grants, count_outcomes, hour_of, sum_by_hour
from storage.base.risks import StoreRisk
from storage.base.schema_report import SchemaReport
from storage.grants import Grant, RedeemedCode, Resealing, SealedRow, grant_fields
from storage.leases import Lease, Outcome, Rejected, outcome_fields
from storage.sql.core.dialects.base import Step
from storage.sql.core.engine import Database
from storage.sql.core.revisions import schema_report
from storage.sql.tokens import statements
from storage.sql.tokens.credentials import SqlCredentials
from storage.sql.tokens.resealing import write_resealed
from storage.sql.tokens.rows import read_authorization, read_sealed_row
from storage.sql.tokens.user_search import SqlUserSearch
from storage.store import Capability, TokenStore
from storage.users import Authorization, Counts, Profile, Status, Use
from storage.validation import require_storable, require_unicode

__all__ = ["SqlTokenStore"]

#: How many due rows are looked at for each one wanted, where rows that others are claiming cannot be skipped.
SAMPLE_FACTOR = 4

#: How long counting all users may take, in seconds; ten million take some.
COUNT_SECONDS = 60

#: How many rows a transaction looks through that makes refreshes due.
_RESCHEDULED_AT_ONCE = 10_000

Values = dict[str, Any]


class SqlTokenStore(SqlCredentials, TokenStore):
    """Keeps authorizations in SQLite, PostgreSQL, MySQL or MariaDB.

    Leases are counted in whole seconds of the database's clock: one lasts its `ttl` at least, and up to a second more.
    """

    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability)

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._database = database
        self._statements = statements.Statements(database.dialect)
        self._skips_locked_rows: bool | None = None

    @classmethod
    def open(cls, url: str) -> Self:
        """See `TokenStore.open`; the URL is one of SQLAlchemy's."""
        return cls(Database.open(url))

    def save(self, grants: Sequence[Grant]) -> None:
        """See `TokenStore.save`."""
        if grants:
            self._database.write_at_once(self._steps_of_saving(grants))

    def probe(self, grants: Sequence[Grant]) -> None:
        """See `TokenStore.probe`: one transaction that ends as every exchange's does, by a commit."""
        counted = {(one.hour, one.appid) for one in count_grants(grants)}
        removing: list[Step] = [
            (statements.ERASE_ACCOUNT, [{"the_appid": appid} for appid in sorted({one.appid for one in grants})]),
            (statements.ERASE_ACTIVITY, [{"the_hour": hour, "the_appid": appid} for hour, appid in sorted(counted)]),
        ]
        self._database.write_at_once([*self._steps_of_saving(grants), *removing])

    def _steps_of_saving(self, grants: Sequence[Grant]) -> list[Step]:
        require_storable(grants)
        # One order for all who write, so that two batches do not wait for each other; a user's own order is kept.
        rows = [grant_fields(grant) for grant in sorted(grants, key=_user_of)]
        # The counts come last, as many wait for these rows.
        return [(self._statements.save, rows), (self._statements.count, _counts_of(count_grants(grants)))]

    def get(self, appid: str, openid: str) -> Authorization | None:
        """See `TokenStore.get`."""
        return self._database.read(lambda connection: _get(connection, appid, openid))

    def find_by_code(self, digest: bytes, since: int) -> RedeemedCode | None:
        """See `TokenStore.find_by_code`."""
        values = {"the_digest": digest}
        rows = self._database.read(lambda connection: connection.execute(statements.FIND_BY_CODE, values).all())
        recent = [RedeemedCode(*row) for row in rows if row.authorized_at >= since]
        return max(recent, key=lambda one: one.authorized_at, default=None)

    def claim(self, appid: str, openid: str, owner: str, ttl: int) -> Lease | None:
        """See `TokenStore.claim`."""
        values = {**_user(appid, openid), "the_owner": owner, "the_ttl": ttl}

        def work(connection: Connection) -> Lease | None:
            if not _changes(connection, self._statements.claim_user, values):
                return None
            claimed = _get(connection, appid, openid)
            return None if claimed is None else Lease(claimed, owner)

        return self._database.write(work)

    def claim_due(self, appid: str, owner: str, limit: int, ttl: int, due_at: int) -> list[Lease]:
        """See `TokenStore.claim_due`."""
        due = {"the_appid": appid, "the_due_at": due_at, "the_limit": limit}
        lease = {"the_owner": owner, "the_ttl": ttl}

        def work(connection: Connection) -> list[Lease]:
            if self._skips_locked_rows is None:
                self._skips_locked_rows = self._database.dialect.skips_locked_rows(connection)
            claim = self._claim_locked if self._skips_locked_rows else self._claim_sample
            return [Lease(authorization, owner) for authorization in claim(connection, due, lease)]

        return self._database.write(work)

    def reschedule(self, obtained_after: int, due_at: int) -> int:
        """See `TokenStore.reschedule`; a few rows in each transaction, so that nobody waits for all of them."""
        moved, last = 0, self._database.read(lambda connection: connection.scalar(statements.LAST_ID)) or 0
        for after in range(0, last, _RESCHEDULED_AT_ONCE):
            values = {
                "the_id": after,
                "the_last_id": after + _RESCHEDULED_AT_ONCE,
                "the_moment": obtained_after,
                "the_due_at": due_at,
            }
            moved += self._database.write(partial(_count_changes, statement=statements.RESCHEDULE, values=values))
        return moved

    def settle(self, outcomes: Sequence[Outcome]) -> list[bool]:
        """See `TokenStore.settle`."""
        if not outcomes:
            return []
        ids = sorted({outcome.lease.authorization.id for outcome in outcomes})

        def work(connection: Connection) -> list[bool]:
            rows = connection.execute(statements.LOCK_ROWS, {"the_ids": ids})
            found = {row.id: row for row in rows}
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
            for statement, values in _settlements(valid, succeeded):
                connection.execute(statement, values)
            self._add(connection, count_outcomes(valid, succeeded))
            return written

        return self._database.write(work)

    def touch(self, uses: Sequence[Use]) -> None:
        """See `TokenStore.touch`."""
        if not uses:
            return
        rows = [
            {
                **_user(use.appid, use.openid),
                "the_used_at": use.used_at,
                "the_next_refresh_at": use.next_refresh_at,
            }
            for use in sorted(uses, key=_user_of)
        ]
        self._database.write(lambda connection: connection.execute(statements.TOUCH, rows))

    def save_profile(self, profile: Profile) -> bool:
        """See `TokenStore.save_profile`."""
        values = {
            **_user(profile.appid, profile.openid),
            "new_nickname": profile.nickname,
            "new_avatar_url": profile.avatar_url,
            "new_profile_at": profile.profile_at,
            "new_unionid": profile.unionid,
        }
        return self._database.write(lambda connection: _changes(connection, statements.SAVE_PROFILE, values))

    def set_external_id(self, appid: str, openid: str, external_id: str | None) -> bool:
        """See `TokenStore.set_external_id`."""
        require_unicode("external_id", external_id)
        values = {**_user(appid, openid), "new_external_id": external_id}
        return self._database.write(lambda connection: _changes(connection, statements.SET_EXTERNAL_ID, values))

    def user_search(self, limit_seconds: float) -> SqlUserSearch:
        """See `TokenStore.user_search`."""
        return SqlUserSearch(self._database, limit_seconds)

    def counts(self) -> Counts:
        """See `TokenStore.counts`."""

        def work(connection: Connection) -> Counts:
            active = {row[0]: row[1] for row in connection.execute(statements.COUNT_ALL)}
            counted: Counter[tuple[str, Status]] = Counter()
            for appid, status, count in connection.execute(statements.COUNT_INACTIVE):
                counted[appid, Status(status)] += count
                active[appid] = max(0, active.get(appid, 0) - count)
            counted.update({(appid, Status.ACTIVE): count for appid, count in active.items() if count})
            return Counts(dict(counted))

        return self._database.read_within(COUNT_SECONDS, work)

    def activity(self, since: int) -> list[Activity]:
        """See `TokenStore.activity`."""
        values = {"the_hour": hour_of(since)}
        rows = self._database.read(lambda connection: connection.execute(statements.READ_ACTIVITY, values).all())
        return [Activity(hour, appid, ActivityKind(kind), errcode, count) for hour, appid, kind, errcode, count in rows]

    def record(self, activities: Sequence[Activity]) -> None:
        """See `TokenStore.record`."""
        counted = sum_by_hour(activities)
        if counted:
            self._database.write(lambda connection: self._add(connection, counted))

    def revoke(self, appid: str, openid: str) -> bool:
        """See `TokenStore.revoke`."""
        values = _user(appid, openid)
        return self._database.write(lambda connection: _changes(connection, statements.REVOKE, values))

    def erase(self, appid: str, openid: str, *, authorized_before: int | None = None) -> bool:
        """See `TokenStore.erase`."""
        statement, values = statements.ERASE, _user(appid, openid)
        if authorized_before is not None:
            statement, values = statements.ERASE_EARLIER, {**values, "the_moment": authorized_before}
        return self._database.write(lambda connection: _changes(connection, statement, values))

    def sealed_page(self, after: int, limit: int) -> list[SealedRow]:
        """See `TokenStore.sealed_page`."""
        values = {"the_id": after, "the_limit": limit}
        rows = self._database.read(
            lambda connection: connection.execute(statements.SEALED_ROWS, values).mappings().all()
        )
        return [read_sealed_row(row) for row in rows]

    def reseal(self, changes: Sequence[Resealing]) -> list[bool]:
        """See `TokenStore.reseal`."""
        if not changes:
            return []
        return self._database.write(lambda connection: write_resealed(connection, changes))

    def migrate(self, progress: Callable[[str], None]) -> None:
        """See `TokenStore.migrate`; runs the migrations that ship with the code."""
        from storage.sql.core.migrations import upgrade  # noqa: PLC0415 - only who migrates needs Alembic, and its 8 MB

        upgrade(self._database.engine, progress)

    def check_schema(self) -> SchemaReport:
        """See `TokenStore.check_schema`; compares with the migrations that ship with the code."""
        return self._database.read(schema_report)

    def risks(self) -> Sequence[StoreRisk]:
        """See `TokenStore.risks`."""
        return self._database.read(self._database.dialect.risks)

    def close(self) -> None:
        """See `TokenStore.close`."""
        self._database.close()

    def _claim_locked(self, connection: Connection, due: Values, lease: Values) -> list[Authorization]:
        """Claim rows that no other transaction is claiming."""
        rows = connection.execute(self._statements.due_locked, due).mappings().all()
        if rows:
            connection.execute(self._statements.claim_rows, {**lease, "the_ids": [row["id"] for row in rows]})
        return [read_authorization(row, version=row["version"] + 1) for row in rows]

    def _claim_sample(self, connection: Connection, due: Values, lease: Values) -> list[Authorization]:
        """Claim by trying: look at more rows than wanted, pick some by chance, and take those still free.

        Chance keeps claimers from all trying the same rows.
        """
        limit = due["the_limit"]
        rows = connection.execute(self._statements.due, {**due, "the_limit": limit * SAMPLE_FACTOR}).mappings().all()
        picked = sorted((row["id"], row["version"]) for row in random.sample(rows, min(limit, len(rows))))
        claimed = [
            row_id
            for row_id, version in picked
            if _changes(connection, self._statements.claim_row, {**lease, "the_id": row_id, "the_version": version})
        ]
        if not claimed:
            return []
        found = [
            read_authorization(row) for row in connection.execute(statements.GET_ROWS, {"the_ids": claimed}).mappings()
        ]
        return sorted(found, key=lambda one: (one.next_refresh_at or 0, one.id))

    def _add(self, connection: Connection, counted: Sequence[Activity]) -> None:
        """Add to the counts of activity: the last statement of its transaction, as many wait for these rows."""
        if counted:
            connection.execute(self._statements.count, _counts_of(counted))


def _counts_of(counted: Sequence[Activity]) -> list[Values]:
    return [
        {"hour": one.hour, "appid": one.appid, "kind": one.kind.value, "errcode": one.errcode, "count": one.count}
        for one in counted
    ]


def _user(appid: str, openid: str) -> Values:
    return {"the_appid": appid, "the_openid": openid}


def _user_of(record: Grant | Use) -> tuple[str, str]:
    return record.appid, record.openid


def _changes(connection: Connection, statement: Executable, values: Values) -> bool:
    """Execute a statement that changes one row or none; tell which."""
    return connection.execute(statement, values).rowcount == 1


def _count_changes(connection: Connection, *, statement: Executable, values: Values) -> int:
    return connection.execute(statement, values).rowcount


def _get(connection: Connection, appid: str, openid: str) -> Authorization | None:
    row = connection.execute(statements.GET, _user(appid, openid)).mappings().one_or_none()
    return None if row is None else read_authorization(row)


def _settlements(outcomes: Iterable[Outcome], succeeded: Container[int]) -> list[tuple[Executable, list[Values]]]:
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
