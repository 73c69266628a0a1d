"""Instances are replaced one after the other while clients keep their connections: nobody's request fails."""

import asyncio
import os
import signal
import threading
from collections import Counter

import pytest
import requests

from service.settings import PREFIX
from tests.proxies import nginx
from tests.service.runtime.test_server_process import children_of
from tests.waiting import accepts, until

CLIENTS = 4
MISSING_CODE = 41008


class KeepingClients:
    """Threads that ask again and again, each by a session of `requests`, which keeps its connection."""

    def __init__(self, address):
        self.outcomes = Counter()
        self.stopping = threading.Event()
        self._address = address
        self._threads = [threading.Thread(target=self._run) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def _run(self):
        with requests.Session() as session:
            while not self.stopping.is_set():
                try:
                    # A post, which neither requests nor nginx sends a second time.
                    answer = session.post(self._address + "/getCode", json={}, timeout=30)
                    outcome = answer.json()["errcode"] if answer.status_code == 400 else answer.status_code
                except requests.RequestException as error:
                    outcome = type(error).__name__
                self.outcomes[outcome] += 1

    def end(self):
        self.stopping.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.gen_test(timeout=90)
async def test_clients_behind_a_keeping_proxy_lose_nothing_when_instances_are_replaced(
    settings, http, start_server, tmp_path, workers
):
    with_workers = {f"{PREFIX}WORKERS": workers}
    servers = [await start_server(**with_workers).answers(http) for _ in range(2)]
    places = [server.url.removeprefix("http://") for server in servers]
    upstream = "".join(f"server {place} max_fails=0; " for place in places)
    with nginx(
        tmp_path,
        "http://instances",
        'proxy_http_version 1.1; proxy_set_header Connection "";',
        outside=f"upstream instances {{ {upstream} keepalive 16; }}",
    ) as address:
        clients = KeepingClients(f"http://{address}")
        try:
            for number, server in enumerate(servers):
                seen = clients.outcomes.total()
                await until(lambda seen=seen: clients.outcomes.total() > seen + 100)
                server.process.send_signal(signal.SIGTERM)
                assert await server.ended() == 0
                start_server(**with_workers, **{f"{PREFIX}LISTEN": places[number]})
                await until(lambda number=number: accepts(int(places[number].partition(":")[2])))
        finally:
            await asyncio.to_thread(clients.end)

    print("answers:", dict(clients.outcomes))
    assert set(clients.outcomes) == {MISSING_CODE}


@pytest.mark.gen_test(timeout=90)
async def test_clients_that_keep_connections_lose_nothing_when_a_worker_is_told_to_end(http, start_server):
    server = await start_server("--workers", "2").answers(http)
    clients = KeepingClients(server.url)
    try:
        for _ in range(2):
            await until(lambda: len(children_of(server.process)) == 2)
            oldest = min(children_of(server.process))
            seen = clients.outcomes.total()
            await until(lambda seen=seen: clients.outcomes.total() > seen + 100)
            os.kill(oldest, signal.SIGTERM)
            await until(lambda oldest=oldest: oldest not in children_of(server.process))
    finally:
        await asyncio.to_thread(clients.end)

    print("answers:", dict(clients.outcomes))
    assert set(clients.outcomes) == {MISSING_CODE}
