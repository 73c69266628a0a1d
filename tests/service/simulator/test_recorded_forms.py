"""The simulator's replies have the form of those that people have recorded of WeChat."""

import base64
import json
import re
from pathlib import Path

import pytest

from service.simulator.faults import Endpoint, Fault
from service.simulator.people import LOGIN_SCOPES
from service.simulator.replies import Quirks

RECORDED = [
    json.loads(line)
    for line in Path(__file__).parents[1].joinpath("wechat", "recorded_replies.jsonl").read_text("utf-8").splitlines()
]
#: Samples of documentation, recordings of WeChat's other products, and what reporters or faults of WeChat distorted.
NOT_OF_WEB_AUTHORIZATION = re.compile(
    r"Tencent's own sample|table of reply fields|on user/info|/user/info|blanked|not UTF-8|rid as a field"
)
#: As its recorder stored it, with plain slashes.
PLAIN_SLASHES = re.compile(r"https?://")


def body_of(recorded):
    return base64.b64decode(recorded["body_base64"]) if "body_base64" in recorded else recorded["body"].encode()


def form_of(body):
    """Return the fields of a reply in order, each with the type of its value; a scope with its spelling."""
    return [(name, value if name == "scope" else type(value).__name__) for name, value in json.loads(body).items()]


def recordings(endpoint, *, errors):
    return [
        recorded
        for recorded in RECORDED
        if recorded["endpoint"] == endpoint
        and not NOT_OF_WEB_AUTHORIZATION.search(recorded["note"])
        and ('"errcode"' in recorded["body"]) is errors
    ]


@pytest.fixture
def replies(wechat, fetch):
    """Gives the bodies of the simulator's successful replies, of every kind of grant."""

    async def ask(path, **query):
        return (await fetch(path, query)).body

    async def replies_of_one(code, appid, secret):
        account = {"appid": appid, "secret": secret}
        exchanged = await ask("/sns/oauth2/access_token", **account, code=code, grant_type="authorization_code")
        grant = json.loads(exchanged)
        renewal = {"appid": appid, "grant_type": "refresh_token", "refresh_token": grant["refresh_token"]}
        yield "access_token", exchanged
        if grant["scope"] != "snsapi_login":  # nobody has recorded one
            yield "refresh_token", await ask("/sns/oauth2/refresh_token", **renewal)
        if grant["scope"] == "snsapi_userinfo":
            token = {"access_token": grant["access_token"], "openid": grant["openid"]}
            yield "userinfo", await ask("/sns/userinfo", **token)

    async def all_replies():
        found = {"access_token": [], "refresh_token": [], "userinfo": []}
        for account in wechat.accounts.values():
            official = ({}, {"scope": "snsapi_userinfo"}, {"scope": "snsapi_userinfo", "snapshot": True})
            for kind in official if account.scopes != LOGIN_SCOPES else ({"scope": "snsapi_login"},):
                if "snapshot" in kind and not account.in_open_platform:
                    continue  # nobody has recorded one
                code = wechat.issue_code("li-na", appid=account.appid, **kind)
                async for endpoint, body in replies_of_one(code, account.appid, account.secret):
                    found[endpoint].append(body)
        return found

    return all_replies


@pytest.mark.gen_test
@pytest.mark.parametrize("endpoint", ["access_token", "refresh_token", "userinfo"])
async def test_every_reply_has_the_fields_of_a_recorded_one_in_its_order(replies, endpoint):
    recorded = [form_of(body_of(one)) for one in recordings(endpoint, errors=False)]
    simulated = [form_of(body) for body in (await replies())[endpoint]]
    assert len(recorded) >= 6
    assert simulated
    assert [form for form in simulated if form not in recorded] == []


@pytest.mark.gen_test
@pytest.mark.parametrize("endpoint", ["access_token", "refresh_token", "userinfo"])
async def test_every_recorded_form_is_one_that_the_simulator_can_give(wechat, replies, endpoint):
    simulated = []
    for quirks in (Quirks(), Quirks(silent_unionid=True), Quirks(refresh_lists_own_scope=True)):
        wechat.quirks = quirks
        simulated += [form_of(body) for body in (await replies())[endpoint]]
    missing = [one for one in recordings(endpoint, errors=False) if form_of(body_of(one)) not in simulated]
    assert missing == []


@pytest.mark.gen_test
async def test_json_is_spelled_as_recorded(replies):
    """Encoding a reply anew in the simulator's way gives the bytes that were recorded, and those it sends."""

    def spelled(body):
        text = json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":"))
        return text.replace("/", "\\/").encode()

    recorded = [
        body_of(one)
        for endpoint in ("access_token", "refresh_token", "userinfo")
        for one in recordings(endpoint, errors=False)
        if not PLAIN_SLASHES.search(one["body"])
    ]
    simulated = [body for bodies in (await replies()).values() for body in bodies]
    assert len(recorded) >= 20
    assert [body for body in [*recorded, *simulated] if body != spelled(body)] == []


@pytest.mark.gen_test
async def test_tokens_and_openids_are_spelled_as_the_recent_recorded_ones(replies):
    token = re.compile(r"\d{1,3}_[0-9A-Za-z_-]+")
    openid = re.compile(r"o[0-9A-Za-z_-]{27}")
    recorded = [json.loads(body_of(one)) for one in recordings("access_token", errors=False)]
    recent = [reply for reply in recorded if re.match(r"\d+_", reply["access_token"])]
    simulated = [json.loads(body) for body in (await replies())["access_token"]]
    assert len(recent) >= 6
    for reply in [*recent, *simulated]:
        assert token.fullmatch(reply["access_token"])
        assert token.fullmatch(reply["refresh_token"])
        assert openid.fullmatch(reply["openid"])
        assert reply["access_token"].partition("_")[0] == reply["refresh_token"].partition("_")[0]


@pytest.mark.gen_test
async def test_errors_have_the_words_and_the_form_of_the_recorded_ones(wechat, fetch):
    mark = re.compile(r"rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}|hints: \[ req_id: [\w.-]+ \]")
    compared = 0
    for recorded in (one for endpoint in Endpoint for one in recordings(endpoint, errors=True)):
        body = json.loads(body_of(recorded))
        words, has_known_mark = mark.subn("ID", body["errmsg"])
        if not has_known_mark or (body["errcode"], words) == (40163, "invalid code, ID"):
            continue  # older spellings of the id; and the only 40163 with these words
        wechat.quirks = Quirks(hints_in_errmsg="hints" in body["errmsg"])
        wechat.faults.add(Fault(errcode=body["errcode"]))
        simulated = json.loads((await fetch("/sns/auth")).body)
        assert list(simulated) == list(body)
        assert mark.sub("ID", simulated["errmsg"]) == words.replace("\n", "")
        compared += 1
    assert compared >= 15
