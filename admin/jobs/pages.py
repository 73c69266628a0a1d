"""Jobs: one action on many users. Choosing them, confirming, watching, pausing, stopping."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from http import HTTPStatus
from itertools import zip_longest
from urllib.parse import parse_qsl, urlencode

from admin.labels.audit import UNKNOWN
from admin.labels.jobs import JOB_BADGES, JOB_MEANINGS, JOB_STATUS_LABELS, RESULT_FILTERS, SUCCESSES
from admin.labels.users import ACTION_LABELS, ACTION_MEANINGS, RESULT_LABELS
from admin.lists.counts import count_text
from admin.lists.paging import Place
from admin.services import ActionResult
from admin.users.filters import FIELDS, Listing, arguments_of, describe_filter
from admin.users.list_page import user_search_of
from admin.web.errors import PageError
from admin.web.handler import AdminHandler, AdminRoute
from admin.web.i18n import N_
from admin.web.inputs import parse_choice, parse_text, parse_user_key
from admin.web.links import user_path
from admin.web.notices import Notice
from admin.web.time_zones import PageTime
from storage.sql.accounts.audit import AuditAction
from storage.sql.accounts.operators import Role
from storage.sql.work.jobs import Job, JobAction, JobStatus, JobTarget
from storage.user_search import CappedCount

__all__ = ["routes"]

_PAGE_SIZE = 50
#: As many as a page of users has.
_MOST_SELECTED = 500
#: Longer than any filter of the list of users.
_LONGEST_FILTER = 8192
#: These cannot be undone: the number of users has to be typed before they are done to many.
_CONFIRMED = frozenset({JobAction.REVOKE, JobAction.ERASE})


@dataclass(frozen=True, slots=True)
class _JobRequest:
    """What a form asks for: an action, and the users it names or the filter it was opened with."""

    action: JobAction
    users: tuple[tuple[str, str], ...]
    query: str
    page_time: PageTime

    @property
    def target(self) -> JobTarget:
        if self.users:
            return JobTarget(users=self.users)
        arguments = dict(parse_qsl(self.query))
        return JobTarget(filter=Listing.read(lambda name: arguments.get(name, ""), self.page_time).filter)


class _JobsHandler(AdminHandler):
    """About jobs, made or to be made."""

    requires = Role.OPERATOR

    def conditions(self, target: JobTarget) -> list[tuple[str, str]]:
        """Return what a target's filter asks for, in the reader's words. Selected users are meant whatever it says."""
        if target.users:
            return []
        return describe_filter(target.filter, self.services.account_names, self.locale.translate, self.time_zone)

    def describe_target(self, target: JobTarget) -> str:
        """Return in a few words, in the page's language, which users a target is about."""
        translate = self.locale.translate
        match len(target.users):
            case 0:
                return translate(N_("all users that match the filter") if self.conditions(target) else N_("all users"))
            case 1:
                return translate(N_("1 selected user"))
            case number:
                return translate(N_("%s selected users")) % number


class _JobRequestHandler(_JobsHandler):
    """About a job that is to be made."""

    requires = Role.OPERATOR

    def read_request(self) -> _JobRequest:
        """Read the form.

        Raises:
            PageError: It is not valid.
        """
        action = parse_choice(JobAction, self.get_body_argument("action", ""))
        if action is None:
            raise PageError(HTTPStatus.BAD_REQUEST, N_("Choose an action."))
        given = self.get_body_arguments("user")
        if len(given) > _MOST_SELECTED:
            raise PageError(HTTPStatus.BAD_REQUEST, N_("Too many users are selected. Use a filter instead."))
        everybody = self.get_body_argument("whom", "selected") == "all"
        if not everybody and not given:
            raise PageError(HTTPStatus.BAD_REQUEST, N_("No user is selected. Go back and select some."))
        arguments = parse_qsl(parse_text(self.get_body_argument("filter", ""), _LONGEST_FILTER))
        query = urlencode([(name, value) for name, value in arguments if name in FIELDS])
        users = () if everybody else tuple(parse_user_key(one) for one in given)
        return _JobRequest(action, users, query, self.page_time)

    async def count(self, wanted: _JobRequest) -> CappedCount:
        """Count the users of a request, up to the cap."""
        if wanted.users:
            return CappedCount(len(wanted.users))
        return await self.run(user_search_of(self).count, wanted.target.filter)


class ConfirmJobHandler(_JobRequestHandler):
    """`POST /admin/jobs/confirm`: shows what a job would do. It changes nothing."""

    requires = Role.OPERATOR

    async def post(self) -> None:
        """Show it."""
        wanted = self.read_request()
        self.show(wanted, await self.count(wanted))

    def show(self, wanted: _JobRequest, count: CappedCount, problem: str = "") -> None:
        """Show the form that makes the job."""
        self.render(
            "jobs/confirm.html",
            count_text=count_text,
            wanted=wanted,
            users=[json.dumps(user) for user in wanted.users],
            count=count,
            target=self.describe_target(wanted.target),
            conditions=self.conditions(wanted.target),
            is_confirmed_by_number=wanted.action in _CONFIRMED,
            problem=problem,
            path_of=user_path,
            actions=ACTION_LABELS,
            meanings=_meanings(count),
        )


class JobsHandler(ConfirmJobHandler):
    """`/admin/jobs`: all jobs, the newest first; and making one."""

    requires = Role.OPERATOR

    async def get(self) -> None:
        """Show them."""
        jobs, place = self.services.jobs, Place.read(lambda name: self.get_query_argument(name, ""))
        after = place.after_number()
        found = await self.run(
            jobs.list, _PAGE_SIZE + 1, None if after is None else after[1], descending=not place.is_backward
        )
        page = place.turn(
            found[:_PAGE_SIZE],
            _PAGE_SIZE,
            has_more=len(found) > _PAGE_SIZE,
            place_of=lambda job: (job.id, job.id),
            arguments=(),
        )
        self.render(
            "jobs/list.html",
            count_text=count_text,
            page=page,
            count=await self.run(jobs.count),
            list_path=self.request.path,
            actions=ACTION_LABELS,
            state_of=_state,
            describe_target=self.describe_target,
            conditions_of=self.conditions,
        )

    async def post(self) -> None:
        """Make a job that was confirmed."""
        wanted = self.read_request()
        count = await self.count(wanted)
        if wanted.action in _CONFIRMED and self._typed_number() != str(count.number):
            self.show(wanted, count, N_("Type the number of users to confirm. It may have changed meanwhile."))
            return
        until_id = 0 if wanted.users else await self.run(user_search_of(self).last_id)
        job_id = await self.run(
            lambda: self.services.jobs.add(
                wanted.action,
                wanted.target,
                operator=self.session.operator,
                request_id=self.request_id,
                at=self.services.clock.now(),
                expected=count,
                until_id=until_id,
            )
        )
        await self.audit(
            AuditAction.JOB_START,
            subject=str(job_id),
            doing=wanted.action,
            users=f"{count.number}{'+' if count.capped else ''}",
            filter=None if wanted.users else wanted.query or None,
        )
        self.redirect(f"/admin/jobs/{job_id}", status=HTTPStatus.SEE_OTHER)

    def _typed_number(self) -> str:
        """Return the number of users that was typed, whether as the page shows it or without its commas."""
        return self.get_body_argument("confirmation", "").strip().removesuffix("+").replace(",", "")


class JobHandler(_JobsHandler):
    """`GET /admin/jobs/{id}`: a job and how far it has come."""

    requires = Role.OPERATOR

    async def get(self, number: str) -> None:
        """Show it."""
        job = await self.run(self.services.jobs.get, int(number))
        if job is None:
            raise PageError(HTTPStatus.NOT_FOUND, N_("There is no such job."))
        self.render(
            "jobs/job.html",
            count_text=count_text,
            path_of=user_path,
            job=job,
            share=_share(job),
            state=_state(job),
            result_label=_result_label,
            users_after=lambda job, word: _users_after(job, word, self.time_zone),
            actions=ACTION_LABELS,
            meanings=_meanings(job.expected),
            target=self.describe_target(job.target),
            conditions=self.conditions(job.target),
            filter=list(arguments_of(job.target.filter, self.time_zone).items()),
            selected=_selected(job),
            accounts=self.services.account_names,
            is_success=lambda word: ActionResult.from_stored(word) in SUCCESSES[job.action],
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
            self.redirect_with_notice(f"/admin/jobs/{number}", Notice.JOB_ALREADY_CHANGED)


def _meanings(count: CappedCount) -> Mapping[str, str]:
    """Return the words for what actions do, to one user or to many."""
    return ACTION_MEANINGS if count == CappedCount(1) else JOB_MEANINGS


def _state(job: Job) -> tuple[str, str]:
    """Return a job's badge and what it says: that all is done does not mean that it went well."""
    successes = SUCCESSES[job.action]
    succeeded = sum(number for word, number in job.results.items() if ActionResult.from_stored(word) in successes)
    if job.status is not JobStatus.DONE or succeeded == job.done:
        return JOB_BADGES[job.status], JOB_STATUS_LABELS[job.status]
    return ("warn", N_("Finished with failures")) if succeeded else ("bad", N_("Finished; all failed"))


def _selected(job: Job) -> list[tuple[str, str, str | None]]:
    """Return the appid and openid of each selected user with how the action ended, failures first."""
    users = [
        (appid, openid, result)
        for (appid, openid), result in zip_longest(job.target.users, job.user_results[: len(job.target.users)])
    ]
    successes = SUCCESSES[job.action]
    return sorted(users, key=lambda user: user[2] is None or ActionResult.from_stored(user[2]) in successes)


def _users_after(job: Job, word: str, zone: tzinfo) -> list[tuple[str, str]]:
    """Return the filter of those users of a job whose action ended so; empty where none tells them from others."""
    result = ActionResult.from_stored(word)
    if job.target.users or result not in RESULT_FILTERS:
        return []
    # What an action changes about a user is not what the user was found by any more.
    given = arguments_of(job.target.filter, zone)
    given.pop("errcode", None)
    return list((given | dict([RESULT_FILTERS[result]])).items())


def _result_label(word: str) -> str:
    result = ActionResult.from_stored(word)
    return UNKNOWN if result is None else RESULT_LABELS[result]


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
