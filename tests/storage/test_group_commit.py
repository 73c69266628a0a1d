import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.base.errors import InvalidRecord, StorageError, StoreBusy, StoreUnavailable
from storage.group_commit import GroupCommit
from tests.waiting import until


class Table:
    """What is written to: records each transaction, and can be held, refuse rows, or be down for some calls."""

    def __init__(self):
        self.transactions = []
        self.attempts = 0
        self.open = threading.Event()
        self.open.set()
        self.begun = threading.Event()
        self.bad = set()
        self.failures = []

    @property
    def rows(self):
        return [row for transaction in self.transactions for row in transaction]

    def write(self, rows):
        self.attempts += 1
        self.begun.set()
        self.open.wait()
        if self.failures:
            raise self.failures.pop(0)
        for row in rows:
            if row in self.bad:
                raise InvalidRecord(f"row {row}")
        self.transactions.append(list(rows))
        return [f"wrote {row}" for row in rows]

    async def has_begun(self):
        await until(self.begun.is_set)


@pytest.fixture
def table():
    return Table()


@pytest.fixture
def executor(table):
    with ThreadPoolExecutor(1) as executor:
        yield executor
        table.open.set()  # the executor waits for a write that still hangs


@pytest.fixture
def make_queue(io_loop, table, executor):
    """Make queues; the end of the test waits for what is in them."""
    queues = []

    def make(write=table.write, **options):
        queues.append(GroupCommit(write, executor, **options))
        return queues[-1]

    yield make
    table.open.set()
    for queue in queues:
        io_loop.run_sync(queue.drain)


@pytest.fixture
def queue(make_queue):
    return make_queue(retry_delays=(0.001, 0.001))


def outcomes_of(futures):
    return asyncio.gather(*futures, return_exceptions=True)


@pytest.mark.gen_test
async def test_a_lone_write_is_written_at_once_and_answered_with_its_result(queue, table):
    assert await queue.submit(1) == "wrote 1"
    assert table.transactions == [[1]]


@pytest.mark.gen_test
async def test_writes_that_arrive_during_a_transaction_share_the_next_in_their_order(queue, table):
    table.open.clear()
    first = queue.submit(0)
    await table.has_begun()
    others = [queue.submit(number) for number in range(1, 101)]
    await asyncio.sleep(0)
    assert queue.pending == 100
    table.open.set()
    assert await asyncio.gather(first, *others) == [f"wrote {number}" for number in range(101)]
    assert table.transactions == [[0], list(range(1, 101))]
    assert queue.pending == 0


@pytest.mark.gen_test
async def test_after_a_shared_transaction_the_next_waits_for_more(table, make_queue):
    queue = make_queue(linger_seconds=0.5)
    await asyncio.gather(*[queue.submit(number) for number in range(3)])
    fourth = queue.submit(3)
    for _ in range(10):
        await asyncio.sleep(0)
    await asyncio.gather(fourth, queue.submit(4))
    assert table.transactions == [[0, 1, 2], [3, 4]]


@pytest.mark.gen_test
async def test_after_a_lone_write_nobody_waits(table, make_queue):
    queue = make_queue(linger_seconds=3600)
    for number in range(3):
        await queue.submit(number)
    assert table.transactions == [[0], [1], [2]]


@pytest.mark.gen_test
async def test_a_transaction_takes_no_more_than_its_share(table, make_queue):
    queue = make_queue(max_batch=10)
    await asyncio.gather(*[queue.submit(number) for number in range(25)])
    assert table.transactions == [list(range(10)), list(range(10, 20)), list(range(20, 25))]


@pytest.mark.gen_test
async def test_a_caller_is_answered_only_after_the_commit(queue, table):
    table.open.clear()
    future = queue.submit(1)
    await table.has_begun()
    done, _ = await asyncio.wait([future], timeout=0.05)
    assert not done
    assert table.transactions == []
    table.open.set()
    await future
    assert table.transactions == [[1]]


@pytest.mark.gen_test
async def test_a_bad_row_fails_alone(queue, table):
    table.bad = {37}
    answers = await outcomes_of([queue.submit(number) for number in range(100)])
    assert isinstance(answers.pop(37), InvalidRecord)
    good = [number for number in range(100) if number != 37]
    assert answers == [f"wrote {number}" for number in good]
    assert table.rows == good


@pytest.mark.gen_test
async def test_many_bad_rows_fail_and_the_others_do_not(queue, table):
    table.bad = set(range(0, 100, 3))
    answers = await outcomes_of([queue.submit(number) for number in range(100)])
    assert {number for number, answer in enumerate(answers) if isinstance(answer, InvalidRecord)} == table.bad
    assert table.rows == [number for number in range(100) if number % 3]


@pytest.mark.gen_test
async def test_a_full_queue_refuses_one_more_and_queues_nothing(table, make_queue):
    queue = make_queue(max_pending=3)
    table.open.clear()
    running = queue.submit("running")
    await table.has_begun()
    waiting = [queue.submit(number) for number in range(3)]
    with pytest.raises(StoreBusy):
        queue.submit("one too many")
    assert queue.pending == 3
    table.open.set()
    await asyncio.gather(running, *waiting)
    assert table.rows == ["running", 0, 1, 2]
    assert await queue.submit("later") == "wrote later"


@pytest.mark.gen_test
async def test_a_batch_is_tried_again_while_the_store_is_unavailable(queue, table):
    table.failures = [StoreUnavailable("down"), StoreUnavailable("down")]
    assert await asyncio.gather(*[queue.submit(number) for number in range(5)]) == [f"wrote {n}" for n in range(5)]
    assert table.transactions == [[0, 1, 2, 3, 4]]
    assert table.attempts == 3


@pytest.mark.gen_test
async def test_callers_are_told_when_the_store_stays_unavailable_and_later_writes_pass(queue, table):
    table.failures = [StoreUnavailable("down")] * 3
    answers = await outcomes_of([queue.submit(number) for number in range(5)])
    assert all(isinstance(answer, StoreUnavailable) for answer in answers)
    assert table.attempts == 3
    assert table.rows == []
    assert await queue.submit("later") == "wrote later"


@pytest.mark.gen_test
async def test_an_error_that_no_store_should_raise_reaches_the_callers_and_not_the_queue(queue, table):
    table.failures = [RuntimeError("a bug")]
    with pytest.raises(RuntimeError, match="a bug"):
        await queue.submit(1)
    assert await queue.submit(2) == "wrote 2"


@pytest.mark.gen_test
@pytest.mark.parametrize("results", [[], ["one too few"], ["a", "b", "one too many"]])
async def test_a_store_that_gives_the_wrong_number_of_results_leaves_no_caller_waiting(make_queue, results):
    queue = make_queue(lambda _: results)
    answers = await outcomes_of([queue.submit(1), queue.submit(2)])
    assert [type(answer) for answer in answers] == [StorageError, StorageError]
    await queue.drain()


@pytest.mark.gen_test
async def test_a_store_that_hangs_fails_its_callers_and_holds_up_nothing_else(table, make_queue):
    queue = make_queue(timeout_seconds=0.1)
    table.open.clear()
    futures = [queue.submit(1), queue.submit(2)]
    turns = 0
    while not all(future.done() for future in futures):
        turns += 1
        await asyncio.sleep(0.001)
    assert turns > 3
    assert [type(future.exception()) for future in futures] == [StoreUnavailable, StoreUnavailable]
    assert table.attempts == 1


@pytest.mark.gen_test
async def test_writes_are_taken_again_when_a_store_that_hung_goes_on(table, make_queue):
    queue = make_queue(timeout_seconds=0.1)
    table.open.clear()
    hanging = await outcomes_of([queue.submit(1)])
    behind = await outcomes_of([queue.submit(2)])
    assert [type(answer) for answer in (*hanging, *behind)] == [StoreUnavailable, StoreUnavailable]
    table.open.set()
    later = make_queue()
    assert await later.submit(3) == "wrote 3"
    assert 2 not in table.rows, "a write that was given up before it began must not happen later"


@pytest.mark.gen_test
async def test_a_caller_who_goes_away_does_not_lose_the_write(queue, table):
    table.open.clear()
    first = queue.submit(0)
    await table.has_begun()

    async def call():
        await queue.submit(1)

    caller = asyncio.ensure_future(call())
    neighbour = queue.submit(2)
    await asyncio.sleep(0)
    caller.cancel()
    await outcomes_of([caller])
    assert caller.cancelled()
    table.open.set()
    assert await asyncio.gather(first, neighbour) == ["wrote 0", "wrote 2"]
    await queue.drain()
    assert sorted(table.rows) == [0, 1, 2]


@pytest.mark.gen_test
async def test_draining_waits_for_what_is_queued(queue, table):
    await queue.drain()
    table.open.clear()
    futures = [queue.submit(0)]
    await table.has_begun()
    futures.append(queue.submit(1))
    draining = asyncio.ensure_future(queue.drain())
    await asyncio.wait([draining], timeout=0.02)
    assert not draining.done()
    table.open.set()
    await draining
    assert table.rows == [0, 1]
    assert all(future.done() for future in futures)
