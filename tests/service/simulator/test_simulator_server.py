import asyncio
import json
import logging
import subprocess
import sys

import pytest
import requests
from tornado.httpclient import AsyncHTTPClient
from tornado.tcpclient import TCPClient

from service.simulator.faults import Fault
from service.simulator.people import DEFAULT_ACCOUNT
from service.simulator.server import start_simulator
from service.simulator.wechat import SimulatedWeChat
from storage.base.clock import ManualClock
from tests.waiting import until


@pytest.fixture
def wechat():
    return SimulatedWeChat(ManualClock())


@pytest.mark.gen_test
async def test_a_simulator_starts_on_a_free_port_and_stops(wechat):
    running = await start_simulator(wechat)
    assert running.url == f"http://127.0.0.1:{running.port}"
    assert running.authorize_url == running.url + "/connect/oauth2/authorize"
    response = await AsyncHTTPClient().fetch(running.url + "/sns/auth")
    assert json.loads(response.body)["errcode"] == 41001
    await running.stop()
    with pytest.raises(OSError, match="refused"):
        await AsyncHTTPClient().fetch(running.url + "/sns/auth")


@pytest.mark.gen_test
async def test_stopping_ends_calls_that_hang(wechat):
    wechat.faults.add(Fault(breakage="hang"))
    running = await start_simulator(wechat)
    stream = await TCPClient().connect(running.host, running.port)
    await stream.write(b"GET /sns/auth HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await until(lambda: wechat.outcomes["auth"]["hang"])
    await running.stop()
    assert await stream.read_until_close() == b""


@pytest.mark.gen_test
async def test_a_blocking_client_library_can_use_it(wechat):
    running = await start_simulator(wechat)
    query = {
        "appid": DEFAULT_ACCOUNT.appid,
        "secret": DEFAULT_ACCOUNT.secret,
        "code": wechat.issue_code(),
        "grant_type": "authorization_code",
    }
    response = await asyncio.to_thread(
        requests.get, running.url + "/sns/oauth2/access_token", params=query, timeout=5, headers={"Connection": "close"}
    )
    assert json.loads(response.content)["scope"] == "snsapi_base"
    await running.stop()


@pytest.mark.gen_test
async def test_nothing_is_logged_of_a_call(wechat, caplog):
    caplog.set_level(logging.DEBUG)
    running = await start_simulator(wechat)
    await AsyncHTTPClient().fetch(f"{running.url}/sns/auth?access_token=very-secret&openid=o")
    await running.stop()
    assert "very-secret" not in caplog.text


@pytest.mark.gen_test
async def test_a_fault_of_the_simulator_is_logged_without_the_query(wechat, caplog, monkeypatch):
    monkeypatch.setattr(wechat, "auth", None)
    running = await start_simulator(wechat)
    response = await AsyncHTTPClient().fetch(
        f"{running.url}/sns/auth?access_token=very-secret&openid=o", raise_error=False
    )
    await running.stop()
    assert response.code == 500
    assert "GET /sns/auth failed" in caplog.text
    assert "very-secret" not in caplog.text


def test_the_simulator_shares_nothing_but_the_clock_and_the_choice_of_a_language():
    program = "import sys, service.simulator.server; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    ours = {name for name in loaded if name.split(".")[0] in {"service", "storage", "admin"}}
    assert {name for name in ours if not name.startswith("service.simulator")} == {
        "service",
        "admin",
        "admin.web",
        "admin.web.accept_language",
        "storage",
        "storage.base",
        "storage.base.clock",
    }
