"""SIGHUP: settings are read anew and workers replaced one by one, and nobody's request is lost."""

import asyncio
import json
import os
import re
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from service.simulator.faults import Fault
from storage.sealing import generate_key
from tests.service.runtime.test_rolling_restart import MISSING_CODE, KeepingClients
from tests.service.runtime.test_server_process import children_of, is_running
from tests.waiting import until

EXCHANGE = "access_token"
REQUESTS_AT_ONCE = 5
ENDS_OF_RELOADS = re.compile("reloaded; workers that were|not reloaded,|reloading stopped")


@dataclass
class Files:
    """The files that a server reads its settings from, and reads anew."""

    config: Path
    secret_keys: Path

    def allow(self, *origins):
        self.config.write_text(f"allowed_origins = {json.dumps(origins)}\n")


@pytest.fixture
def files(tmp_path, settings):
    files = Files(tmp_path / "settings.toml", tmp_path / "keys")
    files.allow()
    files.secret_keys.write_text(settings.secret_keys)
    return files


@pytest.fixture
def start(http, start_server, files):
    """Start a server that reads its settings from these files."""

    async def start(workers):
        return await start_server(
            *("--workers", workers),
            options=("--config", str(files.config)),
            WECHAT_OPENID_SECRET_KEYS="",
            WECHAT_OPENID_SECRET_KEYS_FILE=str(files.secret_keys),
        ).answers(http)

    return start


async def reload(server):
    """Have a server reload, and return when it has, or has not."""
    done = len(ENDS_OF_RELOADS.findall(server.log.read_text()))
    server.process.send_signal(signal.SIGHUP)
    await until(lambda: len(ENDS_OF_RELOADS.findall(server.log.read_text())) > done)


class PipeliningClients:
    """Send several requests at once on each connection, and take a new one where the server says that it ends.

    What was sent behind the answer that said so was not read, and is sent again (RFC 9112, 9.6).
    """

    def __init__(self, url):
        self.outcomes = Counter()
        self._address = url.removeprefix("http://").split(":")
        self._stopping = False
        self._tasks = [asyncio.ensure_future(self._run()) for _ in range(3)]

    async def _run(self):
        while not self._stopping:
            reader, writer = await asyncio.open_connection(*self._address)
            try:
                while not self._stopping and await self._ask(reader, writer):
                    pass
            finally:
                writer.close()

    async def _ask(self, reader, writer):
        """Send some requests at once; return whether the connection goes on."""
        writer.write(b"POST /getCode HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}" * REQUESTS_AT_ONCE)
        for number in range(REQUESTS_AT_ONCE):
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                [length] = [line.split(": ")[1] for line in head.splitlines() if line.startswith("Content-Length: ")]
                body = json.loads(await reader.readexactly(int(length)))
            except (OSError, asyncio.IncompleteReadError):
                # Idle for a second, it was closed while the first request was on its way; or it ended in an answer.
                self.outcomes["closed" if number == 0 else "cut"] += 1
                return False
            self.outcomes[body["errcode"]] += 1
            if "Connection: close" in head:
                return False
        return True

    async def end(self):
        self._stopping = True
        await asyncio.gather(*self._tasks)


@pytest.mark.parametrize("workers", ["1", "3"])
@pytest.mark.gen_test(timeout=240)
async def test_no_request_is_lost_by_reloads_under_load(http, start_server, workers):
    server = await start_server("--workers", workers).answers(http)
    clients, pipelining = KeepingClients(server.url), PipeliningClients(server.url)
    try:
        for _ in range(3):
            before = children_of(server.process)
            seen = clients.outcomes.total(), pipelining.outcomes.total()
            await until(
                lambda seen=seen: (
                    clients.outcomes.total() > seen[0] + 100 and pipelining.outcomes.total() > seen[1] + 100
                )
            )
            await reload(server)
            assert not set(before) & set(children_of(server.process))
    finally:
        await asyncio.to_thread(clients.end)
        await pipelining.end()
    print("kept:", dict(clients.outcomes), "pipelined:", dict(pipelining.outcomes))
    assert set(clients.outcomes) == set(pipelining.outcomes) == {MISSING_CODE}


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.gen_test(timeout=120)
async def test_an_exchange_under_way_ends_in_the_worker_that_began_it(wechat, http, start_server, page_at, workers):
    server = await start_server("--workers", workers).answers(http)
    wechat.faults.add(Fault(endpoint=EXCHANGE, latency_seconds=1.5))
    posting = asyncio.ensure_future(page_at(server).post_code(wechat.issue_code()))
    await until(lambda: wechat.calls[EXCHANGE])
    await reload(server)
    assert (await posting).code == 200


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.gen_test(timeout=120)
async def test_the_settings_file_is_read_anew(http, start, files, workers):
    server = await start(workers)

    async def posts():
        headers = {"Origin": "https://h5.example.com"}
        return (
            await http.fetch(f"{server.url}/getCode", method="POST", body="{}", headers=headers, raise_error=False)
        ).code

    assert await posts() == 403
    files.allow("https://h5.example.com")
    await reload(server)
    assert {await posts() for _ in range(10)} == {400}
    assert "settings that change: ALLOWED_ORIGINS\n" in server.log.read_text()


@pytest.mark.gen_test(timeout=240)
async def test_a_new_key_in_the_first_place_costs_nobody_an_answer(settings, wechat, http, start, files, page_at):
    server = await start("3")
    outcomes = Counter()
    is_over = asyncio.Event()

    async def visit():
        """Sign in and ask for the profile: what one worker signs and seals, another is asked to open."""
        while not is_over.is_set():
            page = page_at(server)
            signed_in = await page.post_code(wechat.issue_code(wechat.invent_person().id, scope="snsapi_userinfo"))
            profile = await http.fetch(f"{server.url}/userinfo", headers={"Cookie": page.cookie}, raise_error=False)
            outcomes[signed_in.code, profile.code] += 1

    visitors = [asyncio.ensure_future(visit()) for _ in range(4)]
    await until(lambda: outcomes.total() > 20)
    new_key = generate_key()
    files.secret_keys.write_text(f"{new_key},{settings.secret_keys}")
    await reload(server)
    seen = outcomes.total()
    await until(lambda: outcomes.total() > seen + 20)
    is_over.set()
    await asyncio.gather(*visitors)
    print("visits:", dict(outcomes))
    assert set(outcomes) == {(200, 200)}
    for secret in (new_key, settings.secret_keys):
        assert secret not in server.log.read_text()


@pytest.mark.gen_test(timeout=120)
async def test_settings_that_cannot_be_used_leave_the_workers_alone(http, start, files):
    server = await start("2")
    workers = children_of(server.process)
    for file, text, says in [
        (files.config, "allowed_origins = [", "is not TOML"),
        (files.config, "zzz = 1", "zzz is not a setting"),
        (files.config, 'refresh_every_seconds = "often"', "REFRESH_EVERY_SECONDS must be"),
        (files.config, None, "cannot be read: No such file"),
        (files.secret_keys, "hunter2", "SECRET_KEYS holds a key that is not 32 bytes"),
        (files.secret_keys, None, "the file that WECHAT_OPENID_SECRET_KEYS_FILE names: No such file"),
    ]:
        if text is None:
            file.unlink()
        else:
            file.write_text(text)
        await reload(server)
        assert says in server.log.read_text()
        if file is files.config and text is None:
            files.allow()
    assert "hunter2" not in server.log.read_text()
    assert children_of(server.process) == workers
    assert (await http.fetch(f"{server.url}/healthz")).code == 200


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.gen_test(timeout=120)
async def test_a_worker_that_cannot_start_stops_the_reload_and_the_others_serve_on(
    settings, wechat, start, files, page_at, workers
):
    server = await start(workers)
    assert (await page_at(server).post_code(wechat.issue_code())).code == 200
    # A key that opens nothing of what is stored: only a worker, which looks there, finds that out.
    files.secret_keys.write_text(generate_key())
    await reload(server)
    assert "is not in SECRET_KEYS" in server.log.read_text()
    assert f"0 of {workers} workers have the new settings" in server.log.read_text()
    assert len(children_of(server.process)) == int(workers)
    assert (await page_at(server).post_code(wechat.issue_code())).code == 200
    files.secret_keys.write_text(settings.secret_keys)
    await reload(server)
    assert (await page_at(server).post_code(wechat.issue_code())).code == 200
    server.process.send_signal(signal.SIGTERM)
    assert await server.ended() == 0


@pytest.mark.gen_test(timeout=120)
async def test_a_successor_of_a_worker_that_died_has_the_settings_of_the_others(wechat, start, files, page_at):
    server = await start("2")
    files.config.write_text("not even TOML")
    victim = children_of(server.process)[0]
    os.kill(victim, signal.SIGKILL)
    await until(lambda: victim not in children_of(server.process) and len(children_of(server.process)) == 2)
    assert {(await page_at(server).post_code(wechat.issue_code())).code for _ in range(20)} == {200}
    assert "TOML" not in server.log.read_text()


@pytest.mark.gen_test(timeout=120)
async def test_what_takes_a_restart_is_named_and_stays(http, start, files):
    server = await start("2")
    files.config.write_text('token_store_url = "sqlite:///elsewhere.db"\n')
    await reload(server)
    assert "TOKEN_STORE_URL has changed, which takes a restart" in server.log.read_text()
    assert "elsewhere" not in server.log.read_text()
    assert (await http.fetch(f"{server.admin_url}/readyz")).code == 200


@pytest.mark.gen_test(timeout=120)
async def test_a_store_of_one_process_is_not_reloaded(http, start_server):
    server = await start_server(WECHAT_OPENID_TOKEN_STORE="memory").answers(http)
    await reload(server)
    assert "not reloaded" in server.log.read_text()
    assert "belongs to one process: restart the service" in server.log.read_text()
    assert children_of(server.process) == []


@pytest.mark.gen_test(timeout=120)
async def test_told_to_end_in_the_middle_of_a_reload_all_workers_end(start, files):
    server = await start("3")
    server.process.send_signal(signal.SIGHUP)
    await until(lambda: len(children_of(server.process)) == 4)
    workers = children_of(server.process)
    server.process.send_signal(signal.SIGTERM)
    assert await server.ended() == 0
    assert not any(is_running(worker) for worker in workers)
