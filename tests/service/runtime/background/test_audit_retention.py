import pytest

from service.runtime.background.audit_retention import AuditRetention
from storage.base.clock import ManualClock
from storage.base.errors import StoreUnavailable
from storage.sql.accounts.audit import AuditAction, AuditLog, AuditQuery, AuditResult, NewAuditEntry
from storage.sql.core.engine import Database
from storage.sql.core.migrations import upgrade
from tests.waiting import until

DAY = 86_400


@pytest.fixture
def log(tmp_path):
    database = Database.open(f"sqlite:///{tmp_path}/audit.db")
    upgrade(database.engine)
    yield AuditLog(database)
    database.close()


@pytest.fixture
def clock():
    return ManualClock()


def note(log, at):
    log.record(NewAuditEntry(at=at, operator="ada", action=AuditAction.SIGN_IN, result=AuditResult.SUCCESS))


@pytest.mark.gen_test
async def test_entries_are_kept_for_so_many_days(log, clock):
    note(log, clock.now())
    retention = AuditRetention(log, clock, days=30)
    clock.advance(30 * DAY)
    assert await retention.trim() == 0
    clock.advance(1)
    assert await retention.trim() == 1


@pytest.mark.gen_test
async def test_it_trims_by_itself_and_stops(log, clock):
    note(log, clock.now() - 31 * DAY)
    note(log, clock.now())
    retention = AuditRetention(log, clock, days=30, every_seconds=0.01)
    retention.start()
    await until(lambda: len(log.page(AuditQuery()).entries) == 1)
    await retention.stop()
    assert len(log.page(AuditQuery()).entries) == 1


@pytest.mark.gen_test
async def test_no_days_keep_everything(log, clock):
    note(log, 1)
    retention = AuditRetention(log, clock, days=0, every_seconds=0.001)
    retention.start()
    await retention.stop()
    assert not retention.is_trimming
    assert len(log.page(AuditQuery()).entries) == 1


@pytest.mark.gen_test
async def test_a_database_that_is_away_is_tried_again(clock, log):
    class Flaky:
        calls = 0

        def trim(self, before):
            self.calls += 1
            if self.calls == 1:
                raise StoreUnavailable("away")
            return log.trim(before)

    flaky = Flaky()
    note(log, clock.now() - 31 * DAY)
    retention = AuditRetention(flaky, clock, days=30, every_seconds=0.01)
    retention.start()
    await until(lambda: not log.page(AuditQuery()).entries)
    await retention.stop()
    assert flaky.calls >= 2
