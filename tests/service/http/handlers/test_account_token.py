"""`GET /internal/accounts/{appid}/access-token`."""

import json
from urllib.parse import urlencode

import pytest

from service.simulator.faults import Fault
from storage.sql.accounts.api_keys import KeyLimits, KeyRight
from tests.service.metric_values import metric_value

pytestmark = pytest.mark.gen_test

ACCOUNT_TOKEN = KeyLimits(rights=frozenset({KeyRight.ACCOUNT_TOKEN}))
STABLE_TOKEN = "stable_token"


@pytest.fixture
def api_key(service):
    return service.api_keys.add("mailer", service.clock.now(), ACCOUNT_TOKEN)


@pytest.fixture
def ask(http, private_url, service, api_key):
    async def ask_for(appid=None, *, key=api_key, **query):
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        url = f"{private_url}/internal/accounts/{appid or service.settings.appid}/access-token?{urlencode(query)}"
        response = await http.fetch(url, headers=headers, raise_error=False)
        return response.code, json.loads(response.body), response.headers

    return ask_for


async def test_a_backend_gets_the_accounts_token(ask, wechat, clock, service):
    status, reply, headers = await ask()
    assert (status, set(reply), headers["Cache-Control"]) == (200, {"access_token", "expires_at"}, "no-store")
    assert reply["access_token"] in wechat.issued_secrets()
    assert reply["expires_at"] == clock.now() + 7200
    assert (await ask())[1] == reply
    assert wechat.calls == {STABLE_TOKEN: 1}
    assert metric_value(service, "wechat_openid_api_key_uses_total", key="mailer") == 2


@pytest.mark.attack(
    "live tokens", "whoever holds a key of a backend", "a key for something else, or another account's", "401 or 403"
)
async def test_only_a_key_with_the_right_gets_it(ask, service, clock, wechat, subtests):
    everything_else = KeyLimits(rights=frozenset(KeyRight) - {KeyRight.ACCOUNT_TOKEN})
    others = KeyLimits(frozenset({"wx-other"}), ACCOUNT_TOKEN.rights)
    for key, expected in [
        (None, 401),
        ("wok_wrong", 401),
        (service.api_keys.add("default", clock.now()), 403),
        (service.api_keys.add("all else", clock.now(), everything_else), 403),
        (service.api_keys.add("another's", clock.now(), others), 403),
    ]:
        with subtests.test(expected=expected):
            assert (await ask(key=key))[0] == expected
    assert not wechat.calls


async def test_a_refused_token_is_compared_and_asked_about_once(ask, wechat, clock, service):
    ours = (await ask())[1]["access_token"]
    assert (await ask(refused="another"))[1]["access_token"] == ours
    assert wechat.calls[STABLE_TOKEN] == 1
    clock.advance(60)
    wechat.account_tokens.force(service.settings.appid)
    status, reply, _ = await ask(refused=ours)
    assert (status, reply["access_token"] == ours) == (200, False)
    assert (await ask(refused=ours))[1] == reply
    assert wechat.calls[STABLE_TOKEN] == 2


async def test_a_refused_token_that_is_still_the_one_is_not_given_again(ask, wechat, clock):
    ours = (await ask())[1]["access_token"]
    clock.advance(60)
    for _ in range(3):
        status, reply, headers = await ask(refused=ours)
        assert (status, reply["error"]) == (503, "retry")
        assert "somebody else may just have forced another" in reply["errmsg"]
        assert int(headers["Retry-After"]) > 0
        assert ours not in json.dumps(reply)
    assert wechat.outcomes[STABLE_TOKEN] == {"ok": 2}


async def test_failures_say_why_and_when_to_ask_again(ask, wechat, clock):
    wechat.faults.add(Fault(endpoint=STABLE_TOKEN, errcode=45009, times=None))
    status, reply, headers = await ask()
    assert (status, reply["error"], reply["errmsg"][-15:]) == (503, "retry", "(errcode 45009)")
    assert int(headers["Retry-After"]) > 0
    wechat.faults.clear()
    clock.advance(600)
    assert (await ask())[0] == 200


async def test_an_account_that_is_not_configured_is_not_found(ask):
    status, reply, _ = await ask("wx-nobody")
    assert (status, reply["error"]) == (404, "not_found")
