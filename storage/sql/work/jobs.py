"""Jobs: one action on many users, done in the background by whichever process holds the job's lease.

A job knows where it has come to, so a process that ends, or dies, leaves the rest to another. What a dead process did
after it last wrote down its progress is done again.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, or_, select, update

from storage.leases import LONGEST_LEASE_SECONDS
from storage.sql.core.engine import Database
from storage.sql.core.schema import jobs
from storage.sql.counts import count_up_to
from storage.user_search import CappedCount, SearchField, TextMatch, TimeRange, UserFilter
from storage.users import Status

__all__ = ["Job", "JobAction", "JobStatus", "JobTarget", "Jobs", "Position"]

_ROW = jobs.c

#: The cursor of the users before which the work goes on; None at the beginning.
Position = tuple[int | str, int] | None
Users = tuple[tuple[str, str], ...]


class JobAction(StrEnum):
    """What is done to each user."""

    REFRESH = "refresh"
    CHECK = "check"
    PROFILE = "profile"
    REVOKE = "revoke"
    ERASE = "erase"


class JobStatus(StrEnum):
    """How a job stands."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class JobTarget:
    """Whom a job is about: users by their appid and openid or, where there are none, all that a filter matches."""

    users: Users = ()
    filter: UserFilter = field(default_factory=UserFilter)

    def to_json(self) -> str:
        """Write it down."""
        return json.dumps({"users": self.users} if self.users else {"filter": asdict(self.filter)})

    @classmethod
    def from_json(cls, text: str) -> "JobTarget":
        """Read what `to_json` wrote."""
        content = json.loads(text)
        if "users" in content:
            return cls(users=tuple((appid, openid) for appid, openid in content["users"]))
        return cls(filter=_filter_from(content["filter"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as it stood when it was read.

    Attributes:
        expected: How many users it was for when it began.
        done: How many users were acted on.
        until_id: The newest user when it began; those that come later are not its own.
        results: How often the action ended in each way.
        user_results: Of selected users, how it ended for each that was acted on, in the order of the target; None
            where a version before this one did not write it down.
    """

    id: int
    action: JobAction
    status: JobStatus
    target: JobTarget
    operator: str
    request_id: str
    created_at: int
    finished_at: int | None
    expected: CappedCount
    done: int
    position: Position
    until_id: int
    results: Mapping[str, int]
    user_results: Sequence[str | None] = ()

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be done."""
        return self.status in {JobStatus.DONE, JobStatus.STOPPED}


class Jobs:
    """Keeps jobs. Leases are counted on the database's clock."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        action: JobAction,
        target: JobTarget,
        *,
        operator: str,
        request_id: str,
        at: int,
        expected: CappedCount,
        until_id: int,
    ) -> int:
        """Write down a job to be done and return its id."""
        values = {
            "action": action.value,
            "status": JobStatus.RUNNING.value,
            "target": target.to_json(),
            "operator": operator,
            "request_id": request_id,
            "created_at": at,
            "expected": expected.number,
            "expected_more": expected.capped,
            "until_id": until_id,
            "results": "{}",
        }

        def work(connection: Connection) -> int:
            key = connection.execute(insert(jobs), values).inserted_primary_key
            assert key is not None, "every supported database tells the id of a new row"
            return int(key[0])

        return self._database.write(work)

    def get(self, job_id: int) -> Job | None:
        """Return a job, or None."""
        row = self._database.read(lambda connection: connection.execute(select(jobs).where(_ROW.id == job_id)).first())
        return None if row is None else _job(row)

    def list(self, limit: int = 50, after: int | None = None, *, descending: bool = True) -> list[Job]:
        """Return jobs, the newest first unless told otherwise; with `after` those that follow that id in this order."""
        wanted = select(jobs).order_by(_ROW.id.desc() if descending else _ROW.id).limit(limit)
        if after is not None:
            wanted = wanted.where(_ROW.id < after if descending else _ROW.id > after)
        return [_job(row) for row in self._database.read(lambda connection: connection.execute(wanted).all())]

    def count(self) -> CappedCount:
        """Count all jobs, up to a cap."""
        return self._database.read(lambda connection: count_up_to(connection, jobs))

    def claim(self, owner: str, ttl: int) -> Job | None:
        """Lease the oldest running job that no process works on, for `ttl` seconds; None when there is none."""
        now = self._database.dialect.now()
        is_void = _ROW.lease_until > now + LONGEST_LEASE_SECONDS
        is_free = or_(_ROW.lease_until.is_(None), _ROW.lease_until < now, is_void)
        free = and_(_ROW.status == JobStatus.RUNNING.value, is_free)
        candidate = select(_ROW.id).where(free).order_by(_ROW.id).limit(1)

        def work(connection: Connection) -> Job | None:
            job_id = connection.scalar(candidate)
            if job_id is None:
                return None
            leased = update(jobs).where(_ROW.id == job_id, free).values(lease_owner=owner, lease_until=now + ttl)
            if connection.execute(leased).rowcount != 1:
                return None
            return _job(connection.execute(select(jobs).where(_ROW.id == job_id)).one())

        if self._database.read(lambda connection: connection.scalar(candidate)) is None:
            return None  # nothing is written, nor any write waited for, while there is nothing to do
        return self._database.write(work)

    def advance(
        self, job_id: int, owner: str, ttl: int, *, position: Position, results: Sequence[str], by_user: bool = False
    ) -> JobStatus | None:
        """Write down progress and keep the lease; return what the job is to be now.

        Returns None, and writes nothing, when the lease was lost.

        Args:
            job_id: The job.
            owner: Who holds its lease.
            ttl: For how many seconds it is kept.
            position: Where the work goes on.
            results: How the action ended for each user of a batch, in their order.
            by_user: Whether to keep this user by user, and not only how often it ended in each way.
        """
        is_held = and_(_ROW.id == job_id, _ROW.lease_owner == owner)

        def work(connection: Connection) -> JobStatus | None:
            wanted = select(_ROW.status, _ROW.results, _ROW.user_results, _ROW.done)
            row = connection.execute(wanted.where(is_held).with_for_update()).first()
            if row is None:
                return None
            added = Counter(json.loads(row.results)) + Counter(results)
            values: dict[str, Any] = {
                "position": None if position is None else json.dumps(position),
                "results": json.dumps(added),
                "done": added.total(),
                "lease_until": self._database.dialect.now() + ttl,
            }
            if by_user and results:
                known = json.loads(row.user_results or "[]")
                values["user_results"] = json.dumps([*known, *[None] * (row.done - len(known)), *results])
            connection.execute(update(jobs).where(is_held).values(values))
            return JobStatus(row.status)

        return self._database.write(work)

    def release(self, job_id: int, owner: str) -> None:
        """Release a lease, so that another process may go on at once."""
        released = update(jobs).where(_ROW.id == job_id, _ROW.lease_owner == owner)
        self._change(released.values(lease_owner=None, lease_until=None))

    def finish(self, job_id: int, owner: str, at: int) -> bool:
        """Note that a job has come to its end. False when it was stopped meanwhile, or the lease lost."""
        held = and_(_ROW.id == job_id, _ROW.lease_owner == owner, _ROW.status == JobStatus.RUNNING.value)
        values = {"status": JobStatus.DONE.value, "finished_at": at, "lease_owner": None, "lease_until": None}
        return self._change(update(jobs).where(held).values(values))

    def pause(self, job_id: int) -> bool:
        """Have a running job wait. False when it does not run."""
        return self._move(job_id, JobStatus.RUNNING, JobStatus.PAUSED)

    def resume(self, job_id: int) -> bool:
        """Have a paused job go on. False when it is not paused."""
        return self._move(job_id, JobStatus.PAUSED, JobStatus.RUNNING)

    def stop(self, job_id: int, at: int) -> bool:
        """End a job for good. False when it is over already."""
        unfinished = _ROW.status.in_([JobStatus.RUNNING.value, JobStatus.PAUSED.value])
        stopped = update(jobs).where(_ROW.id == job_id, unfinished)
        return self._change(stopped.values(status=JobStatus.STOPPED.value, finished_at=at))

    def _move(self, job_id: int, before: JobStatus, after: JobStatus) -> bool:
        moved = update(jobs).where(_ROW.id == job_id, _ROW.status == before.value)
        return self._change(moved.values(status=after.value))

    def _change(self, statement: Any) -> bool:
        return self._database.write(lambda connection: connection.execute(statement).rowcount == 1)


def _job(row: Row[Any]) -> Job:
    position = None if row.position is None else json.loads(row.position)
    return Job(
        id=row.id,
        action=JobAction(row.action),
        status=JobStatus(row.status),
        target=JobTarget.from_json(row.target),
        operator=row.operator,
        request_id=row.request_id,
        created_at=row.created_at,
        finished_at=row.finished_at,
        expected=CappedCount(row.expected, row.expected_more),
        done=row.done,
        position=None if position is None else (position[0], position[1]),
        until_id=row.until_id,
        results=json.loads(row.results),
        user_results=json.loads(row.user_results or "[]"),
    )


def _filter_from(content: dict[str, Any]) -> UserFilter:
    searched = content["searched"]
    return UserFilter(
        appid=content["appid"],
        status=None if content["status"] is None else Status(content["status"]),
        scope=content["scope"],
        is_snapshotuser=content["is_snapshotuser"],
        last_error_code=content["last_error_code"],
        authorized=TimeRange(**content["authorized"]),
        used=TimeRange(**content["used"]),
        ending=TimeRange(**content["ending"]),
        searched=searched and TextMatch(SearchField(searched["field"]), searched["text"], searched["exact"]),
    )
