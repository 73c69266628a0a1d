import json

import pytest

from service.simulator.app import make_simulator_app

pytestmark = pytest.mark.gen_test


@pytest.fixture
def control(fetch):
    """Calls the control API; returns the status and the reply."""

    async def control(method, path, body=None, **options):
        sent = json.dumps(body) if body is not None else None
        if method == "POST":
            sent = sent or ""
        response = await fetch("/simulator/" + path, method=method, body=sent, **options)
        assert response.headers["Content-Type"].startswith("application/json")
        return response.code, json.loads(response.body)

    return control


async def test_the_clock_is_moved_forward(wechat, clock, control):
    assert await control("GET", "clock") == (200, {"now": clock.now(), "offset_seconds": 0})
    moved = (200, {"now": clock.now() + 7200, "offset_seconds": 7200})
    assert await control("POST", "clock", {"advance_seconds": 7200}) == moved
    assert wechat.now() == clock.now() + 7200


async def test_a_code_is_issued_for_anybody_without_the_page(control, exchange):
    wanted = {"person": "li-na", "appid": "wx0000000000000001", "scope": "snsapi_userinfo", "snapshot": True}
    _, reply = await control("POST", "codes", wanted)
    assert (await exchange(reply["code"]))["is_snapshotuser"] == 1


async def test_a_code_without_wishes_is_a_silent_one_of_the_first_person(control, exchange):
    _, reply = await control("POST", "codes")
    assert (await exchange(reply["code"]))["scope"] == "snsapi_base"


async def test_codes_by_the_hundred_are_each_of_somebody_new(wechat, control, exchange):
    _, reply = await control("POST", "codes", {"count": 100, "scope": "snsapi_userinfo"})
    openids = {(await exchange(code))["openid"] for code in reply["codes"][:5]}
    assert len(set(reply["codes"])) == 100
    assert len(openids) == 5
    assert len(wechat.people) == 102


async def test_faults_are_added_listed_and_cleared(control, exchange):
    code, _ = await control("POST", "faults", {"endpoint": "access_token", "errcode": 45011, "times": 2})
    assert code == 200
    assert (await exchange("unknown"))["errcode"] == 45011
    _, listed = await control("GET", "faults")
    assert [(fault["errcode"], fault["remaining"]) for fault in listed["faults"]] == [(45011, 1)]
    assert await control("DELETE", "faults?endpoint=userinfo") == (200, listed)
    assert await control("DELETE", "faults") == (200, {"faults": []})
    assert (await exchange("unknown"))["errcode"] == 40029


async def test_a_fault_with_times_null_stays(control, exchange):
    await control("POST", "faults", {"breakage": "html", "times": None, "latency_seconds": 0.001})
    _, listed = await control("GET", "faults")
    assert listed["faults"][0]["remaining"] is None


async def test_calls_and_outcomes_are_told_and_forgotten(control, exchange):
    await exchange("unknown")
    assert await control("GET", "calls") == (200, {"access_token": {"calls": 1, "outcomes": {"40029": 1}}})
    assert await control("DELETE", "calls") == (200, {})


async def test_people_are_listed_with_their_identifiers(wechat, control, exchange):
    grant = await exchange(wechat.issue_code("lao-zhang", scope="snsapi_userinfo"))
    _, reply = await control("GET", "people")
    somebody = reply["people"][1]
    assert somebody["id"] == "lao-zhang"
    assert somebody["openids"]["wx0000000000000001"] == grant["openid"]
    assert somebody["unionid"] == grant["unionid"]


async def test_somebody_new_takes_part(wechat, control, exchange, userinfo):
    await control("POST", "people", {"id": "new", "nickname": "新人🎉", "headimgurl": ""})
    grant = await exchange(wechat.issue_code("new", scope="snsapi_userinfo"))
    assert (await userinfo(grant))["nickname"] == "新人🎉"


async def test_what_was_issued_is_listed_without_tokens(wechat, control, exchange):
    grant = await exchange(wechat.issue_code("li-na"))
    _, reply = await control("GET", "issued")
    assert reply["issued"] == [
        {
            "appid": "wx0000000000000001",
            "person": "li-na",
            "openid": grant["openid"],
            "unionid": None,
            "scope": "snsapi_base",
            "is_snapshotuser": False,
            "refresh_expires_at": wechat.now() + 30 * 86400,
        }
    ]


async def test_quirks_are_turned_on_one_by_one(control, exchange):
    await control("POST", "quirks", {"numbers_as_strings": True})
    _, quirks = await control("POST", "quirks", {"hints_in_errmsg": True})
    assert quirks["numbers_as_strings"] is True
    assert quirks["hints_in_errmsg"] is True
    assert (await exchange("unknown"))["errcode"] == "40029"


async def test_reset_returns_to_the_beginning(wechat, clock, control, exchange):
    code = wechat.issue_code()
    grant = await exchange(code)
    await control("POST", "clock", {"advance_seconds": 60})
    await control("POST", "faults", {"errcode": -1, "times": None})
    await control("POST", "people", {"id": "new", "nickname": "新人"})
    await control("POST", "quirks", {"numbers_as_strings": True})
    assert await control("POST", "reset") == (200, {"now": clock.now()})
    assert (await exchange(code))["errcode"] == 40029
    assert wechat.calls == {"access_token": 1}
    assert list(wechat.people) == ["li-na", "lao-zhang"]
    assert wechat.grants() == []
    assert grant["access_token"] in wechat.issued_secrets()


async def test_a_wrong_request_is_told_what_is_wrong(control, subtests):
    for path, body, said in [
        ("clock", {}, "advance_seconds: expected 0 or more"),
        ("clock", {"advance_seconds": -1}, "advance_seconds: expected 0 or more"),
        ("clock", {"advance_seconds": 10**12}, "advance_seconds: expected 0 or more"),
        ("clock", {"advance_seconds": True}, "advance_seconds: expected a whole number"),
        ("clock", {"advance": 1}, "advance: unknown; expected advance_seconds"),
        ("clock", [1], "the body is not a JSON object"),
        ("codes", {"person": "nobody"}, "person: nobody has this id"),
        ("codes", {"appid": "wx-nobody"}, "appid: no account has it"),
        ("codes", {"scope": "snsapi_login"}, "scope: expected one of snsapi_base, snsapi_userinfo"),
        ("codes", {"snapshot": True}, "snapshot: comes only with snsapi_userinfo"),
        ("codes", {"count": 0}, "count: expected 1 to"),
        ("codes", {"count": 2, "person": "li-na"}, "count: invents people"),
        ("people", {"id": "new"}, "id: needed, and nickname"),
        ("people", {"id": "Not Allowed", "nickname": "x"}, "id: expected 1 to 64"),
        ("people", {"id": "li-na", "nickname": "x"}, "id: 'li-na' is taken"),
        ("faults", {"errcode": "40029"}, "errcode: expected a whole number or null"),
        ("faults", {"breakage": "explode"}, "breakage: expected one of drop"),
        ("quirks", {"numbers_as_strings": 1}, "numbers_as_strings: expected true or false"),
    ]:
        with subtests.test(path=path, body=body, said=said):
            code, reply = await control("POST", path, body)
            assert code == 400
            assert reply["error"].startswith(said)


async def test_a_body_that_is_not_json_is_refused(fetch):
    response = await fetch("/simulator/clock", method="POST", body="{")
    assert (response.code, json.loads(response.body)) == (400, {"error": "the body is not JSON"})


async def test_a_wrong_endpoint_to_clear_is_refused(control):
    code, reply = await control("DELETE", "faults?endpoint=nothing")
    assert code == 400
    assert reply["error"].startswith("endpoint: expected one of access_token")


async def test_a_method_that_is_not_there_is_refused_in_json(control):
    assert await control("DELETE", "clock") == (405, {"error": "Method Not Allowed"})


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost:1", "null"])
async def test_a_page_of_another_origin_moves_nothing(wechat, control, origin):
    moved = await control("POST", "clock", {"advance_seconds": 1}, headers={"Origin": origin})
    assert moved == (403, {"error": "Forbidden"})
    assert wechat.offset_seconds == 0


async def test_a_page_of_the_same_origin_may_use_it(control, base_url):
    code, _ = await control("POST", "clock", {"advance_seconds": 1}, headers={"Origin": base_url})
    assert code == 200


class TestWithoutControl:
    @pytest.fixture
    def app(self, wechat):
        return make_simulator_app(wechat, control=False)

    async def test_the_control_api_is_not_there_and_the_rest_is(self, fetch, exchange):
        assert (await fetch("/simulator/clock")).code == 404
        assert (await fetch("/simulator/static/simulator.css")).code == 200
        assert (await exchange("unknown"))["errcode"] == 40029
