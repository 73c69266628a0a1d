"""The audit log's action for each action on a user."""

from collections.abc import Mapping

from storage.sql.accounts.audit import AuditAction
from storage.sql.work.jobs import JobAction

__all__ = ["AUDIT_ACTIONS"]

AUDIT_ACTIONS: Mapping[JobAction, AuditAction] = {
    JobAction.REFRESH: AuditAction.USER_REFRESH,
    JobAction.CHECK: AuditAction.USER_CHECK,
    JobAction.PROFILE: AuditAction.USER_PROFILE,
    JobAction.REVOKE: AuditAction.USER_REVOKE,
    JobAction.ERASE: AuditAction.USER_ERASE,
}
