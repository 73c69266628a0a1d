import asyncio

import pytest

from service.background.audit_retention import AuditRetention
from storage.base.clock import ManualClock
from storage.base.errors import StoreUnavailable
from storage.sql.accounts.audit import AuditAction, AuditLog, AuditQuery, AuditResult, NewAuditEntry
from storage.sql.core.engine import Database
from storage.sql.core.migrations import upgrade

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
async def test_it_trims_by_itself_and_stops(log, clock, monkeypatch):
    monkeypatch.setattr("service.background.audit_retention._EVERY_SECONDS", 0.01)
    note(log, clock.now() - 31 * DAY)
    note(log, clock.now())
    retention = AuditRetention(log, clock, days=30)
    retention.start()
    while len(log.page(AuditQuery()).entries) > 1:
        await asyncio.sleep(0.01)
    await retention.stop()
    assert len(log.page(AuditQuery()).entries) == 1


@pytest.mark.gen_test
async def test_no_days_keep_everything(log, clock, monkeypatch):
    monkeypatch.setattr("service.background.audit_retention._EVERY_SECONDS", 0.01)
    note(log, 1)
    retention = AuditRetention(log, clock, days=0)
    retention.start()
    await asyncio.sleep(0.05)
    await retention.stop()
    assert len(log.page(AuditQuery()).entries) == 1


@pytest.mark.gen_test
async def test_a_database_that_is_away_is_tried_again(clock, monkeypatch, log):
    monkeypatch.setattr("service.background.audit_retention._EVERY_SECONDS", 0.01)

    class Flaky:
        calls = 0

        def trim(self, before):
            self.calls += 1
            if self.calls == 1:
                raise StoreUnavailable("away")
            return log.trim(before)

    flaky = Flaky()
    note(log, clock.now() - 31 * DAY)
    retention = AuditRetention(flaky, clock, days=30)
    retention.start()
    while log.page(AuditQuery()).entries:
        await asyncio.sleep(0.01)
    await retention.stop()
    assert flaky.calls >= 2
