"""Processes that need the same user's token at the same time."""

import asyncio
import json
import sys
import time
from pathlib import Path

import pytest

from service.authorization.exchange import Browser
from service.simulator.faults import Fault
from service.wechat.protocol import Account
from storage.base.clock import ManualClock
from tests.service.harness import environment_of

SCRIPT = Path(__file__).parent / "fresh_in_a_process.py"
REFRESH = "refresh_token"


@pytest.fixture
def clock():
    """Three hours ago: what is authorized now has expired for processes that look at the machine's clock."""
    return ManualClock(int(time.time()) - 3 * 3600)


async def authorize(service, wechat):
    account = Account(service.settings.appid, service.settings.secret)
    redeemed = await service.exchange.exchange(account, wechat.issue_code(), Browser(b"b" * 32))
    return redeemed.openid


async def start(settings, *arguments):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(SCRIPT),
        *arguments,
        env=environment_of(settings),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    word = await process.stdout.readline()
    assert word.strip() in {b"ready", b"holding"}
    return process


@pytest.mark.gen_test
async def test_two_hundred_callers_in_four_processes_cause_one_refresh(service, settings, wechat):
    openid = await authorize(service, wechat)
    wechat.faults.add(Fault(endpoint=REFRESH, latency_seconds=0.3, times=None))
    processes = [await start(settings, openid, "50") for _ in range(4)]
    outputs = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    tokens = [token for output, _ in outputs for token in json.loads(output)]
    assert len(tokens) == 200
    assert len(set(tokens)) == 1
    assert wechat.calls[REFRESH] == 1


@pytest.mark.gen_test
async def test_when_the_holder_is_killed_another_takes_over_after_the_lease(service, settings, wechat, clock):
    openid = await authorize(service, wechat)
    holder = await start(settings, openid, "1", "hold")
    holder.kill()
    await holder.wait()
    clock.advance(3 * 3600)
    fresh = await service.tokens.get_valid_token(settings.appid, openid)
    assert fresh.expires_at == clock.now() + 7200
    assert wechat.calls[REFRESH] == 1


@pytest.mark.gen_test
async def test_leases_hold_between_processes_whose_clocks_differ_by_five_minutes(
    service, settings, wechat, clock, open_another
):
    openid = await authorize(service, wechat)
    clock.advance(3 * 3600)
    ahead = await open_another(clock=ManualClock(clock.now() + 300))
    behind = await open_another(clock=ManualClock(clock.now() - 300))
    assert await ahead.vault.claim(settings.appid, openid, 60) is not None
    assert await behind.vault.claim(settings.appid, openid, 60) is None
    assert await service.vault.claim(settings.appid, openid, 60) is None
    assert await behind.vault.claim_due(settings.appid, 10, 60, clock.now()) == []
