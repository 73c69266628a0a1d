import asyncio
import logging
from contextlib import asynccontextmanager

import pytest

from storage.base.errors import InvalidRecord, StorageError, StoreUnavailable
from storage.write_gate import WriteGate
from tests.waiting import until

DOWN = StoreUnavailable("connection refused")


class Store:
    """What is probed: takes grants or not, and says what it was asked."""

    def __init__(self):
        self.error = None
        self.probes = []
        self.is_late = False
        self.answering = asyncio.Event()
        self.answering.set()

    async def probe(self, count):
        self.probes.append(count)
        await self.answering.wait()
        if self.error is not None:
            raise self.error


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def open_gate(io_loop, store):
    gates = []

    def open_gate(**options):
        own = {"probe_seconds": 0.0, "wait_seconds": 60.0, "relapse_seconds": 3600.0, **options}
        gates.append(WriteGate(store.probe, lambda: store.is_late, **own))
        return gates[-1]

    yield open_gate
    for gate in gates:
        io_loop.run_sync(gate.close)


@asynccontextmanager
async def passing(gate):
    is_trial = await gate.enter()
    try:
        yield
    finally:
        gate.leave(is_trial)


async def some_turns():
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.gen_test
async def test_after_an_outage_exchanges_pass_one_by_one_until_some_are_stored(store, open_gate):
    gate = open_gate()
    gate.failed(DOWN)
    await until(lambda: gate.available)
    inside, ended = [], asyncio.Semaphore(0)

    async def exchange(number):
        async with passing(gate):
            inside.append(number)
            await ended.acquire()
            gate.stored()

    exchanges = [asyncio.ensure_future(exchange(number)) for number in range(20)]
    await some_turns()
    assert inside == [0]
    ended.release()
    await until(lambda: len(inside) == 2)
    await some_turns()
    assert inside == [0, 1]
    for _ in range(19):
        ended.release()
    await asyncio.gather(*exchanges)
    assert sorted(inside) == list(range(20))


@pytest.mark.gen_test
async def test_where_a_probe_succeeds_and_a_grant_is_refused_all_the_same_one_code_is_lost(store, open_gate):
    gate = open_gate()
    gate.failed(DOWN)
    await until(lambda: gate.available)
    spent, refused = 0, 0

    async def exchange():
        nonlocal spent, refused
        try:
            async with passing(gate):
                spent += 1
                await asyncio.sleep(0)
                gate.failed(DOWN)
        except StoreUnavailable:
            refused += 1

    await asyncio.gather(*(exchange() for _ in range(100)))
    assert (spent, refused) == (1, 99)
    # The next probe, and with it the next code, comes after the pause for relapses, an hour here.
    probes = len(store.probes)
    await some_turns()
    assert len(store.probes) == probes
    assert not gate.available


@pytest.mark.gen_test
async def test_a_store_that_failed_is_probed_with_as_many_grants_as_a_busy_moment_brings(store, open_gate):
    gate = open_gate()
    await gate.check()
    gate.failed(DOWN)
    await until(lambda: gate.available)
    assert store.probes[0] == 1
    assert store.probes[1] > 10


@pytest.mark.gen_test
async def test_a_refused_record_is_the_stores_fault_only_if_it_refuses_every_grant(store, open_gate):
    gate = open_gate()
    gate.refused(InvalidRecord("too long"))
    async with passing(gate):
        pass
    assert (store.probes, gate.available) == ([1], True)
    other = open_gate()
    store.error = StorageError("no default value")
    other.refused(InvalidRecord("no default value"))
    with pytest.raises(StoreUnavailable):
        await other.enter()
    assert not other.available


@pytest.mark.gen_test
async def test_records_refused_one_after_the_other_are_the_stores_fault_whatever_probes_say(store, open_gate):
    gate = open_gate(probe_seconds=3600.0)
    passed = 0
    for _ in range(100):
        try:
            async with passing(gate):
                passed += 1
                gate.refused(InvalidRecord("a trigger says no"))
        except StoreUnavailable:
            pass
    assert passed == 3


@pytest.mark.gen_test
async def test_in_doubt_everybody_waits_for_one_probe(store, open_gate):
    gate = open_gate()
    store.answering.clear()
    gate.doubt(DOWN)
    waiting = [asyncio.ensure_future(gate.enter()) for _ in range(10)]
    checking = asyncio.ensure_future(gate.check())
    await some_turns()
    assert not any(one.done() for one in (*waiting, checking))
    store.answering.set()
    await asyncio.gather(*waiting, checking)
    assert store.probes == [1]


@pytest.mark.gen_test
async def test_what_fails_all_the_time_for_a_reason_of_its_own_is_looked_into_now_and_then(store, open_gate):
    gate = open_gate()
    for _ in range(100):
        gate.doubt(DOWN)
        await gate.enter()
    assert len(store.probes) < 10


@pytest.mark.gen_test
async def test_nobody_passes_while_a_write_is_late(store, open_gate):
    gate = open_gate(wait_seconds=0.01)
    store.is_late = True
    with pytest.raises(StoreUnavailable):
        await gate.enter()
    with pytest.raises(StoreUnavailable):
        await gate.check()
    store.is_late = False
    async with passing(gate):
        pass


@pytest.mark.gen_test
async def test_an_outage_is_a_line_at_its_begin_and_one_at_its_end_with_what_was_refused(store, open_gate, caplog):
    caplog.set_level(logging.DEBUG, "storage.write_gate")
    gate = open_gate()
    store.error = DOWN
    for _ in range(10):
        gate.failed(DOWN)
    for _ in range(1000):
        with pytest.raises(StoreUnavailable):
            await gate.enter()
    store.error = None
    await until(lambda: gate.available)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert "connection refused" in lines[0]
    assert "1000 exchanges refused" in lines[1]


@pytest.mark.gen_test
async def test_what_is_no_error_of_storage_is_named_without_its_text(open_gate, caplog):
    gate = open_gate(probe_seconds=3600.0)
    gate.failed(RuntimeError("a driver quotes tok_SECRET"))
    with pytest.raises(StoreUnavailable, match="RuntimeError") as caught:
        await gate.enter()
    assert "tok_SECRET" not in str(caught.value) + caplog.text
