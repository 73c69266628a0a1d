"""What the pages call users' states, actions and outcomes. In English; templates translate."""

from collections.abc import Mapping

from storage.activity import ActivityKind
from storage.sql.work.jobs import JobAction, JobStatus
from storage.user_search import SearchField, Tally, UserSort
from storage.users import Status

__all__ = [
    "ACTION_LABELS",
    "ACTION_MEANINGS",
    "ACTIVITY",
    "CONFIRMED_BY",
    "FILTERS",
    "JOB_BADGES",
    "JOB_MEANINGS",
    "JOB_STATUSES",
    "OUTCOMES",
    "OUTCOME_FILTERS",
    "SCOPES",
    "SEARCH_FIELDS",
    "SORTS",
    "STATUSES",
    "STATUS_BADGES",
    "SUCCESSES",
    "tally_text",
]

STATUSES: Mapping[str, str] = {
    Status.ACTIVE: "Active",
    Status.NEEDS_REAUTHORIZATION: "Must authorize again",
    Status.REVOKED: "Revoked",
}
STATUS_BADGES: Mapping[str, str] = {Status.ACTIVE: "good", Status.NEEDS_REAUTHORIZATION: "warn", Status.REVOKED: "bad"}

SCOPES: Mapping[str, str] = {"snsapi_base": "Silent (snsapi_base)", "snsapi_userinfo": "Profile (snsapi_userinfo)"}

SEARCH_FIELDS: Mapping[str, str] = {
    SearchField.OPENID: "openid",
    SearchField.UNIONID: "unionid",
    SearchField.NICKNAME: "Nickname",
}

#: What a filter's arguments are called, besides what is searched for.
FILTERS: Mapping[str, str] = {
    "status": "Status",
    "appid": "Account",
    "scope": "Scope",
    "snapshot": "Snapshot user",
    "errcode": "Last errcode",
    "authorized_from": "Authorized from (UTC)",
    "authorized_to": "Authorized to (UTC)",
    "used_from": "Used from (UTC)",
    "used_to": "Used to (UTC)",
    "ends_from": "Ends from (UTC)",
    "ends_to": "Ends to (UTC)",
}

SORTS: Mapping[str, str] = {
    UserSort.ID: "First seen",
    UserSort.AUTHORIZED_AT: "Last authorized",
    UserSort.LAST_USED_AT: "Last used",
    UserSort.REFRESH_EXPIRES_AT: "Ends",
}

ACTION_LABELS: Mapping[str, str] = {
    JobAction.REFRESH: "Refresh now",
    JobAction.CHECK: "Check with WeChat",
    JobAction.PROFILE: "Fetch the profile",
    JobAction.REVOKE: "Revoke the authorization",
    JobAction.ERASE: "Erase",
}
ACTION_MEANINGS: Mapping[str, str] = {
    JobAction.REFRESH: "Asks WeChat for a new access token.",
    JobAction.CHECK: "Asks WeChat whether the stored access token is valid. Nothing changes.",
    JobAction.PROFILE: "Asks WeChat for the nickname and the picture.",
    JobAction.REVOKE: "Forgets the tokens. The user may authorize again.",
    JobAction.ERASE: "Deletes everything that is kept about the user. Nothing brings it back.",
}
#: The same, where it is done to many.
JOB_MEANINGS: Mapping[str, str] = {
    JobAction.REFRESH: "Asks WeChat for a new access token of each user.",
    JobAction.CHECK: "Asks WeChat whether each user's stored access token is valid. Nothing changes.",
    JobAction.PROFILE: "Asks WeChat for each user's nickname and picture.",
    JobAction.REVOKE: "Forgets the tokens of all these users. They may authorize again.",
    JobAction.ERASE: "Deletes everything that is kept about all these users. Nothing brings it back.",
}
#: What has to be typed before these are done to many.
CONFIRMED_BY: Mapping[str, str] = {JobAction.REVOKE: "REVOKE", JobAction.ERASE: "ERASE"}

#: How an action on a user ended.
OUTCOMES: Mapping[str, str] = {
    "refreshed": "The token is refreshed.",
    "valid": "WeChat says that the token is valid.",
    "invalid": "WeChat says that the token is not valid.",
    "fetched": "The profile is fetched.",
    "revoked": "The authorization is revoked.",
    "erased": "Everything about the user is erased.",
    "needs_reauthorization": "The user must authorize again.",
    "reauthorization_needed": "WeChat says that the user must authorize again.",
    "failed": "WeChat refused, or gave no usable answer.",
    "paused": "The account's calls pause just now.",
    "superseded": "Somebody else changed this user at the same moment.",
    "try_later": "Somebody else is refreshing this user just now.",
    "profile_not_granted": "The user has not granted the profile (snsapi_userinfo).",
    "snapshot_user": "This is the virtual user of a snapshot page; there is no profile.",
    "sealed": "The tokens do not open: a key is missing.",
    "unknown_user": "There is no such user.",
}

#: The outcomes by which an action did what it is for.
SUCCESSES: Mapping[JobAction, frozenset[str]] = {
    JobAction.REFRESH: frozenset({"refreshed"}),
    JobAction.CHECK: frozenset({"valid", "invalid"}),
    JobAction.PROFILE: frozenset({"fetched"}),
    JobAction.REVOKE: frozenset({"revoked"}),
    JobAction.ERASE: frozenset({"erased"}),
}
#: The argument of a filter that finds the users whose action ended so.
OUTCOME_FILTERS: Mapping[str, tuple[str, str]] = {
    "needs_reauthorization": ("status", Status.NEEDS_REAUTHORIZATION),
    "reauthorization_needed": ("status", Status.NEEDS_REAUTHORIZATION),
    "revoked": ("status", Status.REVOKED),
    "snapshot_user": ("snapshot", "yes"),
}

JOB_STATUSES: Mapping[str, str] = {
    JobStatus.RUNNING: "Running",
    JobStatus.PAUSED: "Paused",
    JobStatus.STOPPED: "Stopped",
    JobStatus.DONE: "Finished",
}
JOB_BADGES: Mapping[str, str] = {
    JobStatus.RUNNING: "info",
    JobStatus.PAUSED: "warn",
    JobStatus.STOPPED: "bad",
    JobStatus.DONE: "good",
}

ACTIVITY: Mapping[str, str] = {
    ActivityKind.AUTHORIZED: "Authorizations",
    ActivityKind.REFRESHED: "Refreshes",
    ActivityKind.REFRESH_FAILED: "Failed refreshes",
    ActivityKind.REAUTHORIZATION_NEEDED: "Ended authorizations",
    ActivityKind.EXCHANGE_FAILED: "Failed exchanges",
}


def tally_text(tally: Tally) -> str:
    """Write a count; `10,000+` where it stopped."""
    return f"{tally.number:,}{'+' if tally.capped else ''}"
