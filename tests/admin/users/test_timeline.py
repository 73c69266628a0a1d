"""A user's timeline: what their row tells, what was counted by the day, and what operators did."""

import re

import pytest

from admin.users.timeline import MOST_ROWS, timeline_of
from admin.web.links import user_path
from service.authorization.exchange import Browser
from service.simulator.faults import Fault
from storage.sql.accounts.operators import Role
from storage.sql.accounts.user_history import HistoryKind, UserHistoryEntry
from tests.admin.operator_browser import text_of

pytestmark = pytest.mark.gen_test


def events_in(page):
    return re.findall(r'<td data-label="Event">([^<]*)</td>', page)


async def test_a_timeline_tells_what_happened_the_newest_first(signed_in, service, wechat, clock):
    account = service.settings.all_accounts()[0]
    openid = (await service.exchange.exchange(account, wechat.issue_code(), Browser(b"b" * 32))).openid
    path = user_path(account.appid, openid)
    operator = signed_in(Role.OPERATOR)
    clock.advance(60)
    await operator.post(f"{path}/refresh")
    clock.advance(60)
    service.user_history_log.token_read("orders & <b>", account.appid, openid)
    clock.advance(600)
    wechat.faults.add(Fault(endpoint="refresh_token", errcode=-1, times=1))
    await operator.post(f"{path}/refresh")
    await service.user_history_log.flush()
    page = text_of(await operator.get(path))
    told = events_in(page)
    assert sorted(told[:2]) == ["Refresh a token", "Refresh of the token"]
    assert told[2] == "Token given to a backend"
    assert sorted(told[3:5]) == ["Last refreshed", "Refresh a token"]
    assert told[5:] == ["First authorized"]
    assert "orders &amp; &lt;b&gt;" in page
    assert re.search(r"Errcode: -1 \S+.*rid: [0-9a-f-]+.*Times on this day \(UTC\): 1", page, re.DOTALL)
    assert "Refresh a token" not in events_in(text_of(await signed_in(Role.VIEWER).get(path)))


async def test_a_timeline_is_bounded(service, wechat):
    account = service.settings.all_accounts()[0]
    openid = (await service.exchange.exchange(account, wechat.issue_code(), Browser(b"b" * 32))).openid
    user = await service.vault.get(account.appid, openid)
    later = user.authorized_at + 1
    history = [
        UserHistoryEntry(account.appid, openid, 0, HistoryKind.TOKEN_READ, f"key {number}", 1, later + number)
        for number in range(MOST_ROWS + 1)
    ]
    rows = timeline_of(user, history, [], lambda _: None, str)
    assert [row.by for row in rows] == [f"key {number}" for number in range(MOST_ROWS, 0, -1)]
