"""`POST /simulator/events`: what the simulator pushes, to the service and to servers that do not behave."""

import json
import socket

import pytest

from service.runtime.app import make_public_app
from service.simulator.people import DEFAULT_ACCOUNT
from service.simulator.wechat import SimulatedWeChat
from tests.service.harness import Page
from tests.service.http.handlers.pushes import AES_KEY, OTHER_AES_KEY, TOKEN
from tests.service.peer import Peer, answer, http, reset

pytestmark = pytest.mark.gen_test
LI_NA = "li-na"


@pytest.fixture
def wechat(clock):
    return SimulatedWeChat(clock)


@pytest.fixture
def push(http, simulator):
    """Push by the control API; gives the status and the reply."""

    async def push(body, **options):
        sent = {"method": "POST", "body": json.dumps(body), "raise_error": False, **options}
        response = await http.fetch(f"{simulator.url}/simulator/events", **sent)
        return response.code, json.loads(response.body)

    return push


@pytest.fixture
def receiver(http, serve, open_another, wechat, push):
    """Open a service that takes events, sign somebody in, and push to it."""

    class Receiver:
        async def open(self, **settings):
            self.service = await open_another(event_token=TOKEN, **settings)
            self.url = await serve(make_public_app(self.service))
            self.page = Page(http, self.url)
            return self

        async def sign_in(self):
            reply = await self.page.post_code(wechat.issue_code(LI_NA))
            self.openid = json.loads(reply.body)["openid"]

        async def push(self, **fields):
            address = f"{self.url}/events/{DEFAULT_ACCOUNT.appid}"
            return await push({"url": address, "token": TOKEN, "person": LI_NA, **fields})

        async def is_known(self):
            return await self.service.vault.get(DEFAULT_ACCOUNT.appid, self.openid) is not None

    return Receiver()


DONE = (200, {"status": 200, "content_type": "text/plain; charset=utf-8", "body": "success", "failure": None})


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("aes_key", [None, AES_KEY])
async def test_a_revocation_is_pushed_in_each_form_and_erases_the_user(receiver, aes_key, as_json):
    await receiver.open(event_aes_key=aes_key or "")
    await receiver.sign_in()
    assert await receiver.push(aes_key=aes_key, json=as_json) == DONE
    assert not await receiver.is_known()


async def test_a_late_or_a_lesser_revocation_and_other_messages_erase_nobody(receiver):
    await receiver.open()
    await receiver.sign_in()
    for fields in (
        {"seconds_ago": 3600},
        {"revoke_info": "201"},
        {"event": "user_info_modified"},
        {"text": "]]></Content><Event>user_authorization_cancellation</Event>"},
    ):
        assert await receiver.push(**fields) == DONE
    assert await receiver.is_known()
    assert await receiver.push(event="user_authorization_cancellation") == DONE
    assert not await receiver.is_known()


async def test_what_the_receiver_refuses_is_told(receiver):
    await receiver.open(event_aes_key=AES_KEY)
    for fields in ({"token": "another"}, {"aes_key": OTHER_AES_KEY, "token": "another"}, {}):
        code, reply = await receiver.push(**fields)
        assert (code, reply["status"]) == (200, 403)
        assert json.loads(reply["body"])["error"] == "signature"


async def test_a_receiver_that_does_not_answer_is_told_and_redirects_are_not_followed(push):
    moved = answer(http(b"", "302 Found", "Location: /elsewhere\r\n"))
    peer = await Peer({"/moved": moved, "/reset": reset, "/huge": answer(http(b"x" * 2_000_000))}).start()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
    for url, status in (
        (f"{peer.url}/moved?tenant=1", 302),
        (f"{peer.url}/reset", None),
        (f"{peer.url}/huge", None),
        (nobody, None),
    ):
        code, reply = await push({"url": url, "token": TOKEN})
        assert (code, reply["status"], bool(reply["failure"])) == (200, status, status is None)
    assert [head.split(" ")[1].split("&")[0].split("?sig")[0] for head in peer.heads] == [
        "/moved?tenant=1",
        "/reset",
        "/huge",
    ]
    await peer.stop()


async def test_what_cannot_be_pushed_is_refused_by_the_name_of_the_member(push, subtests):
    good = {"url": "http://127.0.0.1:9/", "token": TOKEN}
    for changes, member in (
        ({"url": ""}, "url"),
        ({"url": "ftp://example.com/"}, "url"),
        ({"url": "http://"}, "url"),
        ({"url": "http://[::1/"}, "url"),
        ({"url": "http://a:99999/"}, "url"),
        ({"url": "http://user:password@example.com/"}, "url"),
        ({"url": "http://example.com/\r\nX: y"}, "url"),
        ({"token": ""}, "token"),
        ({"aes_key": "short"}, "aes_key"),
        ({"event": "<b>"}, "event"),
        ({"seconds_ago": -1}, "seconds_ago"),
        ({"person": "nobody"}, "person"),
        ({"appid": "wx-none"}, "appid"),
        ({"more": 1}, "more"),
    ):
        with subtests.test(changes=changes):
            code, reply = await push(good | changes)
            assert (code, reply["error"].split(":")[0]) == (400, member)


async def test_a_page_of_another_site_pushes_nothing(push):
    code, _ = await push({"url": "http://127.0.0.1:9/", "token": TOKEN}, headers={"Origin": "https://evil.example"})
    assert code == 403
