import asyncio
import errno

import pytest

from service.runtime.supervision.slots import Slot
from service.runtime.supervision.workers import OwnProcess


async def serve(stop, on_listening):
    on_listening()
    await stop.wait()


@pytest.mark.gen_test
async def test_where_no_process_can_be_started_the_worker_before_serves_on():
    async def start(words):
        if words:
            raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
        return OwnProcess(serve)

    stop = asyncio.Event()
    slot = Slot({}, start, stop)
    running = asyncio.ensure_future(slot.keep_running())
    await slot.has_listened.wait()
    assert await slot.replace({"appid": "wx1"}) is False
    assert (slot.words, slot.is_listening, slot.answered) == ({}, True, True)
    stop.set()
    assert await running == 0
