"""`EventAudit`: puts what was done about pushed events into the dashboard's audit log, and into the process's log."""

import asyncio

from service.webhooks.messages import EventKind
from service.webhooks.pushed import Done, log_done
from storage.base.clock import Clock
from storage.sql.accounts.audit import AuditAction, AuditLog, AuditResult, NewAuditEntry

__all__ = ["EventAudit"]


class EventAudit:
    """Writes entries down. An erasure is an entry of the audit log; a dropped profile is not worth one.

    Args:
        log: The audit log.
        clock: What dates entries.
    """

    def __init__(self, log: AuditLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock

    async def __call__(self, done: Done) -> None:
        """Write an entry; when this returns, it is committed.

        Raises:
            StoreUnavailable: The database does not answer.
        """
        await log_done(done)
        event = done.event
        if event.kind is EventKind.PROFILE_MODIFIED:
            return
        entry = NewAuditEntry(
            at=self._clock.now(),
            operator="",  # WeChat asked for it, on behalf of the user; no operator had a hand in it
            action=AuditAction.USER_ERASE,
            result=AuditResult.SUCCESS,
            appid=event.appid,
            openid=event.openid,
            details={"reason": event.kind.value},
        )
        await asyncio.get_running_loop().run_in_executor(None, self._log.record, entry)
