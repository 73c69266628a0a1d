"""Search everything that is logged and raised, at the most talkative levels, for what must not be there."""

import json
import logging
import traceback

import pytest

from service.wechat.client import WeChatClient
from service.wechat.endpoints import Endpoint
from service.wechat.errors import WeChatError
from service.wechat.protocol import Account
from service.wechat.transports import TransportFault

ACCOUNT = Account("wx0123456789abcdef", "5ec2e75ec2e75ec2e75ec2e75ec2e7aa")
CODE = "061cOdE_cOdE-cOdE0123456789012ab"
ACCESS_TOKEN = "75_" + "aCcEs5-_" * 16
REFRESH_TOKEN = "75_" + "rEfRe5-_" * 16
OPENID = "o6_bmjrPTlm6_2sgVt7hMZOPfL2M"
TICKET = "tIcKeT-_" * 11
CREDENTIALS = (ACCOUNT.secret, CODE, ACCESS_TOKEN, REFRESH_TOKEN, TICKET)
ANSWER = {
    "access_token": ACCESS_TOKEN,
    "expires_in": 7200,
    "refresh_token": REFRESH_TOKEN,
    "ticket": TICKET,
    "openid": OPENID,
    "scope": "snsapi_userinfo",
    "nickname": "某某",
    "headimgurl": "",
}
REFUSAL = {
    "errcode": 40001,
    "errmsg": f"invalid {ACCESS_TOKEN} {CODE}&secret={ACCOUNT.secret}, {REFRESH_TOKEN}, {TICKET}",
}
HALF_JSON = json.dumps(ANSWER).encode()[:-1]


class Recorder(logging.Handler):
    """Keeps everything about each record, as handlers would see it."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.texts = []
        self.names = set()

    def emit(self, record):
        self.names.add(record.name)
        self.texts += [self.format(record), record.getMessage(), repr(vars(record))]
        if record.exc_info:
            self.texts += ["".join(traceback.format_exception(*record.exc_info))]


@pytest.fixture
def everything_logged(transport_name):
    recorder = Recorder()
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(recorder)
    yield recorder
    root.removeHandler(recorder)
    root.setLevel(before)
    if transport_name == "curl":
        assert recorder.names <= {"asyncio"}  # libcurl itself logs nothing
    else:
        # The search proves something only where the library did log the calls.
        assert "urllib3.connectionpool" in recorder.names
        assert any("?" in text and "secret=***" in text for text in recorder.texts)


@pytest.fixture
def quick_transport(open_transport, transport_name):
    return open_transport(transport_name, timeout_seconds=0.2)


@pytest.fixture
def leaky_misbehaviours(misbehaviours, answering, http_reply):
    """Replies that are no good and hold credentials themselves, with all the others."""
    head = b"HTTP/1.1 200 OK\r\n" + json.dumps(ANSWER).encode() + b"\r\nContent-Length: 2\r\n\r\n{}"
    location = f"Location: https://elsewhere.example/?access_token={ACCESS_TOKEN}&code={CODE}\r\n"
    return misbehaviours | {
        "json cut short": answering(http_reply(HALF_JSON)),
        "answer among the headers": answering(head, close=True),
        "redirect with credentials": answering(http_reply(b"", "302 Found", location)),
    }


def texts_of(error):
    """Everything that a log or a debugger would print of an exception, and of all that it is chained to."""
    chain = [error]
    for link in chain:
        chain += [linked for linked in (link.__cause__, link.__context__) if linked is not None]
    for link in chain:
        yield str(link)
        yield repr(link)
        yield repr(vars(link))
        yield "".join(traceback.format_exception(link))


def assert_hidden(texts):
    for text in texts:
        for credential in CREDENTIALS:
            assert credential not in text
            assert credential[:20] not in text


async def errors_of_every_call(client):
    calls = (
        client.exchange_code(ACCOUNT, CODE),
        client.refresh_token(ACCOUNT.appid, REFRESH_TOKEN),
        client.userinfo(ACCOUNT.appid, ACCESS_TOKEN, OPENID),
        client.check_token(ACCOUNT.appid, ACCESS_TOKEN, OPENID),
        client.stable_token(ACCOUNT),
        client.stable_token(ACCOUNT, force=True),
        client.ticket(ACCOUNT.appid, ACCESS_TOKEN, "jsapi"),
    )
    errors = []
    for call in calls:
        try:
            await call
        except WeChatError as error:
            errors.append(error)
    return errors


@pytest.mark.gen_test
@pytest.mark.attack(
    "keys, tokens and users",
    "whoever reads the logs",
    "calls to WeChat that succeed, fail or break, at every level",
    "no credential is logged or raised",
)
async def test_successes_and_refusals_log_and_raise_no_credential(
    everything_logged, start_peer, transport, answering, http_reply
):
    acts = {}
    peer = await start_peer(acts)
    client = WeChatClient(transport, api_url=peer.url)
    errors = []
    for reply in (ANSWER, REFUSAL):
        acts.update({endpoint.path: answering(http_reply(json.dumps(reply).encode())) for endpoint in Endpoint})
        errors += await errors_of_every_call(client)

    assert len(errors) == 1 + 6  # `sns/auth` misses its errcode once, and is not refused but answered by 40001
    assert_hidden(text for error in errors for text in texts_of(error))
    assert_hidden(everything_logged.texts)


@pytest.mark.gen_test
@pytest.mark.attack(
    "keys, tokens and users",
    "whoever reads the logs",
    "calls to WeChat that succeed, fail or break, at every level",
    "no credential is logged or raised",
)
async def test_faults_log_and_raise_no_credential(everything_logged, start_peer, quick_transport, leaky_misbehaviours):
    acts = {}
    peer = await start_peer(acts)
    client = WeChatClient(quick_transport, api_url=peer.url)
    for act in leaky_misbehaviours.values():
        acts.update({endpoint.path: act for endpoint in Endpoint})
        errors = await errors_of_every_call(client)
        assert errors
        assert_hidden(text for error in errors for text in texts_of(error))
    await peer.stop()
    errors = await errors_of_every_call(client)

    assert len(errors) == 7
    assert_hidden(text for error in errors for text in texts_of(error))
    assert_hidden(everything_logged.texts)


@pytest.mark.gen_test
async def test_faults_of_a_transport_hold_no_url(start_peer, quick_transport, misbehaviours):
    peer = await start_peer({f"/{number}": act for number, act in enumerate(misbehaviours.values())})
    urls = [f"{peer.url}/{number}?secret={ACCOUNT.secret}" for number in range(len(misbehaviours))]
    faults = []
    for url in [*urls, "http://[", f"http://127.0.0.1:1/?secret={ACCOUNT.secret}", f"http://x y/?code={CODE}"]:
        try:
            await quick_transport.get(url)
        except TransportFault as fault:
            faults.append(fault)

    assert len(faults) == 10 + 3  # HTML, 302, 502 and the like are replies to a transport
    assert_hidden(text for fault in faults for text in texts_of(fault))
    assert not any("http://" in text for fault in faults for text in texts_of(fault))
