"""`/events/{appid}`: deliveries signed and sealed as WeChat does, and what they erase."""

import asyncio
import base64
import hashlib
import json
import os
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from service.wechat.protocol import Account
from storage.sql.accounts.audit import AuditLog, AuditQuery
from storage.sql.core.engine import Database
from tests.service.http.handlers.h5_browser import reply_of

pytestmark = pytest.mark.gen_test

TOKEN = "event-token"
AES_KEY = base64.b64encode(bytes(range(32))).decode().rstrip("=")
OTHER_AES_KEY = base64.b64encode(bytes(32)).decode().rstrip("=")
NONCE = "1320562132"
REVOKE = "user_authorization_revoke"
CANCEL = "user_authorization_cancellation"
MODIFIED = "user_info_modified"


@pytest.fixture
def settings(settings):
    return replace(settings, event_token=TOKEN)


def sign(*words):
    return hashlib.sha1("".join(sorted(words)).encode()).hexdigest()


def seal(message, appid, aes_key=AES_KEY):
    """Encrypt as WeChat does: padded to 32 bytes, the key's beginning as IV."""
    key = base64.b64decode(aes_key + "=")
    content = os.urandom(16) + len(message).to_bytes(4, "big") + message + appid.encode()
    count = 32 - len(content) % 32
    encryptor = Cipher(AES(key), CBC(key[:16])).encryptor()
    return base64.b64encode(encryptor.update(content + bytes([count]) * count) + encryptor.finalize()).decode()


class Sender:
    """WeChat's side of the deliveries to one account."""

    def __init__(self, browser, appid, clock):
        self.browser = browser
        self.appid = appid
        self.clock = clock

    def fields(self, event, openid, **changes):
        return {
            "ToUserName": "gh_870882ca4b1",
            "FromUserName": "oaKk346BaWE-eIn4oSRWbaM9vR7s",
            "CreateTime": str(self.clock.now()),
            "MsgType": "event",
            "Event": event,
            "OpenID": openid,
            "AppID": self.appid,
            "RevokeInfo": "205",
            **changes,
        }

    async def send(self, body, **changes):
        timestamp = str(self.clock.now())
        query = {"signature": sign(TOKEN, timestamp, NONCE), "timestamp": timestamp, "nonce": NONCE, **changes}
        path = f"/events/{self.appid}?{urlencode(query)}"
        return await self.browser.fetch(path, method="POST", body=body, headers={"Content-Type": "text/xml"})

    async def deliver(self, event, openid, **changes):
        return await self.send(xml(self.fields(event, openid, **changes)))

    async def deliver_sealed(self, event, openid, aes_key=AES_KEY, appid=None, **changes):
        encrypted = seal(xml(self.fields(event, openid)), appid or self.appid, aes_key)
        timestamp = str(self.clock.now())
        query = {"encrypt_type": "aes", "msg_signature": sign(TOKEN, timestamp, NONCE, encrypted), **changes}
        return await self.send(xml({"ToUserName": "gh_870882ca4b1", "Encrypt": encrypted}), **query)


def xml(fields):
    return f"<xml>{''.join(f'<{name}><![CDATA[{text}]]></{name}>' for name, text in fields.items())}</xml>".encode()


@pytest.fixture
def sender(browser, settings, clock):
    return Sender(browser, settings.appid, clock)


@pytest.fixture
def user(browser, wechat, service):
    """Authorize somebody with a profile, and give their openid and a way to look at their row."""

    class User:
        async def sign_in(self):
            reply = reply_of(await browser.post_code(wechat.issue_code("li-na", scope="snsapi_userinfo")))
            self.openid = reply["openid"]
            assert (await browser.fetch("/userinfo")).code == 200
            return self.openid

        async def row(self):
            return await service.vault.get(service.settings.appid, self.openid)

    return User()


def is_done(response):
    return (response.code, response.body) == (200, b"success")


@pytest.mark.parametrize("event", [REVOKE, CANCEL])
async def test_who_takes_the_authorization_back_is_erased(sender, user, caplog, event):
    openid = await user.sign_in()
    assert is_done(await sender.deliver(event, openid))
    assert await user.row() is None
    [entry] = [record for record in caplog.records if record.message.startswith("audit:")]
    assert (entry.event, entry.openid, entry.appid, entry.found) == (event, openid, sender.appid, True)


@pytest.mark.parametrize("event", [REVOKE, CANCEL])
async def test_an_erasure_is_in_the_audit_log_once(sender, user, settings, event):
    openid = await user.sign_in()
    for _ in range(2):
        await sender.deliver(event, openid)
    database = Database.open(settings.database_url)
    [entry] = AuditLog(database).page(AuditQuery(openid=openid)).entries
    database.close()
    assert (entry.action, entry.result, entry.appid) == ("user_erase", "success", settings.appid)
    assert (entry.at, entry.operator, entry.details) == (sender.clock.now(), "", {"reason": event})


async def test_the_same_in_json(sender, user):
    openid = await user.sign_in()
    fields = sender.fields(REVOKE, openid) | {"CreateTime": sender.clock.now()}
    assert is_done(await sender.send(json.dumps(fields).encode()))
    assert await user.row() is None


async def test_a_changed_profile_is_asked_for_anew(sender, user, browser, wechat):
    openid = await user.sign_in()
    assert is_done(await sender.deliver(MODIFIED, openid))
    row = await user.row()
    assert (row.nickname, row.profile_at) == ("", 0)
    assert reply_of(await browser.fetch("/userinfo"))["nickname"] == wechat.find_person("li-na").nickname
    assert wechat.calls["userinfo"] == 2


async def test_repeated_deliveries_do_it_once(sender, user, caplog):
    openid = await user.sign_in()
    body = xml(sender.fields(REVOKE, openid))
    assert all(is_done(response) for response in await asyncio.gather(*(sender.send(body) for _ in range(5))))
    await user.sign_in()
    sender.clock.advance(5)
    assert is_done(await sender.send(body))
    assert await user.row() is not None
    assert len([record for record in caplog.records if record.message.startswith("audit:")]) == 1


async def test_a_later_event_of_the_same_user_is_another_one(sender, user):
    openid = await user.sign_in()
    await sender.deliver(REVOKE, openid)
    await user.sign_in()
    sender.clock.advance(5)
    await sender.deliver(REVOKE, openid)
    assert await user.row() is None


async def test_other_messages_are_taken_and_left_alone(sender, user):
    openid = await user.sign_in()
    assert is_done(await sender.deliver("subscribe", openid))
    assert is_done(await sender.deliver(REVOKE, openid, MsgType="text"))
    assert await user.row() is not None


async def test_somebody_unknown_is_no_reason_to_deliver_again(sender):
    assert is_done(await sender.deliver(REVOKE, "o" * 28))


async def test_a_wrong_signature_does_nothing(sender, user):
    openid = await user.sign_in()
    for changes in (
        {"signature": sign("other-token", str(sender.clock.now()), NONCE)},
        {"signature": ""},
        {"nonce": "other"},
        {"timestamp": str(sender.clock.now() + 1)},
        {"timestamp": "soon"},
    ):
        response = await sender.send(xml(sender.fields(REVOKE, openid)), **changes)
        assert response.code == 403, changes
    assert await user.row() is not None


async def test_an_old_signature_is_a_replay(sender, user):
    openid = await user.sign_in()
    old = str(sender.clock.now() - 26 * 3600)
    changes = {"timestamp": old, "signature": sign(TOKEN, old, NONCE)}
    assert (await sender.send(xml(sender.fields(REVOKE, openid)), **changes)).code == 403
    assert await user.row() is not None


async def test_an_event_of_another_account_is_refused(sender, user):
    openid = await user.sign_in()
    assert (await sender.deliver(REVOKE, openid, AppID="wx-other")).code == 400
    assert await user.row() is not None


async def test_what_is_not_a_message_is_refused(sender, subtests):
    for body in [
        b"",
        b"not xml",
        b"<xml>",
        b"{",
        b"\xff\xfe",
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><xml><MsgType>&a;</MsgType></xml>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><xml></xml>',
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><xml><OpenID>&a;</OpenID></xml>',
        b'<?xml version="1.0" encoding="no-such"?><xml></xml>',
    ]:
        with subtests.test(body=body):
            assert (await sender.send(body)).code == 400


async def test_an_event_without_its_user_or_time_is_refused(sender):
    assert (await sender.deliver(REVOKE, "")).code == 400
    assert (await sender.deliver(REVOKE, "o" * 129)).code == 400
    assert (await sender.deliver(REVOKE, "o" * 28, CreateTime="soon")).code == 400


async def test_wechat_is_told_that_the_address_is_the_accounts(sender, browser):
    timestamp = str(sender.clock.now())
    query = {"signature": sign(TOKEN, timestamp, NONCE), "timestamp": timestamp, "nonce": NONCE, "echostr": "4711<b>"}
    response = await browser.fetch(f"/events/{sender.appid}?{urlencode(query)}")
    assert (response.code, response.body) == (200, b"4711<b>")
    assert response.headers["Content-Type"].startswith("text/plain")
    query["signature"] = "0" * 40
    assert (await browser.fetch(f"/events/{sender.appid}?{urlencode(query)}")).code == 403


async def test_without_a_token_no_events_are_taken(browser_of_changed, settings, clock):
    sender = Sender(await browser_of_changed(event_token=""), settings.appid, clock)
    assert (await sender.deliver(REVOKE, "o" * 28)).code == 404
    sender.appid = "wx-unknown"
    assert (await sender.deliver(REVOKE, "o" * 28)).code == 404


@pytest.fixture
def sealed_sender(browser_of_changed, settings, clock):
    async def open_sender():
        return Sender(await browser_of_changed(event_aes_key=AES_KEY), settings.appid, clock)

    return open_sender


async def test_an_encrypted_event_is_opened(sealed_sender, user):
    openid = await user.sign_in()
    sender = await sealed_sender()
    assert is_done(await sender.deliver_sealed(REVOKE, openid))
    assert await user.row() is None


async def test_a_plain_event_is_refused_where_they_are_encrypted(sealed_sender, user):
    openid = await user.sign_in()
    sender = await sealed_sender()
    assert (await sender.deliver(REVOKE, openid)).code == 403
    assert await user.row() is not None


async def test_what_was_not_encrypted_for_this_account_is_refused(sealed_sender, user):
    openid = await user.sign_in()
    sender = await sealed_sender()
    refused = [
        await sender.deliver_sealed(REVOKE, openid, aes_key=OTHER_AES_KEY),
        await sender.deliver_sealed(REVOKE, openid, appid="wx-other"),
        await sender.deliver_sealed(REVOKE, openid, msg_signature="0" * 40),
    ]
    assert [response.code for response in refused] == [400, 400, 403]
    assert refused[0].body != b"success"
    assert await user.row() is not None


@pytest.mark.parametrize("encrypted", ["", "!", "AAAA", base64.b64encode(bytes(16)).decode(), "é"])
async def test_what_is_not_a_sealed_message_is_refused(sealed_sender, encrypted):
    sender = await sealed_sender()
    timestamp = str(sender.clock.now())
    signature = sign(TOKEN, timestamp, NONCE, encrypted)
    assert (await sender.send(xml({"Encrypt": encrypted}), msg_signature=signature)).code == 400


async def test_each_account_has_its_own_token(browser_of_changed, settings, clock):
    accounts = (Account(settings.appid, "secret-1", event_token=TOKEN), Account("wx-2", "secret-2", event_token="two"))
    browser = await browser_of_changed(appid="", secret="", event_token="", accounts=accounts)
    assert is_done(await Sender(browser, settings.appid, clock).deliver(REVOKE, "o" * 28))
    assert (await Sender(browser, "wx-2", clock).deliver(REVOKE, "o" * 28)).code == 403
