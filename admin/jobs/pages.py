"""Jobs: one action on many users. Choosing them, confirming, watching, pausing, stopping."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode

from admin.labels.users import (
    ACTION_LABELS,
    ACTION_MEANINGS,
    CONFIRMED_BY,
    JOB_BADGES,
    JOB_MEANINGS,
    JOB_STATUSES,
    OUTCOME_FILTERS,
    OUTCOMES,
    SUCCESSES,
    tally_text,
)
from admin.users.filters import Listing, described, given_of
from admin.users.list_page import directory_of
from admin.web.handler import AdminHandler, AdminRoute, Refused
from storage.sql.accounts.audit import AuditAction
from storage.sql.accounts.operators import Role
from storage.sql.work.jobs import Job, JobAction, JobStatus, JobTarget
from storage.user_search import Tally

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


class _JobsHandler(AdminHandler):
    """About jobs, made or to be made."""

    requires = Role.OPERATOR

    def conditions(self, target: JobTarget) -> list[tuple[str, str]]:
        """Return what a target's filter asks for, in the reader's words. Selected users are meant whatever it says."""
        if target.users:
            return []
        return described(target.filter, self.services.account_names, self.locale.translate)

    def whom(self, target: JobTarget) -> str:
        """Say in a few of the reader's words whom a target is about."""
        translate = self.locale.translate
        match len(target.users):
            case 0:
                return translate("all that the filter matches" if self.conditions(target) else "all users")
            case 1:
                return translate("one selected user")
            case number:
                return translate("%s selected users") % number


class _WishHandler(_JobsHandler):
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
        count = await self.count(wish)
        self.render(
            "jobs/confirm.html",
            tally=tally_text,
            wish=wish,
            users=[json.dumps(user) for user in wish.users],
            count=count,
            whom=self.whom(wish.target),
            conditions=self.conditions(wish.target),
            word=CONFIRMED_BY.get(wish.action, ""),
            problem=problem,
            actions=ACTION_LABELS,
            meanings=_meanings(count),
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
            "jobs/list.html",
            tally=tally_text,
            jobs=listed,
            older=listed[-1].id if len(listed) == _PAGE_SIZE else None,
            actions=ACTION_LABELS,
            state_of=_state,
            whom=self.whom,
            conditions_of=self.conditions,
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


class JobHandler(_JobsHandler):
    """`GET /admin/jobs/{id}`: a job and how far it has come."""

    requires = Role.OPERATOR

    async def get(self, number: str) -> None:
        """Show it."""
        job = await self.run(self.services.jobs.get, int(number))
        if job is None:
            raise Refused(HTTPStatus.NOT_FOUND, "There is no such job.")
        self.render(
            "jobs/job.html",
            tally=tally_text,
            job=job,
            share=_share(job),
            state=_state(job),
            outcomes=OUTCOMES,
            users_after=_users_after,
            actions=ACTION_LABELS,
            meanings=_meanings(job.expected),
            whom=self.whom(job.target),
            conditions=self.conditions(job.target),
            filter=list(given_of(job.target.filter).items()),
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


def _meanings(count: Tally) -> Mapping[str, str]:
    """Return the words for what actions do, to one user or to many."""
    return ACTION_MEANINGS if count == Tally(1) else JOB_MEANINGS


def _state(job: Job) -> tuple[str, str]:
    """Return a job's badge and what it says: that all is done does not mean that it went well."""
    succeeded = sum(number for result, number in job.results.items() if result in SUCCESSES[job.action])
    if job.status is not JobStatus.DONE or succeeded == job.done:
        return JOB_BADGES[job.status], JOB_STATUSES[job.status]
    return ("warn", "Finished with failures") if succeeded else ("bad", "Finished; all failed")


def _users_after(job: Job, result: str) -> list[tuple[str, str]]:
    """Return the filter of those users of a job whose action ended so; empty where none tells them from others."""
    if job.target.users or result not in OUTCOME_FILTERS:
        return []
    # What an action changes about a user is not what the user was found by any more.
    given = given_of(job.target.filter)
    given.pop("errcode", None)
    return list((given | dict([OUTCOME_FILTERS[result]])).items())


def _share(job: Job) -> int | None:
    """Return how much of a job is done, in percent; None when its end is not known."""
    if job.is_over:
        return 100
    if job.expected.capped:
        return None
    return min(100, 100 * job.done // max(1, job.expected.number))


routes: list[AdminRoute] = [
    (r"/admin/jobs", JobsHandler),
    (r"/admin/jobs/confirm", ConfirmJobHandler),
    (r"/admin/jobs/(\d{1,18})", JobHandler),
    (r"/admin/jobs/(\d{1,18})/(pause|resume|stop)", JobChangeHandler),
]
