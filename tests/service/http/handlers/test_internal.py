"""`GET /internal/authorizations/{appid}/{openid}/token`, and what monitoring asks."""

import json
from urllib.parse import quote

import pytest
from sqlalchemy import text

from service.simulator.faults import Fault
from storage.sql.accounts.api_keys import KeyLimits, KeyRight
from storage.sql.accounts.user_history import HistoryKind
from storage.sql.core.engine import Database
from tests.service.metric_values import metric_value

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


@pytest.fixture
def known_user(page, wechat):
    async def authorize():
        return json.loads((await page.post_code(wechat.issue_code())).body)["openid"]

    return authorize


@pytest.fixture
def ask_user(http, private_url, service):
    async def ask_for(openid, key):
        url = f"{private_url}/internal/authorizations/{service.settings.appid}/{openid}"
        response = await http.fetch(url, headers={"Authorization": f"Bearer {key}"}, raise_error=False)
        return response.code, json.loads(response.body)

    return ask_for


STOLEN_KEY = pytest.mark.attack(
    "tokens of users",
    "who has a backend's API key",
    "it is used for another account, for more than it is for, after its end, or as fast as can be",
    "refused",
)


@STOLEN_KEY
async def test_a_key_is_good_for_its_accounts_only(service, ask, clock, known_user):
    openid = await known_user()
    elsewhere = service.api_keys.add("elsewhere", clock.now(), KeyLimits(appids=frozenset({"wx-other"})))
    status, reply, _ = await ask(openid, key=elsewhere)
    assert (status, reply["error"]) == (403, "forbidden")
    assert (await ask(openid, key=elsewhere, appid="wx-other"))[0] == 404
    here = service.api_keys.add("here", clock.now(), KeyLimits(appids=frozenset({service.settings.appid})))
    assert (await ask(openid, key=here))[0] == 200


@STOLEN_KEY
async def test_a_key_may_do_what_it_was_made_for(service, ask, ask_user, clock, known_user):
    openid = await known_user()
    tokens = service.api_keys.add("tokens", clock.now())
    users = service.api_keys.add("users", clock.now(), KeyLimits(rights=frozenset({KeyRight.READ_USERS})))
    assert (await ask(openid, key=tokens))[0] == 200
    assert (await ask_user(openid, tokens))[0] == 403
    assert (await ask(openid, key=users))[0] == 403
    status, user = await ask_user(openid, users)
    assert (status, user["openid"], user["status"]) == (200, openid, "active")
    assert not [name for name in user if "token" in name]
    assert (await ask_user("nobody", users))[0] == 404


@STOLEN_KEY
async def test_a_key_ends_by_itself_and_has_a_rate(service, ask, clock):
    limits = KeyLimits(expires_at=clock.now() + 3600, per_minute=3)
    key = service.api_keys.add("billing", clock.now(), limits)
    assert [(await ask("nobody", key=key))[0] for _ in range(4)] == [404, 404, 404, 429]
    _, reply, headers = await ask("nobody", key=key)
    assert reply["error"] == "rate_limited"
    clock.advance(int(headers["Retry-After"]))
    assert (await ask("nobody", key=key))[0] == 404
    clock.advance(3600)
    assert (await ask("nobody", key=key))[0] == 401


async def test_it_is_counted_which_key_was_answered_about_which_account(service, ask, ask_user, clock, known_user):
    openid = await known_user()
    key = service.api_keys.add("billing", clock.now(), KeyLimits(rights=frozenset(KeyRight)))
    for _ in range(3):
        await ask(openid, key=key)
    await ask_user(openid, key)
    await ask("nobody", key=key)  # nobody's token was read
    await service.api_key_use_log.flush()
    appid = service.settings.appid
    [use] = service.dashboard.api_key_uses.since(0)
    assert (use.name, use.appid, use.count) == ("billing", appid, 4)
    assert metric_value(service, "wechat_openid_api_key_uses_total", key="billing", appid=appid) == 4
    await service.user_history_log.flush()
    [read] = service.dashboard.user_history.of(appid, openid)
    assert (read.kind, read.name, read.count) == (HistoryKind.TOKEN_READ, "billing", 3)


@pytest.fixture
def set_external_id(http, private_url, service, clock):
    key = service.api_keys.add("crm", clock.now(), KeyLimits(rights=frozenset({KeyRight.SET_EXTERNAL_ID})))

    async def put(openid, body, key=key):
        url = f"{private_url}/internal/authorizations/{service.settings.appid}/{openid}/external-id"
        headers = {"Authorization": f"Bearer {key}"}
        response = await http.fetch(url, method="PUT", headers=headers, body=body, raise_error=False)
        return response.code, json.loads(response.body)

    return put


async def test_a_backend_says_by_what_it_knows_a_user(service, set_external_id, ask_user, clock, known_user):
    openid = await known_user()
    reader = service.api_keys.add("users", clock.now(), KeyLimits(rights=frozenset({KeyRight.READ_USERS})))
    for external_id in ("会员-1", "m" * 128, None):
        status, reply = await set_external_id(openid, json.dumps({"external_id": external_id}))
        assert (status, reply["external_id"]) == (200, external_id)
        assert (await ask_user(openid, reader))[1]["external_id"] == external_id
    assert (await set_external_id("nobody", '{"external_id":"m-1"}'))[0] == 404


async def test_what_is_no_external_id_changes_nothing(service, set_external_id, known_user, subtests):
    openid = await known_user()
    await set_external_id(openid, '{"external_id":"m-1"}')
    bodies = ("", "[]", "{}", '{"external_id":7}', '{"external_id":""}', '{"external_id":" m-1"}')
    control = (json.dumps({"external_id": text}) for text in ("m" * 129, "a\n1", "\0", "\ud800"))
    for body in (*bodies, *control):
        with subtests.test(body=body):
            status, reply = await set_external_id(openid, body)
            assert (status, reply["error"]) == (400, "request")
    assert (await service.vault.get(service.settings.appid, openid)).external_id == "m-1"


@STOLEN_KEY
async def test_a_key_that_reads_sets_no_external_id(service, set_external_id, clock, known_user):
    openid = await known_user()
    rights = frozenset(KeyRight) - {KeyRight.SET_EXTERNAL_ID}
    key = service.api_keys.add("reader", clock.now(), KeyLimits(rights=rights))
    assert (await set_external_id(openid, '{"external_id":"m-1"}', key))[0] == 403
    assert (await service.vault.get(service.settings.appid, openid)).external_id is None
