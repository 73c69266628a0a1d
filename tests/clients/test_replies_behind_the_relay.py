"""A library for WeChat's messages that others wrote works unchanged behind `EVENT_FORWARD_URL`."""

import asyncio
import json
import os

import pytest
from defusedxml.ElementTree import fromstring

from service.runtime.app import make_public_app
from service.simulator.people import DEFAULT_ACCOUNT
from tests.clients.libraries import HERE, LIBRARIES, PYTHON
from tests.service.harness import Page
from tests.service.http.handlers.h5_browser import Browser
from tests.service.http.handlers.pushes import AES_KEY, TOKEN, Sender, opened, sign

pytestmark = pytest.mark.gen_test

WHO = "o-somebody"


@pytest.fixture
def own_server(io_loop, settings):
    """Start the server that a team has written with wechatpy; give its address."""
    [library] = [library for library in LIBRARIES if library.name == "wechatpy"]
    if library.missing is not None:
        pytest.skip(f"{library.name}: {library.missing}")
    environment = os.environ | {"TOKEN": TOKEN, "AES_KEY": AES_KEY, "APPID": settings.appid}

    async def start():
        process = await asyncio.create_subprocess_exec(
            str(PYTHON),
            str(HERE / "drivers" / "answering_with_wechatpy.py"),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
        )
        return process, int(await process.stdout.readline())

    async def stop():
        process.kill()
        await process.communicate()

    process, port = io_loop.run_sync(start)
    yield f"http://127.0.0.1:{port}/wechat"
    io_loop.run_sync(stop)


@pytest.fixture
def push(http, serve, open_another, own_server):
    """Open the service in front of that server, as WeChat and as a page reach it."""

    async def open_service(clock, appid):
        service = await open_another(event_token=TOKEN, event_aes_key=AES_KEY, event_forward_url=own_server)
        url = await serve(make_public_app(service))
        return service, Sender(Browser(http, url), appid, clock), Page(http, url)

    return open_service


def answer_to_wechat(response, appid):
    """Return what a reply says, once WeChat has found its signature good."""
    reply = {child.tag: child.text for child in fromstring(response.body)}
    assert reply["MsgSignature"] == sign(TOKEN, reply["TimeStamp"], reply["Nonce"], reply["Encrypt"])
    return {child.tag: child.text for child in fromstring(opened(reply["Encrypt"], appid))}


async def test_a_text_message_in_secure_mode_is_answered(push, clock, settings):
    _, sender, _ = await push(clock, settings.appid)
    text = {"MsgType": "text", "Content": "你好，😀", "MsgId": "1234567890123456", "FromUserName": WHO}
    response = await sender.send_sealed({"ToUserName": "gh_1", "CreateTime": "1348831860", **text})
    assert (response.code, response.headers["Content-Type"]) == (200, "application/xml")
    answer = answer_to_wechat(response, settings.appid)
    assert (answer["Content"], answer["ToUserName"]) == ("wechatpy read: 你好，😀", WHO)


async def test_a_revocation_is_acted_on_and_passed_on_too(push, clock, settings, wechat):
    service, sender, page = await push(clock, settings.appid)
    openid = json.loads((await page.post_code(wechat.issue_code("li-na"))).body)["openid"]
    event = sender.fields("user_authorization_revoke", openid, FromUserName=WHO)
    response = await sender.send_sealed(event)
    assert answer_to_wechat(response, settings.appid)["Content"] == f"wechatpy read: something of {WHO}"
    assert await service.vault.get(settings.appid, openid) is None


async def test_what_the_simulator_pushes_is_read_by_that_library(http, simulator, own_server):
    body = {"url": own_server, "token": TOKEN, "aes_key": AES_KEY, "text": "你好，😀"}
    response = await http.fetch(f"{simulator.url}/simulator/events", method="POST", body=json.dumps(body))
    reply = json.loads(response.body)
    assert reply["status"] == 200, reply
    answer = {child.tag: child.text for child in fromstring(reply["body"])}
    content = fromstring(opened(answer["Encrypt"], DEFAULT_ACCOUNT.appid)).findtext("Content")
    assert content == "wechatpy read: 你好，😀"
