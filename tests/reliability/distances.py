"""Exchanges with PostgreSQL far away: how long they take, and whether what was acknowledged is stored.

Usage: python -m tests.reliability.distances [--write]
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path

from sqlalchemy import make_url

from service.simulator.wechat import SimulatedWeChat
from storage.base.clock import SystemClock
from tests.network_path import network_path_to
from tests.postgresql_cluster import cluster_of_its_own
from tests.reliability.faults import migrate
from tests.reliability.outages import count_stored, running_service
from tests.reliability.page import write_figures
from tests.service.harness import Page

DELAYS_MS = (50, 250, 400)
EXCHANGES = 40


async def exchange_over(delay_ms: int) -> list[str]:
    """Return the median time of an exchange, how many were acknowledged, and how many of them are not stored."""
    times, openids = [], set()
    wechat = SimulatedWeChat(SystemClock())
    with cluster_of_its_own() as cluster, tempfile.TemporaryDirectory() as folder:
        migrate(cluster.url)
        address = make_url(cluster.url)
        with network_path_to("127.0.0.1", address.port) as path:
            settings = {"DATABASE_URL": address.set(port=path.port).render_as_string(hide_password=False)}
            async with running_service(wechat, settings, Path(folder), 1) as (server, http):
                await Page(http, server.url).post_code(wechat.issue_code())  # which connects
                path.delay_seconds = delay_ms / 1000
                for _ in range(EXCHANGES):
                    began_at = time.monotonic()
                    response = await Page(http, server.url).post_code(wechat.issue_code(wechat.invent_person().id))
                    times.append(1000 * (time.monotonic() - began_at))
                    if response.code == 200:
                        openids.add(json.loads(response.body)["openid"])
        counts = await asyncio.to_thread(count_stored, {"DATABASE_URL": cluster.url}, openids)
    return [f"{statistics.median(times):.0f}", str(len(openids)), str(counts["lost"])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put the figures into docs/reliability.md and its twin")
    asked = parser.parse_args()
    for delay_ms in DELAYS_MS:
        figures = asyncio.run(exchange_over(delay_ms))
        print(f"{delay_ms} ms one way: {figures}", flush=True)
        if asked.write:
            write_figures({str(delay_ms): figures})


if __name__ == "__main__":
    main()
