"""Measures what an exchange costs with one, two and four workers, and what they share: the database's part of it.

PostgreSQL is a server of the measurement's own, so that its processes, its log and its locks are counted alone. Each
worker has as many connections as a single one, so that as many exchanges as ever can share a commit.

Usage: python -m tests.bench.workers [--workers N …] [--rounds N] [--seconds N] [--write]
"""

import argparse
import statistics
import threading
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from tests.bench.load import load, sample
from tests.bench.processes import cpu_seconds
from tests.bench.report import write_chapter
from tests.bench.servers import ADMIN_PORT, PORT, migrate, running, upstream
from tests.bench.stacks import environment_for, this_service
from tests.postgresql_cluster import cluster_of_its_own

CONNECTIONS = 64
#: Visitors who come again, and for how many seconds they come before anything is measured.
PEOPLE, ACQUAINTANCE_SECONDS = 20_000, 12
#: How often sessions are asked what they wait for, in seconds.
LOOK_SECONDS = 0.05

#: Commits, bytes of the log and its flushes, users new and known, and those whose row's indexes stayed as they were.
COUNTERS = """
SELECT d.xact_commit, pg_current_wal_lsn() - '0/0', w.wal_sync, t.n_tup_ins, t.n_tup_upd, t.n_tup_hot_upd
FROM pg_stat_database AS d, pg_stat_wal AS w, pg_stat_user_tables AS t
WHERE d.datname = current_database() AND t.relname = 'authorizations'
"""
#: Sessions that wait for another one's transaction, and for the log.
WAITING = """
SELECT count(*) FILTER (WHERE wait_event_type = 'Lock'), count(*) FILTER (WHERE wait_event IN ('WALWrite', 'WALSync'))
FROM pg_stat_activity WHERE datname = current_database()
"""


@dataclass(frozen=True)
class Cost:
    """What one round of load cost, for each exchange; waiting sessions are the average number."""

    service: float
    database: float
    per_second: float
    commits: float
    flushes: float
    log_bytes: float
    for_locks: float
    for_log: float


def main():
    arguments = parse_arguments()
    results = defaultdict(list)
    with cluster_of_its_own() as cluster, upstream() as upstream_url:
        for _ in range(arguments.rounds):
            for people in (0, PEOPLE):
                for workers in arguments.workers:
                    with database_in(cluster) as url:
                        cost = measure(cluster, url, upstream_url, workers, people, arguments.seconds)
                    print(people, workers, cost, flush=True)
                    results[people, workers].append(cost)
    report = "\n".join([conditions(arguments), "", *table(results, arguments.workers[0])])
    print(report)
    if arguments.write:
        write_chapter("## More workers", report)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    return parser.parse_args()


@contextmanager
def database_in(cluster):
    """Make an empty database in a cluster, and drop it in the end."""
    plain = cluster.url.replace("+psycopg", "")
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("CREATE DATABASE bench")
    try:
        yield f"{cluster.url.rpartition('/')[0]}/bench"
    finally:
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute("DROP DATABASE bench WITH (FORCE)")


def measure(cluster, url, upstream_url, workers, people, seconds):
    stack = this_service("this service", url, port=PORT, admin_port=ADMIN_PORT, workers=workers)
    environment = environment_for(stack, port=PORT, upstream=upstream_url)
    migrate(environment)
    plain, connections = url.replace("+psycopg", ""), CONNECTIONS * workers
    if people:
        with running(stack.command, environment):
            load("acquaintance", ACQUAINTANCE_SECONDS, connections, people=people)
    # A session hands over what it has counted when it ends: so the counters are read while no server runs.
    before = counters(plain)
    with running(stack.command, environment) as process:
        load("warm", 1, connections, people=people)
        database_before = cpu_seconds(cluster.pid)
        with waits(plain) as seen:
            one = sample(process.pid, seconds, connections, warm_seconds=0, people=people)
        database_seconds = cpu_seconds(cluster.pid) - database_before
    commits, log_bytes, flushes, inserted, updated, _hot = (
        after - former for after, former in zip(counters(plain), before, strict=True)
    )
    exchanges = inserted + updated
    return Cost(
        service=one.cpu_microseconds,
        database=1e6 * database_seconds / (one.per_second * seconds),
        per_second=one.per_second,
        commits=commits / exchanges,
        flushes=flushes / exchanges,
        log_bytes=float(log_bytes) / exchanges,
        for_locks=statistics.mean(locks for locks, _ in seen),
        for_log=statistics.mean(log for _, log in seen),
    )


def counters(plain):
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        return connection.execute(COUNTERS).fetchone()


@contextmanager
def waits(plain):
    """Ask again and again how many sessions wait; give the list of the answers."""
    seen, ended = [], threading.Event()

    def look():
        with psycopg.connect(plain, autocommit=True) as connection:
            while not ended.wait(LOOK_SECONDS):
                seen.append(connection.execute(WAITING).fetchone())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def conditions(arguments):
    return (
        f"Medians of {arguments.rounds} interleaved rounds of {arguments.seconds} s, {CONNECTIONS} connections for "
        "each worker, WeChat answers at once, a PostgreSQL server of its own. Commits, flushes and bytes of log are "
        "for each exchange. The ratio is that of the service's processor time to a single worker's. *Waiting* is the "
        "average number of sessions that wait: for another transaction (locks), for the log to be written."
    )


def table(results, yardstick):
    lines = [
        (
            "| visitors | workers | CPU µs: service | ratio | CPU µs: PostgreSQL | exchanges/s "
            "| commits | flushes | bytes of log | waiting: locks | waiting: log |"
        ),
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for (people, workers), costs in sorted(results.items()):
        middle = {name: statistics.median(getattr(cost, name) for cost in costs) for name in Cost.__dataclass_fields__}
        ratio = middle["service"] / statistics.median(cost.service for cost in results[people, yardstick])
        lines.append(
            f"| {'known' if people else 'new'} | {workers} | {middle['service']:.0f} | {ratio:.2f} "
            f"| {middle['database']:.0f} | {middle['per_second']:.0f} | {middle['commits']:.3f} "
            f"| {middle['flushes']:.3f} | {middle['log_bytes']:.0f} | {middle['for_locks']:.2f} "
            f"| {middle['for_log']:.2f} |"
        )
    return lines


if __name__ == "__main__":
    main()
