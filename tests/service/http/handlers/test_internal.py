"""`GET /internal/authorizations/{appid}/{openid}/token`, and what monitoring asks."""

import json
from urllib.parse import quote

import pytest
from sqlalchemy import text

from service.simulator.faults import Fault
from storage.sql.core.engine import Database

pytestmark = pytest.mark.gen_test


@pytest.fixture
def api_key(service):
    return service.api_keys.add("billing", service.clock.now())


@pytest.fixture
def ask(http, private_url, service):
    async def ask_for(openid, *, key=None, query="", appid=None):
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        url = f"{private_url}/internal/authorizations/{appid or service.settings.appid}/{openid}/token{query}"
        response = await http.fetch(url, headers=headers, raise_error=False)
        return response.code, json.loads(response.body), response.headers

    return ask_for


async def test_a_backend_with_a_key_gets_a_live_token(page, wechat, ask, api_key, clock):
    openid = json.loads((await page.post_code(wechat.issue_code())).body)["openid"]
    clock.advance(3 * 3600)
    status, reply, headers = await ask(openid, key=api_key)
    assert status == 200
    assert set(reply) == {"access_token", "expires_at", "scope"}
    assert reply["expires_at"] == clock.now() + 7200
    assert headers["Cache-Control"] == "no-store"
    assert wechat.calls["refresh_token"] == 1


@pytest.mark.parametrize("key", [None, "", "wok_wrong", "x" * 10_000])
@pytest.mark.attack(
    "live tokens",
    "whoever reaches the private listener",
    "no key, a wrong one, a revoked one",
    "401",
)
async def test_without_a_good_key_there_is_nothing(page, wechat, ask, key):
    openid = json.loads((await page.post_code(wechat.issue_code())).body)["openid"]
    status, reply, headers = await ask(openid, key=key)
    assert (status, reply["error"]) == (401, "unauthorized")
    assert headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.attack(
    "live tokens",
    "whoever reaches the private listener",
    "no key, a wrong one, a revoked one",
    "401",
)
async def test_a_revoked_key_is_refused_at_once(service, ask, api_key, clock):
    assert (await ask("nobody", key=api_key))[0] == 404
    assert service.api_keys.revoke("billing", clock.now())
    assert (await ask("nobody", key=api_key))[0] == 401


async def test_an_unknown_user_is_not_found(ask, api_key):
    status, reply, _ = await ask("nobody", key=api_key)
    assert (status, reply["error"]) == (404, "not_found")


async def test_a_user_whose_thirty_days_are_over_must_authorize_again(page, wechat, ask, api_key, clock):
    openid = json.loads((await page.post_code(wechat.issue_code())).body)["openid"]
    clock.advance(31 * 86_400)
    status, reply, _ = await ask(openid, key=api_key)
    assert (status, reply["error"]) == (409, "reauthorize")


async def test_minimum_seconds_out_of_range_is_refused(ask, api_key, subtests):
    for value in ["-1", "3601", "abc", "", "99999999999999999999", "１", "0" * 5000, "000000000999999"]:
        with subtests.test(value=value):
            status, reply, _ = await ask("nobody", key=api_key, query=f"?minimum_seconds={quote(value)}")
            assert (status, reply["error"]) == (400, "request")


async def test_minimum_seconds_refreshes_a_token_that_would_end_too_soon(page, wechat, ask, api_key, clock):
    openid = json.loads((await page.post_code(wechat.issue_code())).body)["openid"]
    clock.advance(5000)
    assert (await ask(openid, key=api_key, query="?minimum_seconds=60"))[0] == 200
    assert wechat.calls["refresh_token"] == 0
    status, reply, _ = await ask(openid, key=api_key, query="?minimum_seconds=3600")
    assert status == 200
    assert reply["expires_at"] == clock.now() + 7200


async def test_a_token_that_wechat_refused_is_refreshed_though_it_should_live(page, wechat, ask, api_key):
    openid = json.loads((await page.post_code(wechat.issue_code())).body)["openid"]
    assert (await ask(openid, key=api_key))[0] == 200
    assert wechat.calls["refresh_token"] == 0
    assert (await ask(openid, key=api_key, query="?refused=true"))[0] == 200
    assert wechat.calls["refresh_token"] == 1
    assert (await ask(openid, key=api_key, query="?refused=perhaps"))[0] == 400


async def test_while_wechat_is_down_a_refused_token_is_answered_by_the_request_to_come_back(page, wechat, ask, api_key):
    openid = json.loads((await page.post_code(wechat.issue_code())).body)["openid"]
    wechat.faults.add(Fault(endpoint="refresh_token", errcode=-1, times=None))
    for _ in range(3):
        status, reply, headers = await ask(openid, key=api_key, query="?refused=true")
        assert (status, reply["error"]) == (503, "retry")
        assert int(headers["Retry-After"]) >= 1
    assert wechat.calls["refresh_token"] == 1
    assert (await ask(openid, key=api_key))[0] == 200


async def test_not_ready_once_the_store_has_refused_several_grants(http, private_url, service, page, wechat):
    refuse = "CREATE TRIGGER refuse BEFORE INSERT ON authorizations BEGIN SELECT RAISE(ABORT, 'permission denied'); END"
    database = Database.open(service.settings.database_url)
    database.write(lambda connection: connection.execute(text(refuse)))
    database.close()
    statuses = [(await page.post_code(wechat.issue_code())).code for _ in range(5)]
    assert statuses[-1] == 503
    for _ in range(2):
        response = await http.fetch(f"{private_url}/readyz", raise_error=False)
        assert (response.code, json.loads(response.body)["status"]) == (503, "store_unavailable")


async def test_health_readiness_and_metrics(http, private_url, page, wechat):
    await page.post_code(wechat.issue_code())
    assert json.loads((await http.fetch(f"{private_url}/healthz")).body) == {"status": "ok"}
    assert json.loads((await http.fetch(f"{private_url}/readyz")).body)["status"] == "ready"
    metrics = (await http.fetch(f"{private_url}/metrics")).body.decode()
    assert 'wechat_openid_wechat_calls_total{endpoint="access_token",outcome="ok"} 1.0' in metrics
    assert 'wechat_openid_wechat_calls_total{endpoint="refresh_token",outcome="configuration"} 0.0' in metrics


async def test_not_ready_while_the_schema_is_behind(http, private_url, service):
    database = Database.open(service.settings.database_url)
    database.write(lambda connection: connection.execute(text("DELETE FROM alembic_version")))
    response = await http.fetch(f"{private_url}/readyz", raise_error=False)
    database.close()
    assert response.code == 503
    assert json.loads(response.body)["status"] == "schema_behind"


async def test_the_public_listener_does_not_have_the_routes_of_the_private_one(http, public_url):
    for path in ("/metrics", "/readyz", "/internal/authorizations/a/b/token"):
        assert (await http.fetch(public_url + path, raise_error=False)).code == 404
    assert (await http.fetch(f"{public_url}/healthz")).code == 200
