"""What the pages call things that are stored as words. In English; templates translate."""

from collections.abc import Mapping

from admin.labels.users import ACTION_LABELS, OUTCOMES
from storage.sql.accounts.audit import AuditAction, AuditResult
from storage.sql.accounts.operators import Role

__all__ = ["ACTIONS", "DETAILS", "DETAIL_VALUES", "RESULTS", "RESULT_BADGES", "ROLES", "ROLE_MEANINGS"]

ROLES: Mapping[str, str] = {Role.VIEWER: "Viewer", Role.OPERATOR: "Operator", Role.OWNER: "Owner"}

ROLE_MEANINGS: Mapping[str, str] = {
    Role.VIEWER: "Sees users and the overview.",
    Role.OPERATOR: "Also acts on users and reads the audit log.",
    Role.OWNER: "Also manages operators, API keys and accounts.",
}

ACTIONS: Mapping[str, str] = {
    AuditAction.SIGN_IN: "Sign in",
    AuditAction.SIGN_OUT: "Sign out",
    AuditAction.SESSION_END: "End sessions",
    AuditAction.PASSWORD_CHANGE: "Change own password",
    AuditAction.USER_REFRESH: "Refresh a token",
    AuditAction.USER_CHECK: "Check a token",
    AuditAction.USER_PROFILE: "Fetch a profile",
    AuditAction.USER_REVOKE: "Revoke a user",
    AuditAction.USER_ERASE: "Erase a user",
    AuditAction.USERS_EXPORT: "Export users",
    AuditAction.JOB_START: "Start a bulk job",
    AuditAction.JOB_PAUSE: "Pause a bulk job",
    AuditAction.JOB_RESUME: "Resume a bulk job",
    AuditAction.JOB_STOP: "Stop a bulk job",
    AuditAction.AUDIT_EXPORT: "Export the audit log",
    AuditAction.OPERATOR_ADD: "Add an operator",
    AuditAction.OPERATOR_ROLE: "Change a role",
    AuditAction.OPERATOR_DISABLE: "Disable an operator",
    AuditAction.OPERATOR_ENABLE: "Enable an operator",
    AuditAction.OPERATOR_PASSWORD: "Reset a password",
    AuditAction.API_KEY_ADD: "Add an API key",
    AuditAction.API_KEY_REVOKE: "Revoke an API key",
    AuditAction.ACCOUNT_CHECK: "Check an account",
}

#: The names of an entry's details.
DETAILS: Mapping[str, str] = {
    "reason": "Reason",
    "role": "Role",
    "before": "Before",
    "after": "After",
    "filter": "Filter",
    "sessions_ended": "Sessions ended",
    "errcode": "Errcode",
    "doing": "Action",
    "users": "Users",
    "job": "Job",
    "outcome": "Result",
}
#: What their values are called, where they are words.
DETAIL_VALUES: Mapping[str, Mapping[str, str]] = {
    "role": ROLES,
    "before": ROLES,
    "after": ROLES,
    "doing": ACTION_LABELS,
    "outcome": OUTCOMES,
}

RESULTS: Mapping[str, str] = {
    AuditResult.SUCCESS: "Done",
    AuditResult.REFUSED: "Refused",
    AuditResult.FAILED: "Failed",
}

#: How a result's badge looks; see `.badge` in the stylesheet.
RESULT_BADGES: Mapping[str, str] = {
    AuditResult.SUCCESS: "good",
    AuditResult.REFUSED: "bad",
    AuditResult.FAILED: "warn",
}
