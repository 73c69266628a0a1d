import asyncio
import gzip
import json
import zlib

import brotli
import pytest
from tornado.web import Application, RequestHandler

from service.wechat.client import WeChatClient
from service.wechat.endpoints import Endpoint
from service.wechat.errcodes import Kind
from service.wechat.errors import FaultReason, WeChatFault, WeChatRefusal
from service.wechat.protocol import Account
from service.wechat.transports import RawReply, Transport, TransportFault

ACCOUNT = Account("wx0123456789abcdef", "0123456789abcdef0123456789abcdef")
CODE = "061aBc_dE-f0123456789012345678ab"
ACCESS_TOKEN = "75_" + "aB3-_" * 24
REFRESH_TOKEN = "75_" + "cD4-_" * 24
OPENID = "o6_bmjrPTlm6_2sgVt7hMZOPfL2M"
TOKENS = {
    "access_token": ACCESS_TOKEN,
    "expires_in": 7200,
    "refresh_token": REFRESH_TOKEN,
    "openid": OPENID,
    "scope": "snsapi_userinfo",
}

FAULTS = {
    "hang": FaultReason.TIMEOUT,
    "reset": FaultReason.CONNECTION,
    "half a reply": FaultReason.CONNECTION,
    "drip a body": FaultReason.TIMEOUT,
    "ten megabytes": FaultReason.TOO_LARGE,
    "another protocol": FaultReason.MALFORMED,
    "html": FaultReason.NOT_JSON,
    "bad gateway": FaultReason.HTTP_STATUS,
    "redirect": FaultReason.HTTP_STATUS,
    "empty": FaultReason.NOT_JSON,
    "a list": FaultReason.MALFORMED,
    "no fields": FaultReason.MALFORMED,
}


ENCODERS = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress}


class Sns(RequestHandler):
    """Answers as WeChat does: status 200, `text/plain` without a charset."""

    def get(self):
        self.settings["asked"].append(self.request.uri)
        self.set_header("Content-Type", "text/plain")
        self.finish(self.settings["answers"][self.request.path])


class Encoded(RequestHandler):
    """Compresses its answer by the encoding that its path names, though the request asked for none."""

    def get(self, encoding):
        assert self.request.headers.get("Accept-Encoding", "identity") == "identity"
        self.set_header("Content-Encoding", encoding)
        self.finish(ENCODERS[encoding](json.dumps(TOKENS).encode()))


@pytest.fixture
def app():
    return Application([(r"/(\w+)/sns/.*", Encoded), (r"/sns/.*", Sns)], asked=[], answers={})


@pytest.fixture
def wechat_behind(app, http_server, base_url, transport):
    """Give a client behind something that compresses."""
    return lambda encoding: WeChatClient(transport, api_url=f"{base_url}/{encoding}")


@pytest.fixture
def wechat(app, http_server, base_url, transport):
    return WeChatClient(transport, api_url=base_url + "/")


@pytest.mark.gen_test
async def test_exchange_gives_the_tokens_of_a_code(app, wechat):
    app.settings["answers"]["/sns/oauth2/access_token"] = json.dumps(TOKENS | {"is_snapshotuser": 1})

    reply = await wechat.exchange_code(ACCOUNT, CODE)

    assert (reply.openid, reply.access_token, reply.is_snapshotuser) == (OPENID, ACCESS_TOKEN, True)
    (asked,) = app.settings["asked"]
    assert asked == (
        f"/sns/oauth2/access_token?appid={ACCOUNT.appid}&secret={ACCOUNT.secret}&code={CODE}"
        "&grant_type=authorization_code"
    )


@pytest.mark.gen_test
async def test_refresh_sends_no_secret(app, wechat):
    app.settings["answers"]["/sns/oauth2/refresh_token"] = json.dumps(TOKENS)

    assert (await wechat.refresh_token(ACCOUNT.appid, REFRESH_TOKEN)).refresh_token == REFRESH_TOKEN
    assert app.settings["asked"] == [
        f"/sns/oauth2/refresh_token?appid={ACCOUNT.appid}&grant_type=refresh_token&refresh_token={REFRESH_TOKEN}"
    ]


@pytest.mark.gen_test
async def test_chinese_and_emoji_come_through_text_plain(app, wechat):
    profile = {"openid": OPENID, "nickname": "张三😀👩‍👧", "headimgurl": "https://thirdwx.qlogo.cn/x/132"}
    app.settings["answers"]["/sns/userinfo"] = json.dumps(profile, ensure_ascii=False)

    assert (await wechat.userinfo(ACCOUNT.appid, ACCESS_TOKEN, OPENID)).nickname == "张三😀👩‍👧"
    assert app.settings["asked"] == [f"/sns/userinfo?access_token={ACCESS_TOKEN}&openid={OPENID}&lang=zh_CN"]


@pytest.mark.gen_test
async def test_token_is_checked(app, wechat):
    app.settings["answers"]["/sns/auth"] = '{"errcode":0,"errmsg":"ok"}'
    assert await wechat.check_token(ACCOUNT.appid, ACCESS_TOKEN, OPENID) is True

    app.settings["answers"]["/sns/auth"] = '{"errcode":40003,"errmsg":"invalid openid"}'
    assert await wechat.check_token(ACCOUNT.appid, ACCESS_TOKEN, OPENID) is False

    app.settings["answers"]["/sns/auth"] = '{"errcode":-1,"errmsg":"system error"}'
    with pytest.raises(WeChatRefusal):
        await wechat.check_token(ACCOUNT.appid, ACCESS_TOKEN, OPENID)


@pytest.mark.gen_test
async def test_refusal_says_what_failed_for_whom(app, wechat):
    app.settings["answers"]["/sns/oauth2/access_token"] = (
        '{"errcode":40163,"errmsg":"code been used, rid: 6206378a-793424c0-2e4091cc"}'
    )

    with pytest.raises(WeChatRefusal) as caught:
        await wechat.exchange_code(ACCOUNT, CODE)

    error = caught.value
    assert (error.kind, error.endpoint, error.appid) == (Kind.REAUTHORIZE, Endpoint.EXCHANGE, ACCOUNT.appid)
    assert (error.errcode, error.errmsg, error.rid) == (40163, "code been used", "6206378a-793424c0-2e4091cc")
    assert len(app.settings["asked"]) == 1


@pytest.mark.gen_test
@pytest.mark.parametrize("name", FAULTS)
async def test_unusable_answer_is_a_fault_that_is_not_repeated(name, start_peer, transport, misbehaviours):
    peer = await start_peer({Endpoint.EXCHANGE.path: misbehaviours[name]})
    client = WeChatClient(transport, api_url=peer.url)

    with pytest.raises(WeChatFault) as caught:
        await client.exchange_code(ACCOUNT, CODE)

    assert (caught.value.reason, caught.value.kind, caught.value.reply_started) == (FAULTS[name], Kind.RETRY, True)
    assert len(peer.heads) == 1
    assert (await transport.get(peer.url + "/next")).body == b"{}"


@pytest.mark.gen_test
async def test_exchange_whose_connection_closed_without_an_answer_is_sent_once_more(
    start_peer, transport, misbehaviours, answering, http_reply
):
    acts = {Endpoint.EXCHANGE.path: misbehaviours["close"]}
    peer = await start_peer(acts)

    def recover(endpoint, outcome, _seconds):
        assert (endpoint, outcome) in [(Endpoint.EXCHANGE, "retry"), (Endpoint.EXCHANGE, "ok")]
        acts[Endpoint.EXCHANGE.path] = answering(http_reply(json.dumps(TOKENS).encode()))

    client = WeChatClient(transport, api_url=peer.url, observe=recover)

    assert (await client.exchange_code(ACCOUNT, CODE)).openid == OPENID
    assert len(peer.heads) == 2


@pytest.mark.gen_test
async def test_exchange_is_sent_at_most_twice(start_peer, transport, misbehaviours, subtests):
    peer = await start_peer({Endpoint.EXCHANGE.path: misbehaviours["close"]})
    for kept_connections in (0, 8):
        with subtests.test(kept_connections=kept_connections):
            await asyncio.gather(*(transport.get(peer.url) for _ in range(kept_connections)))
            peer.heads.clear()

            with pytest.raises(WeChatFault) as caught:
                await WeChatClient(transport, api_url=peer.url).exchange_code(ACCOUNT, CODE)

            assert caught.value.reply_started is False
            assert len(peer.heads) == 2


@pytest.mark.gen_test
async def test_nothing_but_an_exchange_is_sent_again(start_peer, transport, misbehaviours):
    acts = {endpoint.path: misbehaviours["close"] for endpoint in Endpoint}
    peer = await start_peer(acts)
    client = WeChatClient(transport, api_url=peer.url)
    await asyncio.gather(*(transport.get(peer.url) for _ in range(8)))
    peer.heads.clear()
    for call in (
        client.refresh_token(ACCOUNT.appid, REFRESH_TOKEN),
        client.userinfo(ACCOUNT.appid, ACCESS_TOKEN, OPENID),
        client.check_token(ACCOUNT.appid, ACCESS_TOKEN, OPENID),
        client.stable_token(ACCOUNT),
        client.ticket(ACCOUNT.appid, ACCESS_TOKEN, "jsapi"),
    ):
        with pytest.raises(WeChatFault):
            await call

    assert len(peer.heads) == 5


class SlowToFail(Transport):
    """Fails before any reply, but only after most of the time of a page has passed."""

    def __init__(self):
        self.calls = 0

    async def get(self, _url):
        self.calls += 1
        await asyncio.sleep(0.6)
        raise TransportFault(FaultReason.CONNECTION, reply_started=False)

    async def close(self):
        """Nothing to close."""


@pytest.mark.gen_test
async def test_exchange_that_failed_slowly_is_not_sent_again_for_the_page_would_not_wait(io_loop):
    transport = SlowToFail()

    with pytest.raises(WeChatFault):
        await WeChatClient(transport).exchange_code(ACCOUNT, CODE)

    assert transport.calls == 1


class Recorded(Transport):
    """Answers from a list."""

    def __init__(self, *bodies):
        self.bodies = list(bodies)
        self.is_closed = False

    async def get(self, _url):
        return RawReply(200, self.bodies.pop(0))

    async def close(self):
        self.is_closed = True


@pytest.mark.gen_test
async def test_each_call_is_observed_with_its_outcome(io_loop):
    seen = []
    transport = Recorded(
        json.dumps(TOKENS).encode(), b'{"errcode":42002}', b"<html>", b'{"errcode":40001}', b'{"errcode":1}'
    )
    client = WeChatClient(transport, observe=lambda *call: seen.append(call))

    await client.exchange_code(ACCOUNT, CODE)
    with pytest.raises(WeChatRefusal):
        await client.refresh_token(ACCOUNT.appid, REFRESH_TOKEN)
    with pytest.raises(WeChatFault):
        await client.userinfo(ACCOUNT.appid, ACCESS_TOKEN, OPENID)
    await client.check_token(ACCOUNT.appid, ACCESS_TOKEN, OPENID)
    with pytest.raises(WeChatRefusal):
        await client.check_token(ACCOUNT.appid, ACCESS_TOKEN, OPENID)

    assert [(endpoint, outcome) for endpoint, outcome, _ in seen] == [
        ("access_token", "ok"),
        ("refresh_token", "reauthorize"),
        ("userinfo", "retry"),
        ("auth", "ok"),
        ("auth", "unknown"),
    ]
    assert all(seconds >= 0 for _, _, seconds in seen)


@pytest.mark.gen_test
async def test_client_closes_its_transport(io_loop):
    transport = Recorded()
    await WeChatClient(transport).close()

    assert transport.is_closed


@pytest.mark.gen_test
@pytest.mark.parametrize("encoding", ENCODERS)
async def test_an_answer_is_read_in_an_encoding_that_was_not_asked_for(wechat_behind, encoding):
    reply = await wechat_behind(encoding).exchange_code(ACCOUNT, CODE)

    assert (reply.openid, reply.access_token) == (OPENID, ACCESS_TOKEN)


@pytest.mark.gen_test
@pytest.mark.parametrize("status", ["201 Created", "403 Forbidden", "502 Bad Gateway"])
async def test_tokens_are_taken_under_any_status_and_a_refusal_under_wechats_own_only(
    start_peer, http_reply, answering, open_transport, transport_name, status
):
    peer = await start_peer({Endpoint.EXCHANGE.path: answering(http_reply(json.dumps(TOKENS).encode(), status))})
    client = WeChatClient(open_transport(transport_name), api_url=peer.url)
    assert (await client.exchange_code(ACCOUNT, CODE)).openid == OPENID

    peer.acts[Endpoint.EXCHANGE.path] = answering(http_reply(b'{"errcode":40029,"errmsg":"invalid code"}', status))
    with pytest.raises(WeChatFault) as caught:
        await client.exchange_code(ACCOUNT, CODE)
    assert (caught.value.reason, caught.value.__context__) == (FaultReason.HTTP_STATUS, None)
