"""Jobs: one action on many users. Choosing them, confirming, watching, pausing, stopping."""

import json
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode

from admin.base import AdminHandler, Refused
from admin.user_filters import Listing
from admin.user_labels import (
    ACTION_LABELS,
    ACTION_MEANINGS,
    CONFIRMED_BY,
    JOB_BADGES,
    JOB_STATUSES,
    OUTCOMES,
    tally_text,
)
from admin.users import directory_of
from storage.directory import Tally
from storage.sql.audit import AuditAction
from storage.sql.jobs import Job, JobAction, JobTarget
from storage.sql.operators import Role

__all__ = ["routes"]

_PAGE_SIZE = 50
#: As many as a page of users has.
_MOST_SELECTED = 500


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a form asks for: an action, and the users it names or the filter it was opened with."""

    action: JobAction
    users: tuple[tuple[str, str], ...]
    query: str

    @property
    def target(self) -> JobTarget:
        if self.users:
            return JobTarget(users=self.users)
        arguments = dict(parse_qsl(self.query))
        return JobTarget(filter=Listing.read(lambda name: arguments.get(name, "")).filter)


class _WishHandler(AdminHandler):
    """About a job that is to be made."""

    requires = Role.OPERATOR

    def wish(self) -> _Wish:
        """Read the form.

        Raises:
            Refused: It makes no sense.
        """
        try:
            action = JobAction(self.get_body_argument("action", ""))
            chosen = [json.loads(text) for text in self.get_body_arguments("user")]
            users = tuple((str(appid), str(openid)) for appid, openid in chosen)
        except (ValueError, TypeError):
            raise Refused(HTTPStatus.BAD_REQUEST, "This form makes no sense. Go back and try again.") from None
        everybody = self.get_body_argument("whom", "selected") == "all"
        if not everybody and not users:
            raise Refused(HTTPStatus.BAD_REQUEST, "No user is selected. Go back and select some.")
        if len(users) > _MOST_SELECTED:
            raise Refused(HTTPStatus.BAD_REQUEST, "Too many users are selected. Use a filter instead.")
        query = urlencode(parse_qsl(self.get_body_argument("filter", "")))
        return _Wish(action, () if everybody else users, query)

    async def count(self, wish: _Wish) -> Tally:
        """Count the users of a wish, up to the cap."""
        if wish.users:
            return Tally(len(wish.users))
        return await self.run(directory_of(self).count, wish.target.filter)


class ConfirmJobHandler(_WishHandler):
    """`POST /admin/jobs/confirm`: shows what a job would do. It changes nothing."""

    requires = Role.OPERATOR

    async def post(self) -> None:
        """Show it."""
        await self.show(self.wish())

    async def show(self, wish: _Wish, problem: str = "") -> None:
        """Show the form that makes the job."""
        self.render(
            "job_confirm.html",
            tally=tally_text,
            wish=wish,
            users=[json.dumps(user) for user in wish.users],
            count=await self.count(wish),
            # Users who were selected one by one are meant whatever the filter says.
            conditions=[
                (name, value)
                for name, value in parse_qsl("" if wish.users else wish.query)
                if name not in {"sort", "order"}
            ],
            word=CONFIRMED_BY.get(wish.action, ""),
            problem=problem,
            actions=ACTION_LABELS,
            meanings=ACTION_MEANINGS,
        )


class JobsHandler(ConfirmJobHandler):
    """`/admin/jobs`: all jobs, the newest first; and making one."""

    requires = Role.OPERATOR

    async def get(self) -> None:
        """Show them."""
        before = self.get_query_argument("before", "")
        listed = await self.run(
            self.services.jobs.list, _PAGE_SIZE, int(before) if before.isascii() and before.isdigit() else None
        )
        self.render(
            "jobs.html",
            tally=tally_text,
            jobs=listed,
            older=listed[-1].id if len(listed) == _PAGE_SIZE else None,
            share=_share,
            actions=ACTION_LABELS,
            statuses=JOB_STATUSES,
            badges=JOB_BADGES,
        )

    async def post(self) -> None:
        """Make a job that was confirmed."""
        wish = self.wish()
        word = CONFIRMED_BY.get(wish.action, "")
        if self.get_body_argument("confirmation", "").strip() != word:
            await self.show(wish, "Type the word to confirm.")
            return
        count = await self.count(wish)
        until_id = 0 if wish.users else await self.run(directory_of(self).last_id)
        job_id = await self.run(
            lambda: self.services.jobs.add(
                wish.action,
                wish.target,
                operator=self.operator.operator,
                request_id=self.request_id,
                at=self.services.clock.now(),
                expected=count,
                until_id=until_id,
            )
        )
        await self.audit(
            AuditAction.JOB_START,
            subject=str(job_id),
            doing=wish.action,
            users=f"{count.number}{'+' if count.capped else ''}",
            filter="" if wish.users else wish.query,
        )
        self.redirect(f"/admin/jobs/{job_id}", status=HTTPStatus.SEE_OTHER)


class JobHandler(AdminHandler):
    """`GET /admin/jobs/{id}`: a job and how far it has come."""

    requires = Role.OPERATOR

    async def get(self, number: str) -> None:
        """Show it."""
        job = await self.run(self.services.jobs.get, int(number))
        if job is None:
            raise Refused(HTTPStatus.NOT_FOUND, "There is no such job.")
        self.render(
            "job.html",
            tally=tally_text,
            job=job,
            share=_share(job),
            outcomes=OUTCOMES,
            actions=ACTION_LABELS,
            meanings=ACTION_MEANINGS,
            statuses=JOB_STATUSES,
            badges=JOB_BADGES,
        )


class JobChangeHandler(AdminHandler):
    """`POST /admin/jobs/{id}/{pause|resume|stop}`: changes how a job goes on."""

    requires = Role.OPERATOR

    async def post(self, number: str, change: str) -> None:
        """Change it and go back to it."""
        jobs, job_id = self.services.jobs, int(number)
        match change:
            case "pause":
                action, changed = AuditAction.JOB_PAUSE, await self.run(jobs.pause, job_id)
            case "resume":
                action, changed = AuditAction.JOB_RESUME, await self.run(jobs.resume, job_id)
            case _:
                action, changed = AuditAction.JOB_STOP, await self.run(jobs.stop, job_id, self.services.clock.now())
        if changed:
            await self.audit(action, subject=number)
            self.redirect(f"/admin/jobs/{number}", status=HTTPStatus.SEE_OTHER)
        else:
            self.redirect_with_notice(f"/admin/jobs/{number}", "The job had moved on already.", good=False)


def _share(job: Job) -> int | None:
    """Return how much of a job is done, in percent; None when its end is not known."""
    if job.is_over:
        return 100
    if job.expected.capped:
        return None
    return min(100, 100 * job.done // max(1, job.expected.number))


routes: list[tuple[str, type[AdminHandler]]] = [
    (r"/admin/jobs", JobsHandler),
    (r"/admin/jobs/confirm", ConfirmJobHandler),
    (r"/admin/jobs/(\d{1,18})", JobHandler),
    (r"/admin/jobs/(\d{1,18})/(pause|resume|stop)", JobChangeHandler),
]
