"""`make soak`: the service under a steady load for long; its memory, descriptors and threads must not grow.

`serve` runs as it does in production, on a database of its own. Visitors come at a fixed rate: one in ten is new, the
others come again, and one in ten closes the connection. The stand-in's tokens live for a sixth of the trial, so that
the scheduler refreshes all along. Meanwhile an operator who has signed in looks at the dashboard, and a monitor asks
/readyz and /metrics. The medians of the second and of the last quarter of the samples are compared: what a process
needs to get warm is taken in the first.

Usage: python -m tests.reliability.soak [--minutes N] [--per-second N] [--workers N] [--database NAME] [--write]
"""

import argparse
import asyncio
import random
import re
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus

from tests.bench.dashboard import begin_session
from tests.bench.kept_connections import KeptConnections
from tests.bench.processes import open_descriptors, resident_total_megabytes, threads
from tests.bench.servers import migrate, postgresql_database, running, upstream
from tests.bench.stacks import APPID, environment_for, this_service
from tests.bench.upstream import openid_of
from tests.reliability.page import write_figures
from tests.service.harness import free_port

__all__ = ["FIGURES", "Soaked", "counts_of", "soak"]

#: What is sampled; by which factor it may differ between the quarters compared, and how much more is what pools
#: take in a moment in which the machine is slow. Descriptors are those beside the connections of the load.
FIGURES = {"Memory, MB": (1.15, 0), "Descriptors": (1.25, 40), "Threads": (1.25, 20)}
SAMPLES = 240
#: People who come from the beginning on.
KNOWN_PEOPLE = 1000
#: From so many addresses: what the service remembers of them is full early.
ADDRESSES = 4096
ONE_IN = 10
#: Requests under way at once, at most: of a service that stands still, the trial needs to know no more.
MOST_UNDER_WAY = 500
DASHBOARD_PAUSE_SECONDS = 2
#: The answers while the store is late, or does not answer.
PUT_OFF = {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}
_REFRESHES = re.compile(rb'^wechat_openid_refreshes_total\{result="refreshed"\} ([0-9.e+]+)$', re.MULTILINE)


@dataclass
class Soaked:
    """What a trial showed.

    Attributes:
        answers: How often each path was answered how; the status is 0 where the connection broke.
        held_back: Visitors who did not come because too many were waiting.
        samples: The values of each figure in order.
        refreshes: Tokens refreshed, by the service's own count.
    """

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    held_back: int = 0
    samples: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in FIGURES})
    refreshes: int = 0

    @property
    def refused(self) -> dict[tuple[str, int], int]:
        """Return how often which path was answered otherwise than by 200."""
        return {asked: count for asked, count in sorted(self.answers.items()) if asked[1] != HTTPStatus.OK}

    @property
    def put_off(self) -> int:
        """Return how many were told to come back: what a machine that stands still for a moment does to its store."""
        return sum(count for (_, status), count in self.refused.items() if status in PUT_OFF)

    @property
    def errors(self) -> int:
        return sum(self.refused.values()) - self.put_off

    def quarters(self, figure: str) -> tuple[float, float]:
        """Return the medians of the second quarter of the samples and of the last."""
        values = self.samples[figure]
        quarter = len(values) // 4
        return statistics.median(values[quarter : 2 * quarter]), statistics.median(values[-quarter:])

    @property
    def grown(self) -> list[str]:
        """Return the figures that are larger in the end by more than their tolerance."""
        pairs = {name: self.quarters(name) for name in FIGURES}
        return [name for name, (factor, more) in FIGURES.items() if pairs[name][1] > factor * pairs[name][0] + more]


async def soak(database_url: str, *, seconds: float, per_second: float, workers: int = 1) -> Soaked:
    """Load the service for so many seconds and return what was seen."""
    port, admin_port, upstream_port = free_port(), free_port(), free_port()
    token_seconds = max(4, round(seconds / 6))
    stack = this_service("this service", database_url, port=port, admin_port=admin_port, workers=workers)
    with upstream(port=upstream_port, token_seconds=token_seconds) as upstream_url:
        environment = environment_for(stack, port=port, upstream=upstream_url) | {
            "WECHAT_OPENID_RATE_LIMIT": "600/minute",
            "WECHAT_OPENID_EXCHANGE_BUDGET": "40000",
            "WECHAT_OPENID_TRUSTED_PROXIES": "127.0.0.1",
            "WECHAT_OPENID_REFRESH_EVERY_SECONDS": "2",
        }
        migrate(environment)
        cookie = f"wechat_openid_session={begin_session(database_url)}"
        with running(stack.command, environment, port) as process:
            async with KeptConnections(port) as visitors, KeptConnections(admin_port) as operator:
                soaked = Soaked()
                # The first visitor is the user at whom the operator looks.
                await _count(soaked, "/getCode", visitors.ask(_post(0, "p0_first")))
                others = [
                    asyncio.ensure_future(_watch_dashboard(soaked, operator, cookie)),
                    asyncio.ensure_future(_sample(soaked, process.pid, (visitors, operator), seconds / SAMPLES)),
                ]
                await _come(soaked, visitors, seconds, per_second)
                for task in others:
                    task.cancel()
                await asyncio.wait(others)
                for task in others:
                    if not task.cancelled():
                        task.result()
                _, metrics = await _get(operator, "/metrics", "")
            soaked.refreshes = round(sum(float(value) for value in _REFRESHES.findall(metrics)))
    return soaked


async def _come(soaked: Soaked, connections: KeptConnections, seconds: float, per_second: float) -> None:
    """Have visitors come on a timetable, and return when the last was answered."""
    loop = asyncio.get_running_loop()
    chance, under_way = random.Random(1), set()
    began_at, people = loop.time(), KNOWN_PEOPLE
    for number in range(round(seconds * per_second)):
        await asyncio.sleep(began_at + number / per_second - loop.time())
        if len(under_way) >= MOST_UNDER_WAY:
            soaked.held_back += 1
            continue
        is_new = chance.randrange(ONE_IN) == 0
        people += is_new
        person = people if is_new else chance.randrange(people)
        asked = connections.ask(_post(person, f"p{person}_{number}"), keep=number % ONE_IN > 0)
        task = asyncio.ensure_future(_count(soaked, "/getCode", asked))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    await asyncio.gather(*under_way)


def _post(person: int, code: str) -> bytes:
    body = f'{{"code":"{code}"}}'
    spread = person % ADDRESSES * 7919
    address = f"11.{spread >> 16 & 255}.{spread >> 8 & 255}.{spread & 255}"
    return (
        f"POST /getCode HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nX-Forwarded-For: {address}\r\n"
        f"User-Agent: MicroMessenger/8.0\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def _watch_dashboard(soaked: Soaked, connections: KeptConnections, cookie: str) -> None:
    """Load the pages that an operator has open, and what monitors ask, again and again."""
    user = f"/admin/users/{APPID}/{openid_of(b'p0')}"
    while True:
        for path in ("/readyz", "/metrics", "/admin/overview", "/admin/users", user):
            await _count(soaked, path.removesuffix(user) or "a user", _get(connections, path, cookie))
        await asyncio.sleep(DASHBOARD_PAUSE_SECONDS)


async def _get(connections: KeptConnections, path: str, cookie: str) -> tuple[int, bytes]:
    return await connections.ask(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n".encode())


async def _count(soaked: Soaked, path: str, asked: Awaitable[tuple[int, bytes]]) -> None:
    status = 0
    with suppress(OSError, EOFError):
        status, _ = await asked
    soaked.answers[path, status] += 1


async def _sample(soaked: Soaked, pid: int, load: Sequence[KeptConnections], pause_seconds: float) -> None:
    while True:
        now = {
            "Memory, MB": resident_total_megabytes(pid),
            "Descriptors": open_descriptors(pid) - sum(connections.open for connections in load),
            "Threads": threads(pid),
        }
        for name, value in now.items():
            soaked.samples[name].append(value)
        if len(soaked.samples["Threads"]) % (SAMPLES // 24) == 1:
            said = ", ".join(f"{name} {value:.0f}" for name, value in now.items())
            print(f"{said}; {soaked.answers.total():,} answers, not 200: {soaked.refused}", file=sys.stderr, flush=True)
        await asyncio.sleep(pause_seconds)


@contextmanager
def _database(kind: str) -> Iterator[str]:
    if kind == "postgresql":
        with postgresql_database() as url:
            yield url
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/soak.db"


def counts_of(soaked: Soaked) -> dict[str, int]:
    """Return what was counted, by the words in docs/reliability.md."""
    exchanges = soaked.answers["/getCode", HTTPStatus.OK]
    return {
        "Exchanges": exchanges,
        "Refreshes": soaked.refreshes,
        "Other requests": soaked.answers.total() - exchanges - soaked.put_off - soaked.errors,
        "Told to come back (503, 504)": soaked.put_off,
        "Other errors": soaked.errors,
        "Held back, because too many waited": soaked.held_back,
    }


def _rows_of(soaked: Soaked) -> dict[str, list[str]]:
    quarters = {name: [f"{value:.0f}" for value in soaked.quarters(name)] for name in FIGURES}
    return quarters | {name: [f"{count:,}"] for name, count in counts_of(soaked).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--per-second", type=float, default=150)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--database", choices=["postgresql", "sqlite"], default="postgresql")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/reliability.md and its twin")
    asked = parser.parse_args()
    with _database(asked.database) as url:
        soaked = asyncio.run(soak(url, seconds=60 * asked.minutes, per_second=asked.per_second, workers=asked.workers))
    for name, cells in _rows_of(soaked).items():
        print(f"{name}: {', '.join(cells)}", flush=True)
    if asked.write:
        write_figures(_rows_of(soaked))
    if soaked.grown or soaked.errors:
        sys.exit(f"grown: {', '.join(soaked.grown) or 'nothing'}; answered otherwise than by 200: {soaked.refused}")


if __name__ == "__main__":
    main()
