"""By which names the simulator is addressed: a website's own name that points here (DNS rebinding) is none of them."""

import json

import pytest

from service.simulator.app import make_simulator_app
from service.simulator.hosts import AcceptedHosts

ITS_OWN = [
    "localhost",
    "LocalHost:8890",
    "127.0.0.1:8890",
    "192.168.1.5",
    "[::1]:8890",
    "api.weixin.qq.com",
    "phone.lan",
]
OTHERS = [
    "evil.example",
    "rebind.evil.example:8890",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "evil.example@127.0.0.1",
    "127.0.0.1@evil.example",
    "[::1]evil.example",
    "evillocalhost",
    "phone.lan.evil.example",
    "other.lan",
    "",
]


@pytest.mark.parametrize("host", ITS_OWN)
def test_its_own_names_and_addresses_in_numbers_are_accepted(host):
    assert AcceptedHosts(["Phone.lan"]).accept(host)


@pytest.mark.parametrize("host", OTHERS)
def test_the_names_of_others_are_not(host):
    assert not AcceptedHosts(["Phone.lan"]).accept(host)


@pytest.fixture
def app(wechat):
    return make_simulator_app(wechat, hosts=["phone.lan"])


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "path", ["/simulator/codes", "/simulator/reset", "/sns/auth", "/simulator/static/simulator.css", "/nothing"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_nothing_is_answered_under_the_name_of_another(wechat, fetch, path, method):
    body = "" if method == "POST" else None
    response = await fetch(path, method=method, body=body, headers={"Host": "rebind.evil.example:8890"})
    assert response.code == 421
    assert b"--host NAME" in response.body
    assert wechat.calls == {}


@pytest.mark.gen_test
async def test_a_further_name_is_answered(fetch):
    response = await fetch("/simulator/codes", method="POST", body="", headers={"Host": "phone.lan:8890"})
    assert "code" in json.loads(response.body)
