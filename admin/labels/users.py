"""What the pages call users' states and fields, the actions on users, and how these end."""

from collections.abc import Mapping
from enum import StrEnum

from admin.services import ActionResult
from admin.web.i18n import N_
from storage.sql.work.jobs import JobAction
from storage.user_search import SearchField, UserSort
from storage.users import Status

__all__ = [
    "ACTION_LABELS",
    "ACTION_MEANINGS",
    "EVENT_LABELS",
    "FILTER_LABELS",
    "RESULT_LABELS",
    "SCOPE_LABELS",
    "SEARCH_FIELD_LABELS",
    "SORT_LABELS",
    "STATUS_BADGES",
    "STATUS_LABELS",
    "TimelineEvent",
]

STATUS_LABELS: Mapping[str, str] = {
    Status.ACTIVE: N_("Active"),
    Status.REAUTHORIZATION_REQUIRED: N_("Re-authorization required"),
    Status.REVOKED: N_("Revoked"),
}
STATUS_BADGES: Mapping[str, str] = {
    Status.ACTIVE: "good",
    Status.REAUTHORIZATION_REQUIRED: "bad",
    Status.REVOKED: "",  # somebody wanted it
}

SCOPE_LABELS: Mapping[str, str] = {
    "snsapi_base": N_("Silent (snsapi_base)"),
    "snsapi_userinfo": N_("Profile (snsapi_userinfo)"),
    "snsapi_login": N_("Website login (snsapi_login)"),
}

SEARCH_FIELD_LABELS: Mapping[str, str] = {
    SearchField.OPENID: N_("openid"),
    SearchField.UNIONID: N_("unionid"),
    SearchField.NICKNAME: N_("Nickname"),
    SearchField.EXTERNAL_ID: N_("External id"),
}

#: What a filter's arguments are called, besides what is searched for.
FILTER_LABELS: Mapping[str, str] = {
    "status": N_("Status"),
    "appid": N_("Account"),
    "scope": N_("Scope"),
    "snapshot": N_("Snapshot user"),
    "errcode": N_("Last errcode"),
    "authorized": N_("Last authorized"),
    "used": N_("Last used"),
    "ends": N_("Expires"),
    "authorized_from": N_("Authorized from"),
    "authorized_to": N_("Authorized to"),
    "used_from": N_("Used from"),
    "used_to": N_("Used to"),
    "ends_from": N_("Expires from"),
    "ends_to": N_("Expires to"),
}

SORT_LABELS: Mapping[str, str] = {
    UserSort.ID: N_("First authorized"),
    UserSort.AUTHORIZED_AT: N_("Last authorized"),
    UserSort.LAST_USED_AT: N_("Last used"),
    UserSort.REFRESH_EXPIRES_AT: N_("Expires"),
}

ACTION_LABELS: Mapping[str, str] = {
    JobAction.REFRESH: N_("Refresh now"),
    JobAction.CHECK: N_("Verify the token"),
    JobAction.PROFILE: N_("Fetch the profile"),
    JobAction.REVOKE: N_("Revoke the authorization"),
    JobAction.ERASE: N_("Erase"),
}
ACTION_MEANINGS: Mapping[str, str] = {
    JobAction.REFRESH: N_("Gets a new access token from WeChat."),
    JobAction.CHECK: N_("Asks WeChat whether the stored access token is valid. Nothing is changed."),
    JobAction.PROFILE: N_("Gets the nickname and avatar from WeChat."),
    JobAction.REVOKE: N_("Deletes the tokens. The user can authorize again."),
    JobAction.ERASE: N_("Deletes all data about the user. This cannot be undone."),
}


class TimelineEvent(StrEnum):
    """What a user's timeline tells besides what operators did."""

    FIRST_AUTHORIZED = "first_authorized"
    AUTHORIZED = "authorized"
    REFRESHED = "refreshed"
    REFRESH_FAILED = "refresh_failed"
    TOKEN_READ = "token_read"  # noqa: S105 - the name of an event


EVENT_LABELS: Mapping[TimelineEvent, str] = {
    TimelineEvent.FIRST_AUTHORIZED: N_("First authorized"),
    TimelineEvent.AUTHORIZED: N_("Last authorized"),
    TimelineEvent.REFRESHED: N_("Last refreshed"),
    TimelineEvent.REFRESH_FAILED: N_("Refresh of the token"),
    TimelineEvent.TOKEN_READ: N_("Token given to a backend"),
}

#: How an action on a user ended.
RESULT_LABELS: Mapping[ActionResult, str] = {
    ActionResult.REFRESHED: N_("The token has been refreshed."),
    ActionResult.VALID: N_("WeChat confirms that the token is valid."),
    ActionResult.INVALID: N_("WeChat says that the token is not valid."),
    ActionResult.PROFILE_FETCHED: N_("The profile has been fetched."),
    ActionResult.REVOKED: N_("The authorization has been revoked."),
    ActionResult.ERASED: N_("All data about the user has been erased."),
    ActionResult.ALREADY_REVOKED: N_("The authorization was revoked earlier."),
    ActionResult.REAUTHORIZATION_REQUIRED: N_("The user must authorize again."),
    ActionResult.REFRESH_TOKEN_REFUSED: N_("WeChat has refused the refresh token: the user must authorize again."),
    ActionResult.FELL_BACK: N_("WeChat has refused the refresh token. A newer silent authorization has taken over."),
    ActionResult.NO_REFRESH_TOKEN: N_("WeChat gave no refresh token. The access token is good until it expires."),
    ActionResult.UNKNOWN_USER: N_("There is no such user."),
    ActionResult.PROFILE_NOT_GRANTED: N_("The user has not granted access to the profile (snsapi_userinfo)."),
    ActionResult.SNAPSHOT_USER: N_("This is the virtual user of a snapshot page, which has no profile."),
    ActionResult.FAILED: N_("WeChat returned an error or no usable answer."),
    ActionResult.PAUSED: N_("Calls of this account are paused."),
    ActionResult.REFRESH_FAILED: N_("The access token has expired and could not be refreshed."),
    ActionResult.WAITING_AFTER_FAILURE: N_("The access token has expired and its last refresh failed."),
    ActionResult.JUST_REFRESHED: N_("WeChat refuses the access token, which was refreshed a moment ago."),
    ActionResult.REFRESH_IN_PROGRESS: N_("Another process is refreshing this token. Try again in a moment."),
    ActionResult.SUPERSEDED: N_("Another operation changed this user at the same time."),
    ActionResult.SEALED: N_("The stored tokens cannot be decrypted: a key is missing."),
}
