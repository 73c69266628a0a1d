import asyncio

import pytest

from admin.overview.stale_while_revalidate import StaleWhileRevalidate
from storage.base.clock import ManualClock
from storage.base.errors import StoreUnavailable

pytestmark = pytest.mark.gen_test


async def test_a_value_is_computed_once_for_many_who_ask():
    computed = []

    async def compute():
        computed.append(1)
        await asyncio.sleep(0)
        return len(computed)

    cache = StaleWhileRevalidate(compute, ManualClock(100), fresh_seconds=60)
    values = await asyncio.gather(*(cache.get() for _ in range(5)))
    assert {(one.value, one.at) for one in values} == {(1, 100)}
    await cache.get()
    assert len(computed) == 1


async def test_a_value_that_takes_long_is_not_waited_for():
    go_on = asyncio.Event()

    async def compute():
        await go_on.wait()
        return 1

    cache = StaleWhileRevalidate(compute, ManualClock(), wait_seconds=0.01)
    assert await cache.get() is None
    go_on.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (await cache.get()).value == 1


async def test_the_old_value_stays_while_the_store_is_down():
    answers = [1, StoreUnavailable("down")]

    async def compute():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    cache = StaleWhileRevalidate(compute, ManualClock(), fresh_seconds=0)
    assert (await cache.get()).value == 1
    assert (await cache.get()).value == 1
