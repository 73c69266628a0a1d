"""Processes that need an account's access token at the same time, on each store."""

import asyncio
import json
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from service.runtime.first_start import make_what_is_missing
from service.simulator.faults import Fault
from storage.base.clock import ManualClock
from storage.sql.core.engine import Database
from storage.sql.core.migrations import upgrade
from tests.servers import (
    database_of_its_own,
    mysql_server,
    postgresql_server,
    redis_prefix_of_its_own,
    redis_server,
)
from tests.service.harness import environment_of

pytestmark = pytest.mark.gen_test(timeout=60)

SCRIPT = Path(__file__).parent / "credential_in_a_process.py"
STABLE_TOKEN = "stable_token"


@pytest.fixture
def clock():
    """The machine's time, as the processes have it."""
    return ManualClock(int(time.time()))


@pytest.fixture(params=["sqlite", "postgresql", "mariadb", "redis"])
def settings(request, settings):
    with ExitStack() as servers:
        if request.param == "redis":
            url = servers.enter_context(redis_prefix_of_its_own(redis_server()))
            settings = replace(settings, token_store="redis", token_store_url=url)
        elif request.param != "sqlite":
            server = postgresql_server() if request.param == "postgresql" else mysql_server()
            url = servers.enter_context(database_of_its_own(server))
            database = Database.open(url)
            upgrade(database.engine)
            database.close()
            settings = replace(settings, database_url=url)
        make_what_is_missing(settings)
        yield settings


async def start(settings, *arguments):
    environment = environment_of(settings) | {
        "WECHAT_OPENID_TOKEN_STORE": settings.token_store,
        "WECHAT_OPENID_TOKEN_STORE_URL": settings.token_store_url,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(SCRIPT),
        *arguments,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    word = await process.stdout.readline()
    assert word.strip() in {b"ready", b"holding"}
    return process


async def tokens_of(processes):
    outputs = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    return [token for output, _ in outputs for token in json.loads(output)]


async def test_two_hundred_callers_in_four_processes_cause_one_call(settings, wechat):
    wechat.faults.add(Fault(endpoint=STABLE_TOKEN, latency_seconds=0.3, times=None))
    tokens = await tokens_of([await start(settings, "50") for _ in range(4)])
    assert len(tokens) == 200
    assert len(set(tokens)) == 1
    assert wechat.calls[STABLE_TOKEN] == 1


async def test_when_the_holder_of_a_credential_is_killed_another_takes_over(settings, wechat):
    holder, other = await start(settings, "1", "hold"), await start(settings, "2")
    holder.kill()
    await holder.wait()
    assert len(set(await tokens_of([other]))) == 1
    assert wechat.calls[STABLE_TOKEN] == 1
