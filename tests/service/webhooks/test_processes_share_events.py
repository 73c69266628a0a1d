"""Processes of `serve` to which WeChat delivers the same event."""

import asyncio
import json
import time

import pytest

from storage.base.clock import ManualClock
from storage.sql.accounts.audit import AuditLog, AuditQuery
from storage.sql.core.engine import Database
from tests.service.http.handlers.h5_browser import Browser
from tests.service.http.handlers.pushes import TOKEN, Sender, is_done, xml

ENVIRONMENT = {"WECHAT_OPENID_EVENT_TOKEN": TOKEN}


@pytest.mark.gen_test(timeout=60)
async def test_a_revocation_delivered_to_two_processes_and_after_a_restart_is_done_once(
    start_server, settings, http, wechat, page_at
):
    first = await start_server(**ENVIRONMENT).answers(http)
    second = await start_server(**ENVIRONMENT).answers(http)
    clock = ManualClock(int(time.time()))
    senders = [Sender(Browser(http, server.url), settings.appid, clock) for server in (first, second)]
    reply = await page_at(first).post_code(wechat.issue_code("li-na"))
    openid = json.loads(reply.body)["openid"]
    body = xml(senders[0].fields("user_authorization_revoke", openid))

    answers = await asyncio.gather(*(sender.send(body) for sender in senders for _ in range(3)))
    assert all(is_done(answer) for answer in answers)

    reply = await page_at(second).post_code(wechat.issue_code("li-na"))
    assert json.loads(reply.body)["openid"] == openid
    first.kill()
    restarted = await start_server(**ENVIRONMENT).answers(http)
    for url in (second.url, restarted.url):
        assert is_done(await Sender(Browser(http, url), settings.appid, clock).send(body))

    database = Database.open(settings.database_url)
    entries = AuditLog(database).page(AuditQuery(openid=openid)).entries
    database.close()
    assert [entry.action for entry in entries] == ["user_erase"]
