"""`make soak`: the service under a steady load for long; its memory, descriptors and threads must not grow.

`serve` runs as it does in production, on a database of its own. Visitors come at a fixed rate: one in ten is new, the
others come again, and one in ten closes the connection. The stand-in's tokens live for a sixth of the trial, so that
the scheduler refreshes all along. Meanwhile an operator who has signed in looks at the dashboard, and a monitor asks
/readyz and /metrics. The medians of the second and of the last quarter of the samples are compared: what a process
needs to get warm is taken in the first.

Usage: python -m tests.reliability.soak [--minutes N] [--per-second N] [--workers N] [--database NAME]
"""

import argparse
import asyncio
import random
import re
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus

from tests.bench.dashboard import begin_session
from tests.bench.kept_connections import KeptConnections
from tests.bench.processes import open_descriptors, resident_total_megabytes, threads
from tests.bench.servers import migrate, postgresql_database, running, upstream
from tests.bench.stacks import APPID, environment_for, this_service
from tests.bench.upstream import openid_of
from tests.service.harness import free_port

__all__ = ["FIGURES", "Soaked", "soak"]

#: What is sampled, and by which factor it may differ between the quarters that are compared.
FIGURES = {
    "memory, MB": (resident_total_megabytes, 1.15),
    "descriptors": (open_descriptors, 1.25),
    "threads": (threads, 1.25),
}
SAMPLES = 240
#: People who come from the beginning on.
KNOWN_PEOPLE = 1000
ONE_IN = 10
#: Requests under way at once, at most: of a service that stands still, the trial needs to know no more.
MOST_UNDER_WAY = 500
DASHBOARD_PAUSE_SECONDS = 2
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
    def errors(self) -> int:
        return sum(self.refused.values())

    def quarters(self, figure: str) -> tuple[float, float]:
        """Return the medians of the second quarter of the samples and of the last."""
        values = self.samples[figure]
        quarter = len(values) // 4
        return statistics.median(values[quarter : 2 * quarter]), statistics.median(values[-quarter:])

    @property
    def grown(self) -> list[str]:
        """Return the figures that are larger in the end by more than their tolerance."""
        pairs = {name: self.quarters(name) for name in FIGURES}
        return [name for name, (_, tolerance) in FIGURES.items() if pairs[name][1] > tolerance * pairs[name][0]]


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
            soaked = Soaked()
            async with KeptConnections(port) as connections:
                # The first visitor is the user at whom the operator looks.
                await _count(soaked, "/getCode", connections.ask(_post(0, "p0_first")))
            others = [
                asyncio.ensure_future(_watch_dashboard(soaked, admin_port, cookie)),
                asyncio.ensure_future(_sample(soaked, process.pid, seconds / SAMPLES)),
            ]
            await _come(soaked, port, seconds, per_second)
            for task in others:
                task.cancel()
            await asyncio.wait(others)
            for task in others:
                if not task.cancelled():
                    task.result()
            async with KeptConnections(admin_port) as connections:
                _, metrics = await _get(connections, "/metrics", "")
            soaked.refreshes = round(sum(float(value) for value in _REFRESHES.findall(metrics)))
    return soaked


async def _come(soaked: Soaked, port: int, seconds: float, per_second: float) -> None:
    """Have visitors come on a timetable, and return when the last was answered."""
    loop = asyncio.get_running_loop()
    chance, under_way = random.Random(1), set()
    began_at, people = loop.time(), KNOWN_PEOPLE
    async with KeptConnections(port) as connections:
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
    spread = person * 7919
    address = f"11.{spread >> 16 & 255}.{spread >> 8 & 255}.{spread & 255}"
    return (
        f"POST /getCode HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nX-Forwarded-For: {address}\r\n"
        f"User-Agent: MicroMessenger/8.0\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def _watch_dashboard(soaked: Soaked, admin_port: int, cookie: str) -> None:
    """Load the pages that an operator has open, and what monitors ask, again and again."""
    user = f"/admin/users/{APPID}/{openid_of(b'p0')}"
    async with KeptConnections(admin_port) as connections:
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


async def _sample(soaked: Soaked, pid: int, pause_seconds: float) -> None:
    while True:
        for name, (measure, _) in FIGURES.items():
            soaked.samples[name].append(measure(pid))
        if len(soaked.samples[name]) % (SAMPLES // 24) == 1:
            now = ", ".join(f"{name} {values[-1]:.0f}" for name, values in soaked.samples.items())
            print(f"{now}; {soaked.answers.total():,} answers, not 200: {soaked.refused}", file=sys.stderr, flush=True)
        await asyncio.sleep(pause_seconds)


@contextmanager
def _database(kind: str) -> Iterator[str]:
    if kind == "postgresql":
        with postgresql_database() as url:
            yield url
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/soak.db"


def report(soaked: Soaked, conditions: str) -> str:
    """Return what was seen, as Markdown."""
    lines = [conditions, "", "| | second quarter | last quarter | ratio |", "|---|---:|---:|---:|"]
    for name in FIGURES:
        early, late = soaked.quarters(name)
        lines.append(f"| {name} | {early:.0f} | {late:.0f} | {late / early:.2f} |")
    exchanges = soaked.answers["/getCode", 200]
    total = soaked.answers.total()
    lines += ["", f"{exchanges:,} exchanges, {soaked.refreshes:,} refreshes, {total - exchanges:,} other requests; "]
    lines[-1] += f"{soaked.errors} errors, {soaked.held_back} visitors held back."
    lines += [f"{count} × {status} from {path}" for (path, status), count in soaked.refused.items()]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--per-second", type=float, default=150)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--database", choices=["postgresql", "sqlite"], default="postgresql")
    asked = parser.parse_args()
    with _database(asked.database) as url:
        soaked = asyncio.run(soak(url, seconds=60 * asked.minutes, per_second=asked.per_second, workers=asked.workers))
    name = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}[asked.database]
    conditions = f"{asked.minutes:g} min, {asked.per_second:g} exchanges/s, {asked.workers} worker(s), {name}:"
    print(report(soaked, conditions), flush=True)
    if soaked.grown or soaked.errors or soaked.held_back:
        sys.exit(f"grown: {', '.join(soaked.grown) or 'nothing'}; {soaked.errors} errors")


if __name__ == "__main__":
    main()
