"""What can be done about a user: the service's actions, and the store's own."""

from collections.abc import Mapping

from admin.services import ActionOutcome, AdminServices
from storage.sql.accounts.audit import AuditAction
from storage.sql.work.jobs import JobAction

__all__ = ["AUDIT_ACTIONS", "UserActions"]

AUDIT_ACTIONS: Mapping[JobAction, AuditAction] = {
    JobAction.REFRESH: AuditAction.USER_REFRESH,
    JobAction.CHECK: AuditAction.USER_CHECK,
    JobAction.PROFILE: AuditAction.USER_PROFILE,
    JobAction.REVOKE: AuditAction.USER_REVOKE,
    JobAction.ERASE: AuditAction.USER_ERASE,
}


class UserActions:
    """Does what an operator asks for, one user at a time. Only `StorageError` is raised."""

    def __init__(self, services: AdminServices) -> None:
        self._services = services

    async def do(self, action: JobAction, appid: str, openid: str) -> ActionOutcome:
        """Do it and say how it ended."""
        match action:
            case JobAction.REFRESH:
                return await self._services.refresh_now(appid, openid)
            case JobAction.CHECK:
                return await self._services.check_token(appid, openid)
            case JobAction.PROFILE:
                return await self._services.fetch_profile(appid, openid)
            case JobAction.REVOKE:
                return _done("revoked", there=await self._services.vault.revoke(appid, openid))
            case JobAction.ERASE:
                return _done("erased", there=await self._services.vault.erase(appid, openid))


def _done(result: str, *, there: bool) -> ActionOutcome:
    return ActionOutcome(succeeded=there, result=result if there else "unknown_user")
