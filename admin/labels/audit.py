"""What the pages call the actions, results and details of the audit log."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from admin.labels.api_keys import KEY_RIGHT_LABELS
from admin.labels.operators import FACTOR_LABELS, ROLE_LABELS
from admin.labels.time_ranges import RELATIVE_RANGE_LABELS
from admin.labels.users import (
    ACTION_LABELS,
    FILTER_LABELS,
    RESULT_LABELS,
    SCOPE_LABELS,
    SEARCH_FIELD_LABELS,
    STATUS_LABELS,
)
from admin.operators.sign_in_refusal import SignInRefusal
from admin.operators.sign_in_ways import SignInWay
from admin.services import ActionResult
from admin.web.i18n import N_
from storage.sql.accounts.audit import COMMAND_LINE, IDENTITY_PROVIDER, AuditAction, AuditEntry, AuditResult

__all__ = [
    "AUDIT_ACTION_LABELS",
    "AUDIT_RESULT_LABELS",
    "DETAIL_LABELS",
    "DETAIL_VALUE_LABELS",
    "UNKNOWN",
    "EntryText",
    "describe_entry",
]

#: What a page says for a word that this version does not know: an entry may have been written by another one.
UNKNOWN = N_("unknown")


AUDIT_ACTION_LABELS: Mapping[str, str] = {
    AuditAction.SIGN_IN: N_("Sign in"),
    AuditAction.SIGN_IN_UNLOCK: N_("Forget attempts to sign in"),
    AuditAction.SIGN_OUT: N_("Sign out"),
    AuditAction.SESSION_END: N_("End sessions"),
    AuditAction.FACTOR_ADD: N_("Add a second factor"),
    AuditAction.FACTOR_REMOVE: N_("Remove a second factor"),
    AuditAction.RECOVERY_CODES: N_("Make recovery codes"),
    AuditAction.PASSWORD_CHANGE: N_("Change own password"),
    AuditAction.USER_REFRESH: N_("Refresh a token"),
    AuditAction.USER_CHECK: N_("Verify a token"),
    AuditAction.USER_PROFILE: N_("Fetch a profile"),
    AuditAction.USER_REVOKE: N_("Revoke a user"),
    AuditAction.USER_ERASE: N_("Erase a user"),
    AuditAction.USER_PROFILE_DROP: N_("Drop a profile"),
    AuditAction.USERS_EXPORT: N_("Export users"),
    AuditAction.JOB_START: N_("Start a bulk job"),
    AuditAction.JOB_PAUSE: N_("Pause a bulk job"),
    AuditAction.JOB_RESUME: N_("Resume a bulk job"),
    AuditAction.JOB_STOP: N_("Stop a bulk job"),
    AuditAction.AUDIT_EXPORT: N_("Export the audit log"),
    AuditAction.OPERATOR_ADD: N_("Add an operator"),
    AuditAction.OPERATOR_ROLE: N_("Change a role"),
    AuditAction.OPERATOR_DISABLE: N_("Disable an operator"),
    AuditAction.OPERATOR_ENABLE: N_("Enable an operator"),
    AuditAction.OPERATOR_FACTORS: N_("Remove an operator's second factors"),
    AuditAction.OPERATOR_PASSWORD: N_("Reset a password"),
    AuditAction.API_KEY_ADD: N_("Create an API key"),
    AuditAction.API_KEY_REVOKE: N_("Revoke an API key"),
    AuditAction.ACCOUNT_CHECK: N_("Check an account"),
    AuditAction.ACCOUNT_TOKEN_FORCE: N_("Force an account's access token"),
    AuditAction.ACCESS: N_("Use a page that the role does not allow"),
}

AUDIT_RESULT_LABELS: Mapping[str, str] = {
    AuditResult.SUCCESS: N_("Succeeded"),
    AuditResult.REFUSED: N_("Refused"),
    AuditResult.FAILED: N_("Failed"),
}

#: How a result's badge looks; see `.badge` in the stylesheet.
_RESULT_BADGES: Mapping[str, str] = {
    AuditResult.SUCCESS: "good",
    AuditResult.REFUSED: "bad",
    AuditResult.FAILED: "warn",
}

#: Who did it, where that is a word of ours and no operator's name.
_OPERATOR_LABELS: Mapping[str, str] = {
    COMMAND_LINE: N_("(command line)"),
    IDENTITY_PROVIDER: N_("(identity provider)"),
}

#: The names of an entry's details.
DETAIL_LABELS: Mapping[str, str] = {
    "reason": N_("Reason"),
    "comment": N_("Reason given"),
    "by": N_("Signed in by"),
    "factor": N_("Second factor"),
    "role": N_("Role"),
    "before": N_("Before"),
    "after": N_("After"),
    "filter": N_("Filter"),
    "sessions_ended": N_("Sessions ended"),
    "errcode": N_("Errcode"),
    "doing": N_("Action"),
    "users": N_("Users"),
    "job": N_("Job"),
    "outcome": N_("Result"),
    "revoke_info": N_("Revoked permissions"),
    "kept": N_("Kept"),
    "accounts": N_("Accounts"),
    "rights": N_("Rights"),
    "expires": N_("Expiry"),
    "per_minute": N_("Requests a minute"),
}
#: What their values are called, where they are words.
DETAIL_VALUE_LABELS: Mapping[str, Mapping[str, str]] = {
    "reason": {
        SignInRefusal.UNKNOWN_NAME: N_("unknown user name"),
        SignInRefusal.WRONG_PASSWORD: N_("wrong password"),
        SignInRefusal.DISABLED: N_("operator disabled"),
        SignInRefusal.TOO_MANY_ATTEMPTS: N_("too many attempts"),
        SignInRefusal.WRONG_CODE: N_("wrong code"),
        SignInRefusal.BAD_PASSKEY: N_("passkey not accepted"),
        SignInRefusal.NO_GROUP: N_("in no allowed group"),
        SignInRefusal.PROVIDER: N_("refused by the identity provider"),
        # Events of WeChat's.
        "user_authorization_revoke": N_("revoked by the user in WeChat"),
        "user_authorization_cancellation": N_("WeChat account closed by the user"),
    },
    "by": {
        SignInWay.PASSWORD: N_("password"),
        SignInWay.APP_CODE: N_("password and authenticator app"),
        SignInWay.RECOVERY_CODE: N_("password and recovery code"),
        SignInWay.PASSKEY: N_("passkey"),
        SignInWay.PROVIDER: N_("identity provider"),
    },
    "factor": FACTOR_LABELS,
    "role": ROLE_LABELS,
    "before": ROLE_LABELS,
    "after": ROLE_LABELS,
    "doing": ACTION_LABELS,
    "rights": KEY_RIGHT_LABELS,
    "kept": {"newer_authorization": N_("newer authorization")},
}


#: The arguments of the filters that an entry may hold, and what the values are called that are words.
_FILTER_LABELS: Mapping[str, str] = {
    **FILTER_LABELS,
    "by": N_("Search by"),
    "match": N_("Match"),
    "q": N_("Text"),
    "operator": N_("Done by"),
    "action": N_("Action"),
    "result": N_("Result"),
    "openid": N_("openid"),
    "time": N_("Time"),
    "from": N_("From day"),
    "to": N_("To day"),
}
_FILTER_VALUE_LABELS: Mapping[str, Mapping[str, str]] = {
    "status": STATUS_LABELS,
    "scope": SCOPE_LABELS,
    "snapshot": {"yes": N_("yes"), "no": N_("no")},
    "by": SEARCH_FIELD_LABELS,
    "match": {"exact": N_("is exactly")},
    "action": AUDIT_ACTION_LABELS,
    "result": AUDIT_RESULT_LABELS,
    **dict.fromkeys(("authorized", "used", "ends", "time"), RELATIVE_RANGE_LABELS),
}


@dataclass(frozen=True, slots=True)
class EntryText:
    """What a page says of an entry, in its reader's language.

    Attributes:
        operator: Who did it; empty where nobody was signed in.
        badge: How the result looks; see `.badge` in the stylesheet.
        details: Each detail's name and value.
    """

    operator: str
    action: str
    result: str
    badge: str
    details: list[tuple[str, str]]


def describe_entry(entry: AuditEntry, translate: Callable[[str], str]) -> EntryText:
    """Put an entry into words. A word that this version does not know is said to be unknown."""
    operator = entry.operator
    return EntryText(
        operator=translate(_OPERATOR_LABELS[operator]) if operator in _OPERATOR_LABELS else operator,
        action=translate(AUDIT_ACTION_LABELS.get(entry.action, UNKNOWN)),
        result=translate(AUDIT_RESULT_LABELS.get(entry.result, UNKNOWN)),
        badge=_RESULT_BADGES.get(entry.result, ""),
        details=[
            (translate(DETAIL_LABELS.get(name, UNKNOWN)), _translate_value(name, str(value), translate))
            for name, value in entry.details.items()
        ],
    )


def _translate_value(name: str, value: str, translate: Callable[[str], str]) -> str:
    if name == "filter":
        return " · ".join(_translate_condition(key, text, translate) for key, text in parse_qsl(value))
    if name == "outcome":
        result = ActionResult.from_stored(value)
        return translate(UNKNOWN if result is None else RESULT_LABELS[result])
    if name == "rights":
        return " · ".join(_translate_word(DETAIL_VALUE_LABELS, name, one, translate) for one in value.split())
    return _translate_word(DETAIL_VALUE_LABELS, name, value, translate)


def _translate_condition(key: str, text: str, translate: Callable[[str], str]) -> str:
    label = translate(_FILTER_LABELS.get(key, UNKNOWN))
    return f"{label} = {_translate_word(_FILTER_VALUE_LABELS, key, text, translate)}"


def _translate_word(
    labels: Mapping[str, Mapping[str, str]], name: str, value: str, translate: Callable[[str], str]
) -> str:
    return translate(labels[name].get(value, UNKNOWN)) if name in labels else value
