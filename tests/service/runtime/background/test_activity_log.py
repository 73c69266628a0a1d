import pytest

from service.runtime.background.activity_log import ActivityLog
from storage.activity import Activity, ActivityKind
from storage.base.clock import ManualClock
from storage.base.errors import StoreUnavailable
from storage.memory import MemoryTokenStore
from storage.sealing import KeyRing, generate_key
from storage.vault import TokenVault
from tests.waiting import until

HOUR = 1_800_000_000


class Store(MemoryTokenStore):
    """A store that counts the records made, and that can be out of reach."""

    def __init__(self):
        super().__init__()
        self.down = False
        self.records = 0

    def record(self, activities):
        self.records += 1
        if self.down:
            raise StoreUnavailable("down")
        super().record(activities)


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def vault(io_loop, store):
    vault = TokenVault(store, KeyRing.parse(generate_key()), instance="test", probe_seconds=0.01)
    yield vault
    io_loop.run_sync(vault.close)


def failure(count, errcode=40029):
    return Activity(HOUR, "wx", ActivityKind.EXCHANGE_FAILED, errcode, count)


@pytest.mark.gen_test
async def test_many_failures_are_one_record(vault, store):
    log = ActivityLog(vault, ManualClock(HOUR + 5))
    for _ in range(100):
        log.note("wx", ActivityKind.EXCHANGE_FAILED, 40029)
    log.note("wx", ActivityKind.EXCHANGE_FAILED, None)
    await log.flush()
    await log.flush()
    assert store.activity(0) == [failure(1, 0), failure(100)]
    assert store.records == 1


@pytest.mark.gen_test
async def test_counts_wait_while_the_store_is_down(vault, store):
    log = ActivityLog(vault, ManualClock(HOUR))
    log.note("wx", ActivityKind.EXCHANGE_FAILED, 40029)
    store.down = True
    await log.flush()
    store.down = False
    log.note("wx", ActivityKind.EXCHANGE_FAILED, 40029)
    await log.flush()
    assert store.activity(0) == [failure(2)]


@pytest.mark.gen_test
async def test_what_was_counted_last_is_recorded_at_the_end(vault, store):
    log = ActivityLog(vault, ManualClock(HOUR), every_seconds=3600)
    log.start()
    log.note("wx", ActivityKind.EXCHANGE_FAILED, 40029)
    await log.stop()
    assert store.activity(0) == [failure(1)]


@pytest.mark.gen_test
async def test_counts_are_recorded_while_the_process_runs(vault, store):
    log = ActivityLog(vault, ManualClock(HOUR), every_seconds=0.01)
    log.start()
    log.note("wx", ActivityKind.EXCHANGE_FAILED, 40029)
    await until(lambda: store.activity(0))
    await log.stop()
    assert store.activity(0) == [failure(1)]
