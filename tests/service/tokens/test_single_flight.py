import asyncio
import gc

import pytest

from service.tokens.single_flight import SingleFlight


class Work:
    """Work that can be held, counts its runs, and ends as it is told."""

    def __init__(self, result="result"):
        self.result = result
        self.runs = 0
        self.may_end = asyncio.Event()
        self.ended = 0

    async def __call__(self):
        self.runs += 1
        await self.may_end.wait()
        self.ended += 1
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@pytest.fixture
def flights():
    return SingleFlight()


def callers(flights, work, count, key="key"):
    return [asyncio.ensure_future(flights.run(key, work)) for _ in range(count)]


@pytest.mark.gen_test
async def test_callers_at_the_same_time_share_one_run(flights):
    work = Work()
    waiting = callers(flights, work, 50)
    await asyncio.sleep(0)
    work.may_end.set()
    assert await asyncio.gather(*waiting) == ["result"] * 50
    assert work.runs == 1


@pytest.mark.gen_test
async def test_different_keys_fly_apart(flights):
    work = Work()
    work.may_end.set()
    await asyncio.gather(*callers(flights, work, 2, "a"), *callers(flights, work, 2, "b"))
    assert work.runs == 2


@pytest.mark.gen_test
async def test_a_later_caller_starts_anew(flights):
    work = Work()
    work.may_end.set()
    await flights.run("key", work)
    await flights.run("key", work)
    assert work.runs == 2


@pytest.mark.gen_test
async def test_an_exception_reaches_every_caller_and_is_not_kept(flights):
    failing = Work(ValueError("no"))
    failing.may_end.set()
    answers = await asyncio.gather(*callers(flights, failing, 5), return_exceptions=True)
    assert [str(answer) for answer in answers] == ["no"] * 5
    assert failing.runs == 1
    work = Work()
    work.may_end.set()
    assert await flights.run("key", work) == "result"


@pytest.mark.gen_test
async def test_a_caller_that_tries_again_at_once_gets_a_run_of_its_own(flights):
    failing, working = Work(ValueError("no")), Work()
    failing.may_end.set()
    working.may_end.set()

    async def call():
        try:
            return await flights.run("key", failing)
        except ValueError:
            return await flights.run("key", working)

    assert await asyncio.gather(*[call() for _ in range(5)]) == ["result"] * 5
    assert (failing.runs, working.runs) == (1, 1)


@pytest.mark.gen_test
async def test_a_caller_who_is_cancelled_ends_neither_the_work_nor_the_others_wait(flights):
    work = Work()
    first, second = callers(flights, work, 2)
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    assert first.cancelled()
    work.may_end.set()
    assert await second == "result"
    assert work.runs == 1


@pytest.mark.gen_test
async def test_work_goes_on_when_every_caller_has_gone(flights, caplog):
    failing = Work(ValueError("nobody is there to see it"))
    waiting = callers(flights, failing, 3)
    await asyncio.sleep(0)
    for caller in waiting:
        caller.cancel()
    await asyncio.wait(waiting)
    failing.may_end.set()
    await flights.drain()
    assert failing.ended == 1
    gc.collect()
    await asyncio.sleep(0)
    assert not caplog.records


@pytest.mark.gen_test
async def test_draining_waits_for_all_work_and_for_what_it_starts(flights):
    await flights.drain()
    first, second = Work(), Work()
    waiting = [*callers(flights, first, 1, "a"), *callers(flights, second, 1, "b")]
    await asyncio.sleep(0)
    draining = asyncio.ensure_future(flights.drain())
    first.may_end.set()
    await waiting[0]
    await asyncio.sleep(0)
    assert not draining.done()
    second.may_end.set()
    await draining
    assert (first.ended, second.ended) == (1, 1)
    await asyncio.gather(*waiting)
