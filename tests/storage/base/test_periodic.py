import asyncio
import logging

import pytest

from storage.base.errors import StoreUnavailable
from storage.base.periodic import Periodic
from tests.waiting import until

pytestmark = pytest.mark.gen_test


async def test_work_is_repeated_until_it_is_stopped():
    rounds = []
    periodic = Periodic("counting", lambda: record(rounds), 0.001)
    periodic.start()
    periodic.start()
    await until(lambda: len(rounds) >= 3)
    await periodic.stop()
    ended_with = len(rounds)
    await asyncio.sleep(0)
    assert len(rounds) == ended_with


async def test_the_first_round_can_wait_and_none_comes_after_a_stop():
    rounds = []
    periodic = Periodic("waiting", lambda: record(rounds), 3600, pause_first=True)
    periodic.start()
    await periodic.stop()
    assert rounds == []


async def test_a_round_under_way_is_finished():
    begun, finished = asyncio.Event(), []

    async def work():
        begun.set()
        await periodic.stopping.wait()
        finished.append(True)

    periodic = Periodic("finishing", work, 3600)
    periodic.start()
    await begun.wait()
    await periodic.stop()
    assert finished == [True]


async def test_a_round_may_ask_for_the_next_at_once():
    rounds = []

    async def work():
        rounds.append(True)
        return len(rounds) < 5

    periodic = Periodic("hurrying", work, 3600)
    periodic.start()
    await until(lambda: len(rounds) == 5)
    await periodic.stop()


async def test_an_outage_of_the_store_is_told_when_it_begins_and_when_it_ends(caplog):
    caplog.set_level(logging.INFO, "storage.base.periodic")
    rounds = []

    async def work():
        rounds.append(True)
        if len(rounds) <= 20:
            raise StoreUnavailable("away")

    periodic = Periodic("trimming", work, 0.001)
    periodic.start()
    await until(lambda: len(rounds) > 22)
    await periodic.stop()
    assert caplog.messages == ["trimming is held up: away", "trimming goes on after 20 rounds"]


async def test_an_unforeseen_failure_does_not_end_the_work(caplog):
    rounds = []

    async def work():
        rounds.append(True)
        raise ZeroDivisionError

    periodic = Periodic("dividing", work, 0.001)
    periodic.start()
    await until(lambda: len(rounds) >= 2)
    await periodic.stop()
    assert "dividing failed" in caplog.messages


async def record(rounds):
    rounds.append(True)
