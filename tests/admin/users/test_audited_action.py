"""The audit log of what ends an authorization: no user is gone without an entry, whenever a process dies."""

from dataclasses import replace

import pytest

from admin.services import ActionOutcome, ActionResult
from admin.users.audited_action import perform_audited
from storage.base.errors import StorageError, StoreUnavailable
from storage.sql.accounts.audit import AuditQuery, AuditResult, NewAuditEntry
from storage.sql.accounts.operators import Role
from storage.sql.work.jobs import JobAction
from storage.testing import a_grant

pytestmark = pytest.mark.gen_test

ENDINGS = pytest.mark.parametrize("action", [JobAction.REVOKE, JobAction.ERASE])


class Dying(BaseException):
    """Ends a process in the middle of its work."""


class Interrupted:
    """Actions on users that break off, before or after the store has done its part."""

    def __init__(self, real, error, *, performed=False):
        self.real, self.error, self.performed = real, error, performed

    async def perform(self, *args):
        if self.performed:
            await self.real.perform(*args)
        raise self.error


@pytest.fixture
def user(dashboard, io_loop, settings):
    grant = a_grant(appid=settings.appid)
    io_loop.run_sync(lambda: dashboard.vault.save(grant))
    return grant.appid, grant.openid


def entry_for(outcome: ActionOutcome) -> NewAuditEntry:
    result = AuditResult.SUCCESS if outcome.succeeded else AuditResult.FAILED
    return NewAuditEntry(at=1, operator="ada", action="a", result=result, details={"outcome": outcome.result})


def outcomes(dashboard):
    return [entry.details["outcome"] for entry in dashboard.audit.page(AuditQuery()).entries]


@ENDINGS
@pytest.mark.parametrize("performed", [False, True])
async def test_a_process_that_dies_leaves_an_entry(dashboard, user, action, performed):
    dying = replace(dashboard, users=Interrupted(dashboard.users, Dying(), performed=performed))
    with pytest.raises(Dying):
        await perform_audited(dying, action, user, entry_for)
    assert len(outcomes(dashboard)) == 1


@ENDINGS
async def test_a_store_that_fails_is_told_by_another_entry(dashboard, user, action):
    failing = replace(dashboard, users=Interrupted(dashboard.users, StoreUnavailable("down")))
    with pytest.raises(StoreUnavailable):
        await perform_audited(failing, action, user, entry_for)
    assert outcomes(dashboard)[0] == ActionResult.FAILED
    assert len(outcomes(dashboard)) == 2


@ENDINGS
async def test_what_goes_as_expected_is_one_entry(dashboard, user, action):
    outcome = await perform_audited(dashboard, action, user, entry_for)
    assert outcomes(dashboard) == [outcome.result]
    again = await perform_audited(dashboard, action, user, entry_for)
    assert outcomes(dashboard) == [again.result, outcome.result]


async def test_without_the_log_nobody_is_erased(dashboard, user):
    database = dashboard.audit._database
    database.write(lambda connection: connection.exec_driver_sql("ALTER TABLE audit_log RENAME TO away"))
    with pytest.raises(StorageError):
        await perform_audited(dashboard, JobAction.ERASE, user, entry_for)
    assert await dashboard.vault.get(*user) is not None


@pytest.mark.attack(
    "the audit log", "an operator whose role does not suffice", "forbidden pages and changes are tried", "written down"
)
async def test_what_a_role_does_not_allow_is_written_down(signed_in, dashboard):
    viewer = signed_in(Role.VIEWER)
    before = len(dashboard.audit.page(AuditQuery()).entries)
    assert (await viewer.get("/admin/audit")).code == 403
    assert (await viewer.post("/admin/users/wx1/o1/erase", confirmation="o1")).code == 403
    entries = dashboard.audit.page(AuditQuery()).entries
    refused = entries[: len(entries) - before]
    assert [(entry.action, entry.result, entry.subject) for entry in refused] == [
        ("access", "refused", "/admin/users/wx1/o1/erase"),
        ("access", "refused", "/admin/audit"),
    ]
    assert {entry.operator for entry in refused} != {""}
