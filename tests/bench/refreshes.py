"""Measures scheduled refreshes: tokens a second of one process, and processor time for each, the store included.

Usage: python -m tests.bench.refreshes [--rows N] [--write]
"""

import argparse
import re
import resource
import subprocess
import sys
import tempfile
import time

from sqlalchemy import insert

from storage.sealing import KeyRing, Tokens
from storage.sql.core.engine import Database
from storage.sql.core.migrations import upgrade
from storage.sql.core.schema import authorizations
from tests.bench.made_up_users import analyze
from tests.bench.report import write_chapter
from tests.bench.servers import ADMIN_PORT, PORT, UPSTREAM_PORT, postgresql_database, upstream
from tests.bench.stacks import APPID, SECRET_KEY, environment_for, this_service


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    arguments = parser.parse_args()
    lines = [
        "One process refreshes what is due as fast as the stand-in for WeChat answers; what it costs to start the",
        "command is taken off.",
        "",
        "| store | due users | seconds | refreshes/s | CPU µs per refresh |",
        "|---|---:|---:|---:|---:|",
    ]
    with upstream(), tempfile.TemporaryDirectory() as folder, postgresql_database() as postgresql:
        for name, url in (("SQLite", f"sqlite:///{folder}/bench.db"), ("PostgreSQL", postgresql)):
            lines.append(row(name, url, arguments.rows))
            print(lines[-1], flush=True)
    if arguments.write:
        write_chapter("## Scheduled refreshes", "\n".join(lines))


def row(name, url, rows):
    fill(url, rows)
    seconds, cpu = refresh_all(url, rows)
    return f"| {name} | {rows:,} | {seconds:.1f} | {rows / seconds:,.0f} | {1e6 * cpu / rows:.0f} |"


def fill(url, rows):
    """Store so many authorizations whose refresh is due."""
    database = Database.open(url)
    upgrade(database.engine)
    keys = KeyRing.parse(SECRET_KEY)
    now = int(time.time())
    for start in range(0, rows, 10_000):
        part = [due_row(keys, f"o{number:027d}", now) for number in range(start, min(start + 10_000, rows))]
        database.write(lambda connection, part=part: connection.execute(insert(authorizations), part))
    analyze(database)
    database.close()


def due_row(keys, openid, now):
    sealed = keys.seal(APPID, openid, Tokens("a" * 130, openid + "r" * 102))
    return {
        "appid": APPID,
        "openid": openid,
        "scope": "snsapi_base",
        "code_scope": "snsapi_base",
        "is_snapshotuser": False,
        "access_token": sealed.access_token,
        "refresh_token": sealed.refresh_token,
        "expires_at": now - 60,
        "refresh_expires_at": now + 20 * 86_400,
        "status": "active",
        "version": 1,
        "refresh_failures": 0,
        "next_refresh_at": now - 600,
        "first_authorized_at": now - 7200,
        "authorized_at": now - 7200,
        "last_used_at": now - 7200,
    }


def refresh_all(url, rows):
    """Run one pass and return how long it took and what it cost, without what starting the command costs."""
    stack = this_service("this service", url, port=PORT, admin_port=ADMIN_PORT)
    environment = {
        **environment_for(stack, port=PORT, upstream=f"http://127.0.0.1:{UPSTREAM_PORT}"),
        "WECHAT_OPENID_REFRESH_MAX_PER_SECOND": "10000",
        "WECHAT_OPENID_REFRESH_CONCURRENCY": "64",
    }
    output, seconds, cpu = timed(environment)
    assert re.search(rf"\b{rows} refreshed\b", output), output
    _, idle_seconds, idle_cpu = timed(environment)
    return seconds - idle_seconds, cpu - idle_cpu


def timed(environment):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    output = subprocess.run(
        [sys.executable, "-m", "service", "refresh", "--once"],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return output, time.monotonic() - started, cpu


if __name__ == "__main__":
    main()
