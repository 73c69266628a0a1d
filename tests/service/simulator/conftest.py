import json
from urllib.parse import urlencode

import pytest

from service.simulator.app import make_simulator_app
from service.simulator.people import LOGIN_SCOPES, Account, Person
from service.simulator.wechat import SimulatedWeChat
from storage.base.clock import ManualClock

FIRST = Account("wx0000000000000001", "first-secret")
SECOND = Account("wx0000000000000002", "second-secret", domains=frozenset({"h5.example.com"}), in_open_platform=False)
WEBSITE = Account("wx0000000000000004", "fourth-secret", domains=frozenset({"www.example.com"}), scopes=LOGIN_SCOPES)
SILENT_ONLY = Account("wx0000000000000003", "third-secret", scopes=frozenset({"snsapi_base"}))


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def wechat(clock):
    return SimulatedWeChat(
        clock,
        accounts=[FIRST, SECOND, SILENT_ONLY, WEBSITE],
        people=[Person("li-na", "李娜😀"), Person("lao-zhang", "<b>老张</b>", headimgurl="")],
    )


@pytest.fixture
def app(wechat):
    return make_simulator_app(wechat)


@pytest.fixture
def fetch(http_client, base_url):
    """Sends a request; errors of HTTP and redirects are answers like any other."""

    async def fetch(path, query=None, **options):
        url = base_url + path + ("?" + urlencode(query) if query else "")
        return await http_client.fetch(url, **{"raise_error": False, "follow_redirects": False, **options})

    return fetch


@pytest.fixture
def exchange(fetch):
    """Exchanges a code of the first account; keyword arguments replace parameters, None leaves one out."""

    async def exchange(code, /, **changes):
        query = {"appid": FIRST.appid, "secret": FIRST.secret, "code": code, "grant_type": "authorization_code"}
        return await _ask(fetch, "/sns/oauth2/access_token", query | changes)

    return exchange


@pytest.fixture
def refresh(fetch):
    async def refresh(refresh_token, /, **changes):
        query = {"appid": FIRST.appid, "grant_type": "refresh_token", "refresh_token": refresh_token}
        return await _ask(fetch, "/sns/oauth2/refresh_token", query | changes)

    return refresh


@pytest.fixture
def userinfo(fetch):
    async def userinfo(grant, /, **changes):
        query = {"access_token": grant["access_token"], "openid": grant["openid"], "lang": "zh_CN"}
        return await _ask(fetch, "/sns/userinfo", query | changes)

    return userinfo


@pytest.fixture
def auth(fetch):
    async def auth(grant, /, **changes):
        query = {"access_token": grant["access_token"], "openid": grant["openid"]}
        return await _ask(fetch, "/sns/auth", query | changes)

    return auth


async def _ask(fetch, path, query):
    response = await fetch(path, {name: value for name, value in query.items() if value is not None})
    assert response.code == 200
    assert response.headers["Content-Type"] == "text/plain"
    return json.loads(response.body)
