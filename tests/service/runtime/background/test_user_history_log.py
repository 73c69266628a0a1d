import pytest

from service.authorization.exchange import Browser
from service.runtime.background.user_history_log import UserHistoryLog
from service.simulator.faults import Fault
from service.tokens.manager import TokenUnavailable
from storage.base.clock import ManualClock
from storage.base.errors import StoreUnavailable
from storage.sql.accounts.user_history import HistoryKind

pytestmark = pytest.mark.gen_test
DAY = 86_400


class _Kept:
    """Keeps what it is given, or is away."""

    def __init__(self):
        self.added = []
        self.trimmed = []
        self.is_away = False

    def add(self, entries):
        if self.is_away:
            raise StoreUnavailable("away")
        self.added.append(list(entries))

    def trim(self, before):
        self.trimmed.append(before)


async def test_what_could_not_be_recorded_is_added_up_with_what_comes_after():
    kept, clock = _Kept(), ManualClock(1_800_057_600)
    log = UserHistoryLog(kept, clock)
    kept.is_away = True
    log.token_read("orders", "wx1", "o-1")
    await log.flush()
    clock.advance(60)
    log.token_read("orders", "wx1", "o-1")
    kept.is_away = False
    await log.flush()
    [[one]] = kept.added
    assert (one.name, one.count, one.last_at) == ("orders", 2, clock.now())
    await log.flush()
    assert len(kept.added) == 1
    assert kept.trimmed == [1_800_057_600 - 29 * DAY]


async def test_while_the_database_is_away_memory_is_bounded():
    kept = _Kept()
    log = UserHistoryLog(kept, ManualClock(1_800_057_600))
    for number in range(20_010):
        log.token_read("orders", "wx1", f"o-{number}")
    log.token_read("orders", "wx1", "o-0")
    await log.flush()
    [added] = kept.added
    assert len(added) == 20_000
    assert added[0].count == 2


async def test_a_failed_refresh_is_told_with_its_errcode_and_rid_and_erased_with_the_user(service, wechat, clock):
    account = service.settings.all_accounts()[0]
    appid = account.appid
    openid = (await service.exchange.exchange(account, wechat.issue_code(), Browser(b"b" * 32))).openid
    wechat.faults.add(Fault(endpoint="refresh_token", errcode=-1, times=1))
    clock.advance(3 * 3600)
    with pytest.raises(TokenUnavailable):
        await service.tokens.get_valid_token(appid, openid)
    await service.user_history_log.flush()
    [one] = service.dashboard.user_history.of(appid, openid)
    assert (one.kind, one.name, one.count) == (HistoryKind.REFRESH_FAILED, "-1", 1)
    assert one.rid
    await service.vault.erase(appid, openid)
    assert service.dashboard.user_history.of(appid, openid) == []
