"""Measures how long the service makes a page wait beyond WeChat's own time, at a steady 200 exchanges a second.

The same requests go to the stand-in for WeChat directly, and what remains of the service's percentiles after taking
off those is the service's. Requests begin on a timetable, whether earlier ones were answered or not.

Usage: python -m tests.bench.latency [--per-second N] [--seconds N] [--write]
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from http import HTTPStatus

import uvloop

from tests.bench.kept_connections import KeptConnections
from tests.bench.report import write_chapter
from tests.bench.servers import ADMIN_PORT, PORT, UPSTREAM_PORT, migrate, postgresql_database, running, upstream
from tests.bench.stacks import environment_for, this_service

WECHAT_SECONDS = 0.05
HEAD = "Host: 127.0.0.1\r\nContent-Type: application/json\r\nUser-Agent: MicroMessenger/8.0\r\n"


def main():
    arguments = parse_arguments()
    timetable = {"per_second": arguments.per_second, "seconds": arguments.seconds}
    lines = [
        f"{arguments.per_second} exchanges a second for {arguments.seconds} s, begun on a timetable; the stand-in for",
        f"WeChat answers after {WECHAT_SECONDS * 1000:.0f} ms. Milliseconds; *added* is what the service's percentile",
        "has more than the one of asking the stand-in directly.",
        "",
        "| | p50 | p99 | added p50 | added p99 |",
        "|---|---:|---:|---:|---:|",
    ]
    with upstream(WECHAT_SECONDS) as upstream_url, tempfile.TemporaryDirectory() as folder:
        direct = percentiles(uvloop.run(steadily(UPSTREAM_PORT, ask_directly, **timetable)))
        lines.append(f"| WeChat's stand-in alone | {direct[0]:.1f} | {direct[1]:.1f} | | |")
        with postgresql_database() as postgresql:
            for name, url in (("SQLite", f"sqlite:///{folder}/bench.db"), ("PostgreSQL", postgresql)):
                stack = this_service(name, url, port=PORT, admin_port=ADMIN_PORT)
                environment = environment_for(stack, port=PORT, upstream=upstream_url)
                migrate(environment)
                with running(stack.command, environment):
                    uvloop.run(steadily(PORT, post_code, per_second=arguments.per_second, seconds=1))
                    ours = percentiles(uvloop.run(steadily(PORT, post_code, **timetable)))
                added = [mine - its for mine, its in zip(ours, direct, strict=True)]
                lines.append(
                    f"| this service, {name} | {ours[0]:.1f} | {ours[1]:.1f} | {added[0]:.1f} | {added[1]:.1f} |"
                )
    report = "\n".join(lines)
    print(report)
    if arguments.write:
        write_chapter("## Added latency", report)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--per-second", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    return parser.parse_args()


def ask_directly(code):
    query = f"appid=wx&secret=s&code={code}&grant_type=authorization_code"
    return f"GET /sns/oauth2/access_token?{query} HTTP/1.1\r\n{HEAD}\r\n"


def post_code(code):
    body = f'{{"code":"{code}"}}'
    return f"POST /getCode HTTP/1.1\r\n{HEAD}Content-Length: {len(body)}\r\n\r\n{body}"


async def steadily(port, request, *, per_second, seconds):
    """Send requests on a timetable; return the milliseconds that each took."""
    loop = asyncio.get_running_loop()
    begin = loop.time() + 0.1
    run = time.time_ns()

    async def one(number):
        await asyncio.sleep(begin + number / per_second - loop.time())
        sent_at = time.perf_counter()
        status, body = await connections.ask(request(f"{run}-{number}").encode())
        assert status == HTTPStatus.OK, body
        return 1000 * (time.perf_counter() - sent_at)

    async with KeptConnections(port) as connections:
        return await asyncio.gather(*(one(number) for number in range(per_second * seconds)))


def percentiles(times):
    """Return the 50th and the 99th percentile."""
    hundredths = statistics.quantiles(times, n=100)
    return hundredths[49], hundredths[98]


if __name__ == "__main__":
    main()
