"""`JobRunner`: does the work of jobs in the background, in whichever process gets the lease."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from admin.services import ActionOutcome, ActionResult, AdminServices
from admin.users.audit_actions import AUDIT_ACTIONS
from admin.users.audited_action import perform_audited
from storage.base.periodic import Periodic
from storage.base.tasks import happens_within
from storage.sql.accounts.audit import AuditResult, NewAuditEntry
from storage.sql.work.jobs import Job, JobAction, JobStatus, Position
from storage.user_search import UserQuery, UserSearch, UserSort

__all__ = ["JobRunner"]

#: Users between two notes of the progress: what a process that dies did since the last one is done again.
_BATCH = 40
#: Users acted on at once.
_AT_ONCE = 8
#: The lease lasts longer than any batch takes: eight at a time, each under five seconds.
_LEASE_TTL = 60
#: Each of these is written down with its user: it cannot be undone.
_AUDITED_ONE_BY_ONE = frozenset({JobAction.REVOKE, JobAction.ERASE})

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Batch:
    """The next users of a job, and where it goes on after them; `is_last` when there are no more."""

    users: Sequence[tuple[str, str]]
    position: Position
    is_last: bool


class JobRunner:
    """Looks for jobs every few seconds and works on one at a time. Belongs to one event loop.

    Args:
        services: What the work needs.
        user_search: Lists users, with longer timeouts than pages have; None does only jobs that name their users.
        owner: A name for this process that no other has.
        every_seconds: The pause between two looks.
        max_per_second: Users a second that WeChat is asked about.
        pause_seconds: The wait before it asks again for users of an account whose calls are paused.
    """

    def __init__(
        self,
        services: AdminServices,
        user_search: UserSearch | None,
        owner: str,
        *,
        every_seconds: float = 2.0,
        max_per_second: float = 50.0,
        pause_seconds: float = 5.0,
    ) -> None:
        self._services = services
        self._user_search = user_search
        self._owner = owner
        self._max_per_second = max_per_second
        self._pause_seconds = pause_seconds
        self._periodic = Periodic("work on jobs", self.work, every_seconds)
        self._stopping = self._periodic.stopping

    def start(self) -> None:
        """Begin to work in the background."""
        self._periodic.start()

    async def stop(self) -> None:
        """Finish the batch under way and leave the rest to others."""
        await self._periodic.stop()

    async def work(self) -> bool:
        """Take a job and work on it until it is done, paused, stopped or lost. False when there was none."""
        job = await asyncio.to_thread(self._services.jobs.claim, self._owner, _LEASE_TTL)
        if job is None:
            return False
        try:
            await self._work_on(job)
        finally:
            await asyncio.to_thread(self._services.jobs.release, job.id, self._owner)
        return True

    async def _work_on(self, job: Job) -> None:
        position = job.position
        while not self._stopping.is_set():
            batch = await asyncio.to_thread(self._next_batch, job, position)
            began = asyncio.get_running_loop().time()
            results = await self._act(job, batch.users, position)
            if results is None:
                return
            position = batch.position
            if await self._note(job, position, results) is not JobStatus.RUNNING:
                return
            if batch.is_last:
                await asyncio.to_thread(self._services.jobs.finish, job.id, self._owner, self._services.clock.now())
                return
            if job.action not in _AUDITED_ONE_BY_ONE:
                elapsed = asyncio.get_running_loop().time() - began
                await happens_within(len(batch.users) / self._max_per_second - elapsed, self._stopping)

    async def _act(self, job: Job, users: Sequence[tuple[str, str]], position: Position) -> list[str] | None:
        """Act on all users of a batch; return how it ended for each, or None when the job is not to go on.

        Where an account's calls pause, nothing is asked in vain: the job waits with it.
        """
        results: dict[int, str] = {}
        waiting = list(enumerate(users))
        while waiting:
            paused = []
            for start in range(0, len(waiting), _AT_ONCE):
                some = waiting[start : start + _AT_ONCE]
                outcomes = await asyncio.gather(*(self._perform(job, user) for _, user in some))
                for (place, user), outcome in zip(some, outcomes, strict=True):
                    if outcome.result is ActionResult.PAUSED:
                        paused.append((place, user))
                        continue
                    results[place] = outcome.result.value
            waiting = paused
            if waiting:
                # What is done so far is not written down: were this process to die, it would be done again.
                if self._stopping.is_set() or await self._note(job, position, ()) is not JobStatus.RUNNING:
                    return None
                await happens_within(self._pause_seconds, self._stopping)
        return [results[place] for place in range(len(users))]

    def _next_batch(self, job: Job, position: Position) -> _Batch:
        """Return the users that come next. Blocking."""
        if job.target.users:
            start = position[1] if position is not None else 0
            end = start + _BATCH
            return _Batch(job.target.users[start:end], (end, end), is_last=end >= len(job.target.users))
        if self._user_search is None:
            return _Batch((), position, is_last=True)
        query = UserQuery(filter=job.target.filter, sort=UserSort.ID, descending=False, after=position, limit=_BATCH)
        page = self._user_search.page(query)
        own = [user for user in page.users if user.id <= job.until_id]
        # In the order of the ids, everybody after the first newcomer is one; in that of a text, anybody may be.
        in_order_of_ids = query.ordered_by == UserSort.ID
        is_last = page.next_cursor is None or (in_order_of_ids and len(own) < len(page.users))
        return _Batch([(user.appid, user.openid) for user in own], page.next_cursor or position, is_last)

    async def _note(self, job: Job, position: Position, results: Sequence[str]) -> JobStatus | None:
        by_user = bool(job.target.users)
        return await asyncio.to_thread(
            lambda: self._services.jobs.advance(
                job.id, self._owner, _LEASE_TTL, position=position, results=results, by_user=by_user
            )
        )

    async def _perform(self, job: Job, user: tuple[str, str]) -> ActionOutcome:
        if job.action not in _AUDITED_ONE_BY_ONE:
            return await self._services.users.perform(job.action, *user)

        def entry_for(outcome: ActionOutcome) -> NewAuditEntry:
            return NewAuditEntry(
                at=self._services.clock.now(),
                operator=job.operator,
                action=AUDIT_ACTIONS[job.action],
                result=AuditResult.SUCCESS if outcome.succeeded else AuditResult.FAILED,
                appid=user[0],
                openid=user[1],
                request_id=job.request_id,
                details={"job": job.id},
            )

        return await perform_audited(self._services, job.action, user, entry_for)
