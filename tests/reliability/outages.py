"""Outages of real stores under a steady flow of visitors: what each does to the codes that they bring.

A fault is begun and ended while visitors come at a rate that does not depend on how they are answered. WeChat's
simulator knows which codes were spent; those whose visitors were not answered with their openid were spent in vain.
"""

import asyncio
import json
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from tornado.httpclient import AsyncHTTPClient

from service.settings import Settings, load_settings
from service.simulator.server import start_simulator
from service.simulator.wechat import SimulatedWeChat
from storage.base.clock import SystemClock
from storage.registry import load_store
from storage.sealing import generate_key
from storage.store import TokenStore
from storage.users import Status
from tests.reliability.faults import Fault
from tests.service.harness import ACCOUNT, Page, RunningServer
from tests.waiting import until

#: Answers that show that the store works, before a fault and after it.
ENOUGH = 30


@dataclass
class Visitors:
    """Who came, and what became of their codes."""

    answers: dict[str, int] = field(default_factory=dict)
    openids: set[str] = field(default_factory=set)
    waiting: int = 0
    waiting_at_most: int = 0

    @property
    def answered(self) -> int:
        return sum(status == 200 for status in self.answers.values())


@dataclass
class Outcome:
    """What a fault did.

    Attributes:
        visitors: How many came while it lasted.
        waiting_before: How many were being answered at once, at most, before it began.
        in_vain: Codes that were spent without an answer of 200.
        answered_later: Of these, how many gave their result when the same browser posted them again.
        acknowledged: Visitors who were answered with their openid, over all of the trial.
        lost: How many of them are not in the store.
        ended: How many of them must authorize again.
        recovery_seconds: How long after the end of the fault thirty more visitors had been answered.
        statuses: What visitors were answered, over all of the trial.
        log_lines: Lines that the service logged from its begin on.
    """

    visitors: int
    waiting_before: int
    in_vain: int
    answered_later: int
    acknowledged: int
    lost: int
    ended: int
    recovery_seconds: float
    statuses: Counter[int]
    log_lines: int


async def try_fault(fault: Fault, *, per_second: float, seconds: float, workers: int = 1) -> Outcome:
    """Let visitors come, begin the fault, end it after some seconds, and count when visitors are answered again."""
    with ExitStack() as places, tempfile.TemporaryDirectory() as folder:
        place = await asyncio.to_thread(places.enter_context, fault.place())
        wechat = SimulatedWeChat(SystemClock())
        async with running_service(wechat, place.settings, Path(folder), workers) as (server, http):
            visitors = Visitors()
            coming = asyncio.ensure_future(_come(visitors, wechat, Page(http, server.url), per_second))
            await until(lambda: visitors.answered >= ENOUGH)
            waiting_before, before = visitors.waiting_at_most, len(visitors.answers)
            lines_before = _lines(server)
            await asyncio.to_thread(place.begin)
            await asyncio.sleep(seconds)
            during = len(visitors.answers) - before
            await until(lambda: _is_unready(http, server))
            await asyncio.to_thread(place.end)
            ended_at, wanted = time.monotonic(), visitors.answered + ENOUGH
            await until(lambda: visitors.answered >= wanted)
            recovery_seconds = time.monotonic() - ended_at
            coming.cancel()
            await asyncio.wait((coming,))
            await until(lambda: visitors.waiting == 0)
            lost = [code for code, status in visitors.answers.items() if status != 200 and _is_spent(wechat, code)]
            again = [(await Page(http, server.url).post_code(code)).code for code in lost]
            return Outcome(
                visitors=during,
                waiting_before=waiting_before,
                in_vain=len(lost),
                answered_later=again.count(200),
                acknowledged=len(visitors.openids),
                **await asyncio.to_thread(count_stored, place.settings, visitors.openids),
                recovery_seconds=recovery_seconds,
                statuses=Counter(visitors.answers.values()),
                log_lines=_lines(server) - lines_before,
            )


async def _come(visitors: Visitors, wechat: SimulatedWeChat, page: Page, per_second: float) -> None:
    """Have visitors come, each with a code of their own."""
    loop = asyncio.get_running_loop()
    began_at, tasks = loop.time(), set()

    async def visit(code: str) -> None:
        visitors.waiting += 1
        visitors.waiting_at_most = max(visitors.waiting_at_most, visitors.waiting)
        try:
            response = await Page(page.client, page.url).post_code(code)
            visitors.answers[code] = response.code
            if response.code == 200:
                visitors.openids.add(json.loads(response.body)["openid"])
        finally:
            visitors.waiting -= 1

    for number in range(1_000_000):
        await asyncio.sleep(began_at + number / per_second - loop.time())
        task = asyncio.ensure_future(visit(wechat.issue_code(wechat.invent_person().id)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


def count_stored(settings: dict[str, str], openids: set[str]) -> dict[str, int]:
    """Count which of these users are not in the store, and which must authorize again."""
    with closing(_open_store(settings)) as store:
        found = [store.get(ACCOUNT.appid, openid) for openid in openids]
    return {
        "lost": found.count(None),
        "ended": sum(one.status is not Status.ACTIVE for one in found if one is not None),
    }


def _open_store(settings: dict[str, str]) -> TokenStore:
    url = settings.get("TOKEN_STORE_URL") or settings["DATABASE_URL"]
    return load_store(settings.get("TOKEN_STORE", "sql")).open(url)


def _lines(server: RunningServer) -> int:
    return len(server.log.read_text().splitlines())


def _is_spent(wechat: SimulatedWeChat, code: str) -> bool:
    """Tell whether WeChat takes a code no more."""
    found = wechat._issued.find_code(code)
    return found is not None and found.used


async def _is_unready(http: AsyncHTTPClient, server: RunningServer) -> bool:
    return (await http.fetch(f"{server.admin_url}/readyz", raise_error=False)).code == 503


@asynccontextmanager
async def running_service(
    wechat: SimulatedWeChat, given: dict[str, str], folder: Path, workers: int
) -> AsyncIterator[tuple[RunningServer, AsyncHTTPClient]]:
    simulator = await start_simulator(wechat)
    http = AsyncHTTPClient(force_instance=True, max_clients=2000)
    settings: Settings = replace(
        load_settings(environment={}),
        appid=ACCOUNT.appid,
        secret=ACCOUNT.secret,
        secret_keys=generate_key(),
        database_url=f"sqlite:///{folder}/accounts.db",
        wechat_api_url=simulator.url,
        wechat_authorize_url=simulator.authorize_url,
    )
    own = {f"WECHAT_OPENID_{name}": value for name, value in {**given, "WORKERS": str(workers)}.items()}
    server = RunningServer(settings, folder / "log", **own)
    try:
        yield await server.answers(http), http
    finally:
        server.kill()
        http.close()
        await simulator.stop()
