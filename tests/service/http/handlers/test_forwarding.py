"""`/events/{appid}` of an account whose messages go on to a server of its team's own."""

import json

import pytest

from service.runtime.app import make_public_app
from tests.service.http.handlers.h5_browser import Browser
from tests.service.http.handlers.pushes import TOKEN, Sender, is_done, xml
from tests.service.metric_values import metric_value
from tests.service.peer import answer
from tests.service.peer import http as http_reply

pytestmark = pytest.mark.gen_test

REVOKE = "user_authorization_revoke"
TEXT = {"ToUserName": "gh_1", "FromUserName": "o-1", "CreateTime": "1348831860", "MsgType": "text", "Content": "hi"}


@pytest.fixture
def forwarding(start_peer, browser_of_changed, settings, clock):
    """Open the service in front of a server that answers in a way; give both."""

    async def open_both(act, **changes):
        peer = await start_peer({"/wechat": act})
        browser = await browser_of_changed(event_token=TOKEN, event_forward_url=f"{peer.url}/wechat", **changes)
        return peer, Sender(browser, settings.appid, clock)

    return open_both


async def test_a_message_is_answered_by_the_server(forwarding):
    peer, sender = await forwarding(answer(http_reply(b"<xml>reply</xml>")))
    response = await sender.send(xml(TEXT))
    assert (response.code, response.body, response.headers["Content-Type"]) == (200, b"<xml>reply</xml>", "text/plain")
    assert peer.bodies == [xml(TEXT)]


@pytest.mark.parametrize("body", [b"<xml>\x02", b"", b"{", b"[]", b"<!DOCTYPE x [<!ENTITY a 'b'>]><xml>&a;</xml>"])
async def test_what_cannot_be_read_is_passed_on_too(forwarding, body):
    peer, sender = await forwarding(answer(http_reply(b"reply")))
    assert (await sender.send(body)).body == b"reply"
    assert peer.bodies == [body]


async def test_what_wechat_has_not_signed_is_not_passed_on(forwarding):
    peer, sender = await forwarding(answer(http_reply(b"reply")))
    assert (await sender.send(xml(TEXT), signature="0" * 40)).code == 403
    assert peer.heads == []


async def test_an_empty_reply_without_content_comes_back_as_one(forwarding):
    _, sender = await forwarding(answer(b"HTTP/1.1 204 No Content\r\n\r\n"))
    response = await sender.send(xml(TEXT))
    assert (response.code, response.body) == (204, b"")
    assert "Content-Type" not in response.headers


async def test_an_event_is_acted_on_before_it_is_passed_on(forwarding, service, page, wechat):
    appid = service.settings.appid
    openid = json.loads((await page.post_code(wechat.issue_code("li-na"))).body)["openid"]
    assert await service.vault.get(appid, openid) is not None
    seen = []

    async def look(writer):
        seen.append(await service.vault.get(appid, openid))
        writer.write(http_reply(b"reply"))

    _, sender = await forwarding(look)
    assert (await sender.deliver(REVOKE, openid)).body == b"reply"
    assert seen == [None]


async def test_an_event_that_is_repeated_is_passed_on_again(forwarding):
    """The server may not have been there the first time; what it does twice is its own affair."""
    peer, sender = await forwarding(answer(http_reply(b"reply")))
    body = xml(sender.fields(REVOKE, "o" * 28))
    for _ in range(2):
        assert (await sender.send(body)).body == b"reply"
    assert peer.bodies == [body, body]


async def test_wechat_gets_success_when_the_server_fails(forwarding, misbehaviours):
    _, sender = await forwarding(misbehaviours["bad gateway"])
    assert is_done(await sender.send(xml(TEXT)))


async def test_messages_are_counted_by_kind_and_outcome(start_peer, open_another, serve, http, settings, clock):
    peer = await start_peer()
    service = await open_another(event_token=TOKEN, event_forward_url=peer.url)
    sender = Sender(Browser(http, await serve(make_public_app(service))), settings.appid, clock)
    await sender.send(xml(TEXT))
    await sender.send(b"{")
    await sender.deliver(REVOKE, "o" * 28)
    await peer.stop()
    await sender.send(xml(TEXT))
    for kind, count in {"event": 1, "other": 2, "unreadable": 1}.items():
        assert metric_value(service, "wechat_openid_pushed_messages_total", kind=kind) == count, kind
    for outcome, count in {"answered": 3, "connection": 1, "loop": 0}.items():
        assert metric_value(service, "wechat_openid_relayed_messages_total", outcome=outcome) == count, outcome
