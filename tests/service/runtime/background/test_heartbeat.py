import pytest

from service.runtime.background.heartbeat import Heartbeat
from storage.base.clock import ManualClock
from storage.base.errors import StoreUnavailable
from storage.pauses import AccountPause
from storage.sql.core.engine import Database
from storage.sql.core.migrations import upgrade
from storage.sql.work.instances import SILENCE_SECONDS, Instances
from tests.waiting import until


@pytest.fixture
def instances(tmp_path):
    database = Database.open(f"sqlite:///{tmp_path}/instances.db")
    upgrade(database.engine)
    yield Instances(database)
    database.close()


@pytest.fixture
def clock():
    return ManualClock()


def heartbeat(instances, clock, name="one", pauses=()):
    return Heartbeat(instances, name=name, version="1.2.3", clock=clock, pauses=lambda: pauses, every_seconds=0.01)


async def heard(instances, clock, condition):
    """Return the processes once the condition holds of them."""
    await until(lambda: condition(instances.live(clock.now())))
    return instances.live(clock.now())


@pytest.mark.gen_test
async def test_beats_tell_the_process_and_its_present_pauses(instances, clock):
    began, pauses = clock.now(), []
    beating = heartbeat(instances, clock, pauses=pauses)
    await beating.send()
    pauses.append(AccountPause(appid="wx1", endpoint="refresh", kind="configuration", errcode=40125, until=began + 60))
    clock.advance(15)
    await beating.send()
    [one] = instances.live(clock.now())
    assert (one.name, one.version, one.started_at, one.seen_at) == ("one", "1.2.3", began, began + 15)
    assert one.pauses == (AccountPause("wx1", "refresh", "configuration", 40125, began + 60),)


@pytest.mark.gen_test
async def test_it_beats_by_itself_and_takes_its_row_away_at_the_end(instances, clock):
    beating = heartbeat(instances, clock)
    beating.start()
    await heard(instances, clock, lambda alive: len(alive) == 1)
    clock.advance(2 * SILENCE_SECONDS)
    await heard(instances, clock, lambda alive: len(alive) == 1)
    await beating.stop()
    assert instances.live(clock.now()) == []


@pytest.mark.gen_test
async def test_a_store_that_is_away_is_tried_again(instances, clock):
    class Flaky:
        refused = 0

        def heartbeat(self, instance):
            if self.refused < 3:
                self.refused += 1
                raise StoreUnavailable("away")
            instances.heartbeat(instance)

        def deregister(self, _name):
            raise StoreUnavailable("away again")

    beating = heartbeat(Flaky(), clock)
    beating.start()
    await heard(instances, clock, lambda alive: len(alive) == 1)
    await beating.stop()
    # Nobody could be told of the end; the silence tells.
    clock.advance(SILENCE_SECONDS + 1)
    assert instances.live(clock.now()) == []


@pytest.mark.gen_test
async def test_a_newcomer_forgets_processes_that_died(instances, clock):
    await heartbeat(instances, clock, "dead").send()
    died_at = clock.now()
    clock.advance(SILENCE_SECONDS + 1)
    await heartbeat(instances, clock, "new").send()
    assert [one.name for one in instances.live(died_at)] == ["new"]


@pytest.mark.gen_test
async def test_stopping_what_never_began_does_nothing(instances, clock):
    await heartbeat(instances, clock, "one").send()
    await heartbeat(instances, clock, "one").stop()
    assert [one.name for one in instances.live(clock.now())] == ["one"]
