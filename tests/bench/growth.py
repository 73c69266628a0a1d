"""Measures what an exchange costs as users and visitors grow: processor time, latency and memory.

Usage: python -m tests.bench.growth [--users N …] [--connections N …] [--rounds N] [--seconds N] [--write]
"""

import argparse
import os
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack

from tests.bench.load import median, sample
from tests.bench.made_up_users import fill, seal_some
from tests.bench.report import write_chapter
from tests.bench.servers import ADMIN_PORT, PORT, postgresql_database, running, upstream
from tests.bench.stacks import HARDLY_ANY_REFRESH, SECRET_KEY, environment_for, this_service

FEW_CONNECTIONS = 64


def main():
    arguments = parse_arguments()
    with ExitStack() as resources:
        databases = [one for users in arguments.users for one in filled(users, resources)]
        databases += [(kind_of(url), int(users), url) for users, url in arguments.filled]
        upstream_url = resources.enter_context(upstream())
        by_users = defaultdict(list)
        by_connections = defaultdict(list)
        for _ in range(arguments.rounds):
            for kind, users, url in databases:
                by_users[kind, users].append(measure(url, upstream_url, FEW_CONNECTIONS, arguments.seconds))
            for kind, users, url in databases:
                if users == arguments.users[0]:
                    for connections in arguments.connections:
                        one = measure(url, upstream_url, connections, arguments.seconds)
                        by_connections[kind, connections].append(one)
    report = "\n".join(
        [
            f"Medians of {arguments.rounds} interleaved rounds, one worker, WeChat answers at once. The ratio is",
            f"that of processor time to the least users, or to {FEW_CONNECTIONS} pages.",
            "",
            f"With {FEW_CONNECTIONS} pages at once:",
            "",
            *table("stored users", by_users, arguments.users[0]),
            "",
            f"With {arguments.users[0]:,} stored users in the beginning:",
            "",
            *table("pages at once", by_connections, FEW_CONNECTIONS),
        ]
    )
    print(report)
    if arguments.write:
        write_chapter("## As it grows", report)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, nargs="+", default=[0, 1_000_000])
    parser.add_argument(
        "--filled", nargs=2, metavar=("USERS", "URL"), action="append", default=[], help="a database filled before"
    )
    parser.add_argument("--connections", type=int, nargs="+", default=[1, FEW_CONNECTIONS, 512, 2000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    return parser.parse_args()


def filled(users, resources):
    """Give a database of each kind with so many users: its kind, their number, its URL."""
    folder = resources.enter_context(tempfile.TemporaryDirectory(prefix="wechat-openid-bench-"))
    for url in (f"sqlite:///{folder}/{users}.db", resources.enter_context(postgresql_database())):
        fill(url, users, int(time.time()))
        seal_some(url, SECRET_KEY)
        yield kind_of(url), users, url


def kind_of(url):
    return "SQLite" if url.startswith("sqlite") else "PostgreSQL"


def measure(url, upstream_url, connections, seconds):
    stack = this_service("this service", url, port=PORT, admin_port=ADMIN_PORT)
    environment = {**environment_for(stack, port=PORT, upstream=upstream_url), **HARDLY_ANY_REFRESH}
    # Connections are made in the time that is measured: it is long enough to make little of that.
    seconds = max(seconds, connections // 100)
    with running(stack.command, environment) as process:
        return sample(process.pid, seconds, connections)


def table(of, results, yardstick):
    lines = [
        f"| store | {of} | CPU µs per exchange | ratio | exchanges/s | p50 ms | p99 ms | MB |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for (kind, number), samples in sorted(results.items()):
        cpu = median(samples, "cpu_microseconds")
        ratio = cpu / median(results[kind, yardstick], "cpu_microseconds")
        lines.append(
            f"| {kind} | {number:,} | {cpu:.0f} | {ratio:.2f} | {median(samples, 'per_second'):.0f} "
            f"| {median(samples, 'p50_ms'):.1f} | {median(samples, 'p99_ms'):.1f} "
            f"| {median(samples, 'megabytes'):.0f} |"
        )
    return lines


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
