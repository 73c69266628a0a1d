"""Performs an action on a user and writes it into the audit log, so that no user is gone without an entry."""

import asyncio
from collections.abc import Callable

from admin.services import ActionOutcome, ActionResult, AdminServices
from storage.base.errors import StorageError
from storage.sql.accounts.audit import NewAuditEntry
from storage.sql.work.jobs import JobAction
from storage.users import Status

__all__ = ["perform_audited"]

#: The actions that end something, and how each ends where it can.
_ENDING = {JobAction.REVOKE: ActionResult.REVOKED, JobAction.ERASE: ActionResult.ERASED}


async def perform_audited(
    services: AdminServices,
    action: JobAction,
    user: tuple[str, str],
    entry_for: Callable[[ActionOutcome], NewAuditEntry],
) -> ActionOutcome:
    """Perform an action and say how it ended.

    Users may be kept in another store than the log, so no transaction holds both. What ends an authorization is written
    down first: a process that dies between the two leaves an entry without its deed rather than a deed without its
    entry. Where it ends otherwise than was written, another entry says so. Any other action is written down after it.

    Args:
        services: Where users and the log are.
        action: What to do.
        user: Their appid and openid.
        entry_for: Returns the entry for an outcome.

    Raises:
        StorageError: The users or the log cannot be reached.
    """
    expected = await _expected(services, action, user)
    if expected is not None:
        await asyncio.to_thread(services.audit.record, entry_for(expected))
    try:
        outcome = await services.users.perform(action, *user)
    except StorageError:
        if expected is not None:
            failed = ActionOutcome(succeeded=False, result=ActionResult.FAILED)
            await asyncio.to_thread(services.audit.record, entry_for(failed))
        raise
    if outcome != expected:
        await asyncio.to_thread(services.audit.record, entry_for(outcome))
    return outcome


async def _expected(services: AdminServices, action: JobAction, user: tuple[str, str]) -> ActionOutcome | None:
    """Return how an action that ends something is going to end; None for others, and where there is nothing to end."""
    if action not in _ENDING:
        return None
    found = await services.vault.get(*user)
    if found is None or (action is JobAction.REVOKE and found.status is Status.REVOKED):
        return None
    return ActionOutcome(succeeded=True, result=_ENDING[action])
