"""Accounts' own access tokens and tickets: `stable_token` in both modes, `token`, `getticket`, and refusals."""

import json

import pytest

from tests.service.simulator.conftest import FIRST

pytestmark = pytest.mark.gen_test

APPID, SECRET = FIRST.appid, FIRST.secret
ACCOUNT = {"grant_type": "client_credential", "appid": APPID, "secret": SECRET}
DAY = 86_400


@pytest.fixture
def stable(fetch):
    """Ask for the stable token; gives the reply."""

    async def ask(force_refresh=False, **changed):
        body = json.dumps({**ACCOUNT, "force_refresh": force_refresh, **changed})
        response = await fetch("/cgi-bin/stable_token", method="POST", body=body)
        assert response.headers["Content-Type"] == "application/json; encoding=utf-8"
        return json.loads(response.body)

    return ask


@pytest.fixture
def call(fetch):
    async def ask(path, **query):
        return json.loads((await fetch(f"/cgi-bin/{path}", query)).body)

    return ask


@pytest.fixture
def control(fetch):
    async def ask(path, body):
        return json.loads((await fetch(f"/simulator/{path}", method="POST", body=json.dumps(body))).body)

    return ask


async def errcode_of_ticket(call, token):
    return (await call("ticket/getticket", access_token=token, type="jsapi")).get("errcode")


async def test_normal_mode_gives_the_same_token_until_five_minutes_before_its_end_and_both_live_then(
    stable, call, wechat
):
    first = await stable()
    assert first["expires_in"] == 7200
    wechat.advance(6899)
    assert await stable() == {**first, "expires_in": 301}
    wechat.advance(1)
    second = await stable()
    assert second["access_token"] != first["access_token"]
    assert second["expires_in"] == 7200
    assert [await errcode_of_ticket(call, one["access_token"]) for one in (first, second)] == [0, 0]
    wechat.advance(300)
    assert [await errcode_of_ticket(call, one["access_token"]) for one in (first, second)] == [42001, 0]


async def test_forcing_ends_the_former_token_and_has_its_limits(stable, call, wechat):
    first = await stable()
    second = await stable(force_refresh=True)
    assert second["access_token"] != first["access_token"]
    refusal = await call("ticket/getticket", access_token=first["access_token"], type="jsapi")
    assert refusal["errcode"] == 40001
    assert "could get access_token by getStableAccessToken" in refusal["errmsg"]
    assert (await stable())["access_token"] == second["access_token"]
    wechat.advance(29)
    assert (await stable(force_refresh=True))["errcode"] == 45011
    wechat.advance(DAY - (wechat.now() + 8 * 3600) % DAY)
    for _ in range(20):
        wechat.advance(30)
        assert "access_token" in await stable(force_refresh=True)
    wechat.advance(30)
    assert (await stable(force_refresh=True))["errcode"] == 45009
    wechat.advance(DAY)
    assert "access_token" in await stable(force_refresh=True)


async def test_plain_tokens_end_each_other_and_leave_stable_ones_alone(stable, call):
    kept = await stable()
    first, second = [await call("token", **ACCOUNT) for _ in range(2)]
    tokens = [one["access_token"] for one in (kept, first, second)]
    assert len(set(tokens)) == 3
    assert [await errcode_of_ticket(call, token) for token in tokens] == [0, 40001, 0]
    await stable(force_refresh=True)
    assert await errcode_of_ticket(call, tokens[2]) == 0


async def test_tickets_of_each_type_are_kept(stable, call, wechat):
    token = (await stable())["access_token"]
    first = await call("ticket/getticket", access_token=token, type="jsapi")
    assert list(first) == ["errcode", "errmsg", "ticket", "expires_in"]
    assert (await call("ticket/getticket", access_token=token, type="jsapi"))["ticket"] == first["ticket"]
    assert (await call("ticket/getticket", access_token=token, type="wx_card"))["ticket"] != first["ticket"]
    assert (await call("ticket/getticket", access_token=token, type="other"))["errcode"] == 40097
    assert first["ticket"] in wechat.issued_secrets()
    assert token in wechat.issued_secrets()


async def test_what_is_wrong_with_a_request_is_told(stable, call, fetch, subtests):
    for changed, errcode in [
        ({"appid": ""}, 41002),
        ({"secret": ""}, 41004),
        ({"secret": 7}, 41004),
        ({"grant_type": "authorization_code"}, 40002),
        ({"appid": "wx-nobody"}, 40013),
        ({"secret": "wrong"}, 40125),
    ]:
        with subtests.test(changed=changed):
            assert (await stable(**changed))["errcode"] == errcode
    assert (await call("stable_token", **ACCOUNT))["errcode"] == 43002
    assert (await call("token", **{**ACCOUNT, "secret": "wrong"}))["errcode"] == 40125
    assert await errcode_of_ticket(call, "") == 41001
    assert await errcode_of_ticket(call, "made-up") == 40001
    for body in ("", "[]", "{"):
        response = await fetch("/cgi-bin/stable_token", method="POST", body=body)
        assert json.loads(response.body)["errcode"] == 47001


async def test_callers_that_are_not_on_the_ip_list_are_refused_with_their_address(stable, call, control):
    token = (await stable())["access_token"]
    assert await control("ip-list", {"addresses": ["203.0.113.9"]}) == {"addresses": ["203.0.113.9"]}
    refusal = await stable()
    assert (refusal["errcode"], "invalid ip 127.0.0.1" in refusal["errmsg"]) == (40164, True)
    assert await errcode_of_ticket(call, token) == 40164
    assert (await call("token", **ACCOUNT))["errcode"] == 40164
    await control("ip-list", {"addresses": ["127.0.0.1"]})
    assert await errcode_of_ticket(call, token) == 0
    await control("ip-list", {"addresses": []})
    assert await errcode_of_ticket(call, token) == 40164
    assert await control("ip-list", {"addresses": None}) == {"addresses": None}
    assert await errcode_of_ticket(call, token) == 0


async def test_another_server_that_forces_a_token_can_be_played(stable, call, control):
    first = await stable()
    assert await control("forced-tokens", {}) == {"forced": APPID}
    assert await errcode_of_ticket(call, first["access_token"]) == 40001
    assert await errcode_of_ticket(call, (await stable())["access_token"]) == 0


async def test_a_reset_forgets_tokens_and_the_ip_list_but_not_what_was_secret(stable, call, control, wechat):
    token = (await stable())["access_token"]
    wechat.account_tokens.ip_list = frozenset()
    await control("reset", {})
    assert await errcode_of_ticket(call, token) == 40001
    assert token in wechat.issued_secrets()
