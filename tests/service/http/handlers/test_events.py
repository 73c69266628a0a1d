"""`/events/{appid}`: deliveries signed and encrypted as WeChat does, and what they erase."""

import asyncio
import base64
import json
import sqlite3
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from service.webhooks.messages import AuthorizationEvent, EventKind
from service.wechat.protocol import Account
from storage.sql.accounts.audit import AuditLog, AuditQuery
from storage.sql.core.engine import Database
from storage.sql.work.event_deliveries import EventDeliveries
from tests.service.http.handlers.h5_browser import reply_of
from tests.service.http.handlers.pushes import AES_KEY, NONCE, OTHER_AES_KEY, TOKEN, Sender, is_done, seal, sign, xml
from tests.service.metric_values import metric_value

pytestmark = pytest.mark.gen_test

REVOKE = "user_authorization_revoke"
CANCEL = "user_authorization_cancellation"
MODIFIED = "user_info_modified"


@pytest.fixture
def settings(settings):
    return replace(settings, event_token=TOKEN)


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


def audit_entries(service, openid):
    database = Database.open(service.settings.database_url)
    entries = AuditLog(database).page(AuditQuery(openid=openid)).entries
    database.close()
    return entries


def unreadable(service):
    """Return how many messages were counted as not readable."""
    return metric_value(service, "wechat_openid_pushed_messages_total", kind="unreadable")


@pytest.mark.parametrize("event", [REVOKE, CANCEL])
async def test_who_takes_the_authorization_back_is_erased(sender, user, caplog, event):
    openid = await user.sign_in()
    assert is_done(await sender.deliver(event, openid))
    assert await user.row() is None
    [entry] = [record for record in caplog.records if record.message.startswith("audit:")]
    assert (entry.event, entry.openid, entry.appid, entry.found) == (event, openid, sender.appid, True)


@pytest.mark.parametrize("event", [REVOKE, CANCEL])
async def test_an_erasure_is_in_the_audit_log_once(sender, user, service, settings, event):
    openid = await user.sign_in()
    for _ in range(2):
        await sender.deliver(event, openid)
    [entry] = audit_entries(service, openid)
    assert (entry.action, entry.result, entry.appid) == ("user_erase", "success", settings.appid)
    assert (entry.at, entry.operator) == (sender.clock.now(), "")
    assert entry.details == {"reason": event, "revoke_info": "205"}


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


@pytest.mark.parametrize("hours", [1, 24])
async def test_an_authorization_made_after_the_event_survives_it(sender, user, service, hours):
    openid = await user.sign_in()
    happened_at = sender.clock.now()
    sender.clock.advance(hours * 3600)
    await user.sign_in()
    assert is_done(await sender.deliver(REVOKE, openid, CreateTime=str(happened_at)))
    row = await user.row()
    assert service.vault.open(row).access_token
    assert (row.nickname, row.profile_at) == ("", 0), "what was known before the event is gone"
    [entry] = audit_entries(service, openid)
    assert entry.action == "user_profile_drop"
    assert entry.details == {"reason": REVOKE, "revoke_info": "205", "kept": "newer_authorization"}


@pytest.mark.parametrize(("authorizes_again", "scope"), [(False, "snsapi_base"), (True, "snsapi_userinfo")])
async def test_a_silent_login_after_the_event_does_not_save_the_grant_before_it(
    sender, user, browser, wechat, service, authorizes_again, scope
):
    """Pages log in silently without asking; what the user took back must not live on through that."""
    openid = await user.sign_in()
    happened_at = sender.clock.now()
    sender.clock.advance(60)
    if authorizes_again:
        await user.sign_in()
        sender.clock.advance(60)
    before = service.vault.open(await user.row()).access_token
    await browser.post_code(wechat.issue_code("li-na"))
    assert service.vault.open(await user.row()).access_token == before
    assert is_done(await sender.deliver(REVOKE, openid, CreateTime=str(happened_at)))
    row = await user.row()
    assert (row.scope, row.status, row.nickname) == (scope, "active", "")
    assert (service.vault.open(row).access_token == before) is authorizes_again


async def test_an_authorization_of_the_very_second_of_the_event_does_not_survive_it(sender, user):
    openid = await user.sign_in()
    assert is_done(await sender.deliver(REVOKE, openid, CreateTime=str(sender.clock.now())))
    assert await user.row() is None


async def test_an_hour_late_without_a_newer_authorization_the_event_erases(sender, user):
    openid = await user.sign_in()
    happened_at = sender.clock.now()
    sender.clock.advance(3600)
    assert is_done(await sender.deliver(REVOKE, openid, CreateTime=str(happened_at)))
    assert await user.row() is None


@pytest.mark.parametrize(
    ("revoke_info", "is_erased"),
    [
        ("201", False),
        ("204,206", False),
        ("207", False),
        ("205", True),
        ("301", True),
        ("201,205", True),
        ("", True),
        ("999", True),
        ("all", True),
    ],
)
async def test_what_was_taken_back_decides_whether_the_user_or_the_profile_goes(sender, user, revoke_info, is_erased):
    openid = await user.sign_in()
    assert is_done(await sender.deliver(REVOKE, openid, RevokeInfo=revoke_info))
    row = await user.row()
    assert (row is None) is is_erased
    assert is_erased or (row.nickname, row.profile_at) == ("", 0)


async def test_a_delivery_to_several_workers_and_again_after_a_day_is_done_once(
    sender, user, browser_of_changed, service
):
    openid = await user.sign_in()
    body = xml(sender.fields(REVOKE, openid))
    workers = [sender, *[Sender(await browser_of_changed(), sender.appid, sender.clock) for _ in range(2)]]
    answers = await asyncio.gather(*(worker.send(body) for worker in workers for _ in range(2)))
    assert all(is_done(answer) for answer in answers)
    sender.clock.advance(1)  # sessions that begin in the second of an erasure in another process end with it
    await user.sign_in()
    sender.clock.advance(24 * 3600)
    started_since = Sender(await browser_of_changed(), sender.appid, sender.clock)
    for worker in (*workers, started_since):
        assert is_done(await worker.send(body))
    assert await user.row() is not None
    assert [entry.action for entry in audit_entries(service, openid)] == ["user_erase"]


async def test_an_event_whose_worker_was_killed_is_done_by_the_next_delivery(sender, user, service):
    """The claim ends after some seconds, when WeChat delivers again."""
    openid = await user.sign_in()
    body = xml(sender.fields(REVOKE, openid))
    event = AuthorizationEvent(EventKind.REVOKED, sender.appid, openid, sender.clock.now(), "205")
    database = Database.open(service.settings.database_url)
    EventDeliveries(database).claim(event.digest, "killed", sender.clock.now())
    database.close()
    sender.clock.advance(6)
    assert is_done(await sender.send(body))
    assert await user.row() is None


async def test_an_event_that_could_not_be_written_down_is_done_when_it_comes_again(sender, user, service, tmp_path):
    openid = await user.sign_in()
    body = xml(sender.fields(REVOKE, openid))
    database = sqlite3.connect(tmp_path / "wechat-openid.db", isolation_level=None)
    database.execute("ALTER TABLE audit_log RENAME TO away")
    assert (await sender.send(body)).code == 503
    database.execute("ALTER TABLE away RENAME TO audit_log")
    database.close()
    assert is_done(await sender.send(body))
    assert await user.row() is None
    assert [entry.action for entry in audit_entries(service, openid)] == ["user_erase"]


@pytest.mark.attack(
    "stored authorizations",
    "who captured or forges a pushed event",
    "wrong or old signatures, exchanged words, another account's key",
    "nothing is erased",
)
async def test_time_and_nonce_of_an_old_delivery_cannot_be_exchanged(sealed_sender, user):
    """Joined without a boundary they have the same signature; but the time that is encrypted is looked at, too."""
    openid = await user.sign_in()
    sender = await sealed_sender()
    old, nonce = str(sender.clock.now() - 40 * 86400), str(sender.clock.now())
    encrypted = seal(xml(sender.fields(REVOKE, openid, CreateTime=old)), sender.appid)
    exchanged = {"timestamp": nonce, "nonce": old, "msg_signature": sign(TOKEN, old, nonce, encrypted)}
    assert (await sender.send(xml({"Encrypt": encrypted}), **exchanged)).code == 403
    assert await user.row() is not None


@pytest.mark.attack(
    "stored authorizations",
    "who captured or forges a pushed event",
    "wrong or old signatures, exchanged words, another account's key",
    "nothing is erased",
)
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


@pytest.mark.attack(
    "stored authorizations",
    "who captured or forges a pushed event",
    "wrong or old signatures, exchanged words, another account's key",
    "nothing is erased",
)
async def test_an_old_signature_is_a_replay(sender, user):
    openid = await user.sign_in()
    old = str(sender.clock.now() - 26 * 3600)
    changes = {"timestamp": old, "signature": sign(TOKEN, old, NONCE)}
    assert (await sender.send(xml(sender.fields(REVOKE, openid)), **changes)).code == 403
    assert await user.row() is not None


async def test_an_event_of_another_account_does_nothing(sender, user):
    openid = await user.sign_in()
    assert is_done(await sender.deliver(REVOKE, openid, AppID="wx-other"))
    assert await user.row() is not None


async def test_what_is_not_a_message_is_taken_and_counted(sender, service, subtests, caplog):
    """An error would be shown to the user who wrote to the account."""
    bodies = [
        b"",
        b"not xml",
        b"<xml>",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><xml><MsgType>&a;</MsgType></xml>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><xml></xml>',
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><xml><OpenID>&a;</OpenID></xml>',
    ]
    for body in bodies:
        with subtests.test(body=body):
            assert is_done(await sender.send(body))
    assert unreadable(service) == len(bodies)
    warnings = [record for record in caplog.records if "cannot be read" in record.message]
    assert [record.levelname for record in warnings] == ["WARNING"], "and logged once in a while"


async def test_characters_that_people_type_make_no_message_unreadable(sender, service, subtests):
    for body in (
        b"<xml><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[a\x02\x1db]]></Content></xml>",
        b"<xml><MsgType>text</MsgType><Content>\xe6\x9f</Content></xml>",
        b'<?xml version="1.0" encoding="no-such"?><xml><MsgType>text</MsgType></xml>',
        '<?xml version="1.0" encoding="GBK"?><xml><MsgType>text</MsgType><Content>某</Content></xml>'.encode("gbk"),
        b'\xef\xbb\xbf{"MsgType": "text", "Content": "a\x02b"}',
        b"{}",
    ):
        with subtests.test(body=body):
            assert is_done(await sender.send(body))
    assert unreadable(service) == 0


async def test_an_event_beside_such_characters_is_acted_on(sender, user):
    openid = await user.sign_in()
    assert is_done(await sender.deliver(REVOKE, openid, Remark="\x02\ufffe"))
    assert await user.row() is None


async def test_an_event_without_its_user_or_time_is_taken_and_counted(sender, service):
    for openid, changes in (("", {}), ("o" * 129, {}), ("o" * 28, {"CreateTime": "soon"})):
        assert is_done(await sender.deliver(REVOKE, openid, **changes))
    assert unreadable(service) == 3


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


@pytest.mark.attack(
    "stored authorizations",
    "who captured or forges a pushed event",
    "wrong or old signatures, exchanged words, another account's key",
    "nothing is erased",
)
async def test_what_was_not_encrypted_for_this_account_does_nothing(sealed_sender, user):
    openid = await user.sign_in()
    sender = await sealed_sender()
    assert is_done(await sender.deliver_sealed(REVOKE, openid, aes_key=OTHER_AES_KEY))
    assert is_done(await sender.deliver_sealed(REVOKE, openid, appid="wx-other"))
    assert (await sender.deliver_sealed(REVOKE, openid, msg_signature="0" * 40)).code == 403
    assert await user.row() is not None


@pytest.mark.parametrize("key", [AES_KEY, OTHER_AES_KEY])
async def test_the_new_key_and_the_last_one_open_while_the_key_is_changed(browser_of_changed, sender, user, key):
    openid = await user.sign_in()
    browser = await browser_of_changed(event_aes_key=f"{AES_KEY}, {OTHER_AES_KEY}")
    assert is_done(await Sender(browser, sender.appid, sender.clock).deliver_sealed(REVOKE, openid, aes_key=key))
    assert await user.row() is None


@pytest.mark.parametrize("encrypted", ["", "!", "AAAA", base64.b64encode(bytes(16)).decode(), "é"])
async def test_what_is_not_an_encrypted_message_is_taken_and_left_alone(sealed_sender, encrypted):
    sender = await sealed_sender()
    timestamp = str(sender.clock.now())
    signature = sign(TOKEN, timestamp, NONCE, encrypted)
    assert is_done(await sender.send(xml({"Encrypt": encrypted}), msg_signature=signature))


async def test_a_body_without_form_is_taken_where_messages_are_encrypted(sealed_sender):
    sender = await sealed_sender()
    assert is_done(await sender.send(b"<xml>\x02"))
    assert (await sender.send(b"<xml>\x02", signature="0" * 40)).code == 403


async def test_each_account_has_its_own_token(browser_of_changed, settings, clock):
    accounts = (Account(settings.appid, "secret-1", event_token=TOKEN), Account("wx-2", "secret-2", event_token="two"))
    browser = await browser_of_changed(appid="", secret="", event_token="", accounts=accounts)
    assert is_done(await Sender(browser, settings.appid, clock).deliver(REVOKE, "o" * 28))
    assert (await Sender(browser, "wx-2", clock).deliver(REVOKE, "o" * 28)).code == 403
