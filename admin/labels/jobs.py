"""What the pages call jobs: what they do to many users, and how they stand."""

from collections.abc import Mapping

from admin.services import ActionResult
from admin.web.i18n import N_
from storage.sql.work.jobs import JobAction, JobStatus
from storage.users import Status

__all__ = ["JOB_BADGES", "JOB_MEANINGS", "JOB_STATUS_LABELS", "RESULT_FILTERS", "SUCCESSES"]

#: What an action does, where it is done to many.
JOB_MEANINGS: Mapping[str, str] = {
    JobAction.REFRESH: N_("Gets a new access token from WeChat for each user."),
    JobAction.CHECK: N_("Asks WeChat whether each user's stored access token is valid. Nothing is changed."),
    JobAction.PROFILE: N_("Gets each user's nickname and avatar from WeChat."),
    JobAction.REVOKE: N_("Deletes the tokens of all these users. They can authorize again."),
    JobAction.ERASE: N_("Deletes all data about all these users. This cannot be undone."),
}

#: The results by which an action did what it is for.
SUCCESSES: Mapping[JobAction, frozenset[ActionResult]] = {
    JobAction.REFRESH: frozenset({ActionResult.REFRESHED}),
    JobAction.CHECK: frozenset({ActionResult.VALID, ActionResult.INVALID}),
    JobAction.PROFILE: frozenset({ActionResult.PROFILE_FETCHED}),
    JobAction.REVOKE: frozenset({ActionResult.REVOKED, ActionResult.ALREADY_REVOKED}),
    JobAction.ERASE: frozenset({ActionResult.ERASED}),
}

#: The argument of a filter that finds the users whose action ended so.
RESULT_FILTERS: Mapping[ActionResult | None, tuple[str, str]] = {
    ActionResult.REAUTHORIZATION_REQUIRED: ("status", Status.REAUTHORIZATION_REQUIRED),
    ActionResult.REFRESH_TOKEN_REFUSED: ("status", Status.REAUTHORIZATION_REQUIRED),
    ActionResult.REVOKED: ("status", Status.REVOKED),
    ActionResult.ALREADY_REVOKED: ("status", Status.REVOKED),
    ActionResult.SNAPSHOT_USER: ("snapshot", "yes"),
}

JOB_STATUS_LABELS: Mapping[str, str] = {
    JobStatus.RUNNING: N_("Running"),
    JobStatus.PAUSED: N_("Paused"),
    JobStatus.STOPPED: N_("Stopped"),
    JobStatus.DONE: N_("Finished"),
}
JOB_BADGES: Mapping[str, str] = {
    JobStatus.RUNNING: "info",
    JobStatus.PAUSED: "warn",
    JobStatus.STOPPED: "bad",
    JobStatus.DONE: "good",
}
