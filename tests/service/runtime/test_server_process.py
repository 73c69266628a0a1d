"""The server as a process: it drains, survives `kill -9`, replaces workers, and refuses to start on a wrong footing."""

import asyncio
import json
import os
import signal
import sqlite3
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import text
from tornado.httpclient import HTTPError

from service.runtime.bootstrap import open_service
from service.runtime.server import EXIT_FORCED
from service.simulator.faults import Fault
from storage.sealing import generate_key
from storage.sql.accounts.api_keys import ApiKeys, KeyLimits, KeyRight
from storage.sql.core.engine import Database
from storage.sql.core.migrations import upgrade
from storage.user_search import UserQuery
from tests.waiting import until

EXCHANGE = "access_token"


def children_of(process):
    """Return the ids of a process's children."""
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def is_running(pid):
    try:
        return "zombie" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


async def ask_for_account_tokens(http, server, wechat, settings):
    """Have a backend ask for the account's own token, then about ones that WeChat refuses, and in vain."""
    database = Database.open(settings.database_url)
    limits = KeyLimits(rights=frozenset({KeyRight.ACCOUNT_TOKEN}))
    key = ApiKeys(database).add(f"backend of {server.url}", 1, limits)
    database.close()

    async def ask(refused=""):
        url = f"{server.admin_url}/internal/accounts/{settings.appid}/access-token?refused={quote(refused)}"
        answer = await http.fetch(url, headers={"Authorization": f"Bearer {key}"}, raise_error=False)
        return json.loads(answer.body).get("access_token")

    given = await ask()
    assert given in wechat.issued_secrets()
    wechat.account_tokens.force(settings.appid)
    assert await ask(given) is None  # it was given a moment ago
    for errcode in (40001, 45009, 99999):
        wechat.faults.add(Fault(endpoint="stable_token", errcode=errcode, errmsg=f"invalid {given}"))
    await ask(given)


@pytest.mark.gen_test
async def test_sigterm_finishes_the_exchange_under_way_and_then_ends(
    settings, wechat, http, start_server, page_at, clock
):
    server = await start_server().answers(http)
    wechat.faults.add(Fault(endpoint=EXCHANGE, latency_seconds=1.0))
    posting = asyncio.ensure_future(page_at(server).post_code(wechat.issue_code()))
    await until(lambda: wechat.calls[EXCHANGE])
    server.process.send_signal(signal.SIGTERM)
    response = await posting
    assert response.code == 200
    assert await server.ended() == 0
    async with open_service(settings, clock) as service:
        assert await service.vault.get(settings.appid, json.loads(response.body)["openid"]) is not None


@pytest.mark.gen_test
async def test_killed_twenty_times_under_load_every_openid_answered_is_stored(
    settings, wechat, http, start_server, page_at, clock
):
    answered = set()

    async def load(page):
        while True:
            try:
                response = await page.post_code(wechat.issue_code(wechat.invent_person().id))
            except (OSError, HTTPError):
                return  # the server was killed
            if response.code == 200:
                answered.add(json.loads(response.body)["openid"])
            page.cookie = None

    for _ in range(20):
        server = await start_server().answers(http)
        enough = len(answered) + 40
        clients = [asyncio.ensure_future(load(page_at(server))) for _ in range(16)]
        await until(lambda enough=enough: len(answered) >= enough)
        server.process.send_signal(signal.SIGKILL)
        await asyncio.gather(*clients)
        assert await server.ended() == -signal.SIGKILL
    async with open_service(settings, clock) as service:
        stored = {openid for openid in answered if await service.vault.get(settings.appid, openid) is not None}
    assert len(answered) >= 20 * 40
    assert stored == answered


@pytest.mark.gen_test
async def test_workers_share_the_port_and_one_that_dies_is_replaced(wechat, http, start_server, page_at):
    server = await start_server("--workers", "2").answers(http)
    await until(lambda: len(children_of(server.process)) >= 2)
    first = set(children_of(server.process))
    os.kill(min(first), signal.SIGKILL)
    await until(lambda: len(set(children_of(server.process)) - {min(first)}) >= 2)
    for _ in range(10):
        assert (await page_at(server).post_code(wechat.issue_code())).code == 200
    metrics = (await http.fetch(f"{server.admin_url}/metrics")).body.decode()
    assert 'wechat_openid_wechat_calls_total{endpoint="access_token",outcome="ok"} 10.0' in metrics
    server.process.send_signal(signal.SIGTERM)
    assert await server.ended() == 0


@pytest.mark.gen_test
async def test_the_same_browser_is_answered_the_same_by_any_worker(wechat, http, start_server, page_at):
    server = await start_server("--workers", "2").answers(http)
    for _ in range(10):
        code = wechat.issue_code()
        replies = await asyncio.gather(*(page_at(server).post_code(code) for _ in range(4)))
        assert {response.code for response in replies} == {200}
        assert len({response.body for response in replies}) == 1


@pytest.mark.gen_test
async def test_workers_end_when_their_supervisor_is_killed(http, start_server):
    server = await start_server("--workers", "2").answers(http)
    await until(lambda: len(children_of(server.process)) >= 2)
    workers = children_of(server.process)
    server.process.kill()
    await until(lambda: not any(is_running(worker) for worker in workers))


@pytest.mark.gen_test
async def test_a_brand_new_sqlite_file_is_migrated_and_one_behind_is_refused_with_the_command(
    settings, http, start_server
):
    server = await start_server().answers(http)
    server.process.send_signal(signal.SIGTERM)
    assert await server.ended() == 0
    database = Database.open(settings.database_url)
    database.write(lambda connection: connection.execute(text("DELETE FROM alembic_version")))
    database.close()
    refused = start_server()
    assert await refused.ended() == 1
    assert "alembic upgrade head" in refused.log.read_text()


@pytest.mark.gen_test
async def test_a_database_ahead_of_the_code_is_served_with_a_warning(settings, http, start_server):
    database = Database.open(settings.database_url)
    upgrade(database.engine)
    database.write(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = 'later'")))
    database.close()
    server = await start_server().answers(http)
    assert "ahead of this version" in server.log.read_text()


@pytest.mark.gen_test
async def test_a_missing_key_is_refused_by_name_and_changes_nothing(
    settings, wechat, service, page, start_server, http
):
    await page.post_code(wechat.issue_code())
    [before] = service.vault.user_search().page(UserQuery()).users
    [key_id] = service.keys.key_ids
    refused = start_server(WECHAT_OPENID_SECRET_KEYS=generate_key())
    assert await refused.ended() == 1
    assert key_id in refused.log.read_text()
    assert settings.secret_keys not in refused.log.read_text()
    assert service.vault.user_search().page(UserQuery()).users == (before,)


@pytest.mark.gen_test
async def test_a_port_in_use_is_named(http, start_server):
    server = await start_server().answers(http)
    second = start_server(WECHAT_OPENID_LISTEN=server.url.removeprefix("http://"))
    assert await second.ended() == 1
    assert f"cannot listen on {server.url.removeprefix('http://')} (LISTEN)" in second.log.read_text()


@pytest.mark.gen_test
async def test_without_an_account_the_server_says_what_to_set(start_server):
    server = start_server(WECHAT_OPENID_APPID="", WECHAT_OPENID_SECRET="")
    assert await server.ended() == 1
    assert "WECHAT_OPENID_APPID" in server.log.read_text()
    assert "Traceback" not in server.log.read_text()


@pytest.mark.gen_test
async def test_nothing_secret_is_in_the_database_file_or_in_any_log(
    settings, wechat, http, start_server, page_at, tmp_path, clock
):
    for transport in ("curl", "requests"):
        server = await start_server(WECHAT_OPENID_LOG_LEVEL="DEBUG", WECHAT_OPENID_WECHAT_TRANSPORT=transport).answers(
            http
        )
        page = page_at(server)
        await ask_for_account_tokens(http, server, wechat, settings)
        for number in range(10):
            await page.post_code(wechat.issue_code(wechat.invent_person().id, scope="snsapi_userinfo"))
            wechat.faults.add(Fault(endpoint=EXCHANGE, errcode=(-1, 40163, 45009, 50002, 99999)[number % 5]))
            await page.post_code(wechat.issue_code())
            await http.fetch(f"{server.url}/getCode?code={wechat.issue_code()}", raise_error=False)
        server.process.send_signal(signal.SIGTERM)
        assert await server.ended() == 0
        assert "DEBUG" in server.log.read_text()
    wechat.faults.clear()
    async with open_service(settings, clock) as service:
        await service.credentials.jsapi_ticket(settings.appid)
        await service.credentials.force(settings.appid, "root")
    secrets = {secret.encode() for secret in wechat.issued_secrets()} | {settings.secret_keys.encode()}
    assert len(secrets) > 60
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "wechat-openid.db" for path in files)
    for path in files:
        content = path.read_bytes()
        assert not [secret for secret in secrets if secret in content], path.name


@pytest.mark.gen_test
async def test_while_the_store_is_down_codes_are_not_spent(settings, wechat, http, start_server, page_at):
    server = await start_server().answers(http)
    database = Path(settings.database_url.removeprefix("sqlite:///"))
    page = page_at(server)
    assert (await page.post_code(wechat.issue_code())).code == 200
    # A lock that another program holds is an outage for SQLite.
    holder = sqlite3.connect(database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    await page.post_code(wechat.issue_code())
    spent = wechat.calls[EXCHANGE]
    refused = await page.post_code(wechat.issue_code())
    assert (refused.code, json.loads(refused.body)["error"]) == (503, "store_unavailable")
    assert wechat.calls[EXCHANGE] == spent
    holder.execute("ROLLBACK")
    holder.close()

    async def is_stored_again():
        return (await page.post_code(wechat.issue_code())).code == 200

    await until(is_stored_again)


@pytest.mark.gen_test
async def test_a_process_whose_store_hangs_is_ended_by_force():
    program = (
        "import threading, time; from service.runtime.server import end_anyway_after; "
        "threading.Thread(target=time.sleep, args=(100,)).start(); end_anyway_after(0.2)"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    assert await process.wait() == EXIT_FORCED
