"""Scheduled refreshes: which rows, by whom, how many, and what happens when they fail or the process stops."""

import asyncio
from collections import Counter

import pytest

from service.authorization.exchange import Browser
from service.simulator.faults import Breakage, Fault
from service.tokens.refresher import RefreshResult
from service.wechat.protocol import Account
from storage.base.errors import StorageError
from storage.sealing import KeyRing, generate_key
from storage.user_search import UserQuery
from storage.users import Status
from tests.waiting import until

pytestmark = pytest.mark.gen_test

REFRESH = "refresh_token"
MINUTE = 60
HOUR = 3600
DAY = 86_400


@pytest.fixture
def authorize_many(service, wechat):
    """Authorize so many new people and give their openids."""

    async def authorize(count):
        account = Account(service.settings.appid, service.settings.secret)
        people = [wechat.invent_person() for _ in range(count)]
        redeemed = await asyncio.gather(
            *(service.exchange.exchange(account, wechat.issue_code(person.id), Browser(b"b" * 32)) for person in people)
        )
        return [one.openid for one in redeemed]

    return authorize


@pytest.fixture
def rows(service):
    """Read authorizations as they are stored."""

    async def read(openids):
        return [await service.vault.get(service.settings.appid, openid) for openid in openids]

    return read


async def test_nothing_is_refreshed_before_it_is_due(service, wechat, clock, authorize_many):
    await authorize_many(5)
    clock.advance(HOUR)
    assert (await service.scheduler.run_pass()).total == 0
    assert wechat.calls[REFRESH] == 0


async def test_three_hours_later_the_active_users_are_refreshed_and_no_others(
    service, wechat, clock, authorize_many, rows
):
    sleeping = await authorize_many(3)
    clock.advance(8 * DAY)
    active = await authorize_many(4)
    before = {row.openid: row for row in await rows(sleeping)}
    clock.advance(3 * HOUR)
    report = await service.scheduler.run_pass()
    assert report.results == Counter({RefreshResult.REFRESHED: 4, RefreshResult.LEFT_TO_USE: 3})
    assert wechat.calls[REFRESH] == 4
    assert all(row.expires_at == clock.now() + 7200 for row in await rows(active))
    for row in await rows(sleeping):
        assert row.tokens == before[row.openid].tokens
        assert row.expires_at == before[row.openid].expires_at


async def test_every_active_user_has_a_live_token_all_day(service, wechat, clock, authorize_many, rows):
    openids = await authorize_many(10)
    for _ in range(24 * 6):
        clock.advance(10 * MINUTE)
        await service.scheduler.run_pass()
        assert all(row.expires_at > clock.now() for row in await rows(openids))
    # 24 hours of two-hour tokens, refreshed in the last fifth of their life.
    assert 12 * 10 <= wechat.calls[REFRESH] <= 16 * 10


async def test_thirty_one_days_later_they_need_a_new_authorization(service, clock, authorize_many, rows):
    openids = await authorize_many(3)
    for _ in range(31):
        clock.advance(DAY)
        # Somebody uses the tokens every day, so they stay active.
        for openid in openids:
            if (await service.vault.get(service.settings.appid, openid)).status is Status.ACTIVE:
                await asyncio.gather(
                    service.tokens.get_valid_token(service.settings.appid, openid), return_exceptions=True
                )
        await service.scheduler.run_pass()
    for row in await rows(openids):
        assert row.status is Status.REAUTHORIZATION_REQUIRED
        assert row.last_error_code == 42002


async def test_users_of_one_second_get_spread_refresh_times(service, clock, authorize_many):
    await authorize_many(200)
    rows = [row.next_refresh_at for row in service.vault.user_search().page(UserQuery(limit=500)).users]
    assert max(rows) - min(rows) > 300
    assert all(clock.now() + 3600 < at < clock.now() + 7200 for at in rows)


async def test_instances_share_the_due_rows_without_refreshing_any_twice(
    service, wechat, clock, authorize_many, open_another
):
    openids = await authorize_many(300)
    others = [await open_another() for _ in range(2)]
    clock.advance(3 * HOUR)
    reports = await asyncio.gather(*(one.scheduler.run_pass() for one in (service, *others)))
    assert sum(report.results[RefreshResult.REFRESHED] for report in reports) == len(openids)
    assert wechat.calls[REFRESH] == len(openids)


async def test_a_configuration_error_for_an_hour_costs_few_calls_and_no_authorization(
    service, wechat, clock, authorize_many, rows
):
    openids = await authorize_many(20)
    clock.advance(2 * HOUR)
    wechat.faults.add(Fault(endpoint=REFRESH, errcode=40125, times=None))
    for _ in range(60):
        clock.advance(MINUTE)
        await service.scheduler.run_pass()
    assert {row.status for row in await rows(openids)} == {Status.ACTIVE}
    assert {row.refresh_failures for row in await rows(openids)} == {0}
    # Those that are under way together when the pause begins, once a minute at most.
    assert wechat.calls[REFRESH] <= 60 * service.settings.refresh_concurrency
    wechat.faults.clear()
    clock.advance(MINUTE)
    report = await service.scheduler.run_pass()
    assert report.results[RefreshResult.REFRESHED] == len(openids)


async def test_failures_back_off_and_recover(service, wechat, clock, authorize_many, rows):
    openids = await authorize_many(5)
    clock.advance(3 * HOUR)
    wechat.faults.add(Fault(endpoint=REFRESH, breakage=Breakage.HTTP_500, times=None))
    for _ in range(60):
        await service.scheduler.run_pass()
        clock.advance(MINUTE)
    # Exponential up to a quarter of an hour: far fewer than one call a minute for each.
    assert 5 * 5 <= wechat.calls[REFRESH] <= 5 * 12
    assert {row.status for row in await rows(openids)} == {Status.ACTIVE}
    wechat.faults.clear()
    clock.advance(15 * MINUTE)
    report = await service.scheduler.run_pass()
    assert report.results == Counter({RefreshResult.REFRESHED: 5})
    assert {row.refresh_failures for row in await rows(openids)} == {0}


async def test_the_report_counts_errors_by_errcode(service, wechat, clock, authorize_many):
    await authorize_many(3)
    clock.advance(3 * HOUR)
    wechat.faults.add(Fault(endpoint=REFRESH, errcode=-1, times=1))
    wechat.faults.add(Fault(endpoint=REFRESH, breakage=Breakage.HTML, times=1))
    report = await service.scheduler.run_pass()
    assert report.results == Counter({RefreshResult.FAILED: 2, RefreshResult.REFRESHED: 1})
    assert report.errors == Counter({"-1": 1, "retry": 1})
    assert report.failed


async def test_tokens_that_do_not_open_are_reported_and_do_not_stop_the_others(
    service, wechat, clock, authorize_many, rows
):
    unreadable = await authorize_many(1)
    [before] = await rows(unreadable)
    old_keys = service.vault._keys
    service.vault._keys = KeyRing.parse(generate_key())
    await authorize_many(2)
    clock.advance(3 * HOUR)
    report = await service.scheduler.run_pass()
    assert report.results == Counter({RefreshResult.REFRESHED: 2, RefreshResult.FAILED: 1})
    assert report.errors["sealed"] == 1
    [after] = await rows(unreadable)
    assert (after.tokens, after.status, after.refresh_failures) == (before.tokens, Status.ACTIVE, 0)
    service.vault._keys = old_keys


async def test_stopping_finishes_what_is_under_way_and_gives_the_rest_back(
    settings, wechat, clock, authorize_many, open_another, rows
):
    openids = await authorize_many(30)
    instance = await open_another(refresh_concurrency=2, refresh_every_seconds=0.1)
    clock.advance(3 * HOUR)
    wechat.faults.add(Fault(endpoint=REFRESH, latency_seconds=0.2, times=None))
    instance.scheduler.start()
    await until(lambda: wechat.calls[REFRESH] >= 4)
    await instance.scheduler.stop()
    asked = wechat.calls[REFRESH]
    refreshed = [row for row in await rows(openids) if row.expires_at > clock.now()]
    assert len(refreshed) == asked < len(openids)
    # What was given back can be claimed at once.
    wechat.faults.clear()
    another = await open_another()
    report = await another.scheduler.run_pass()
    assert report.results[RefreshResult.REFRESHED] == len(openids) - asked


async def test_a_rate_bounds_the_calls_of_each_account(settings, wechat, clock, authorize_many, open_another):
    await authorize_many(12)
    instance = await open_another(refresh_max_per_second=5.0)
    clock.advance(3 * HOUR)
    started = asyncio.get_running_loop().time()
    await instance.scheduler.run_pass()
    # Five at once, then five a second: the other seven take more than a second.
    assert asyncio.get_running_loop().time() - started >= 1.0
    assert wechat.calls[REFRESH] == 12


async def test_a_very_low_rate_still_gets_on(wechat, clock, authorize_many, open_another):
    await authorize_many(3)
    instance = await open_another(refresh_max_per_second=0.5)
    clock.advance(3 * HOUR)
    report = await instance.scheduler.run_pass()
    assert report.results == Counter({RefreshResult.REFRESHED: 3})


async def test_stopping_does_not_wait_for_the_rate(wechat, clock, authorize_many, open_another, rows):
    openids = await authorize_many(3)
    instance = await open_another(refresh_max_per_second=0.1, refresh_every_seconds=0.1)
    clock.advance(3 * HOUR)
    instance.scheduler.start()
    await until(lambda: wechat.calls[REFRESH] >= 1)
    started = asyncio.get_running_loop().time()
    await instance.scheduler.stop()
    assert asyncio.get_running_loop().time() - started < 5, "the next refresh would have been due after 10 seconds"
    assert len([row for row in await rows(openids) if row.expires_at > clock.now()]) == wechat.calls[REFRESH]


async def test_a_store_without_a_schedule_says_so(service, monkeypatch):
    monkeypatch.setattr(type(service.vault._store), "capabilities", frozenset())
    with pytest.raises(StorageError, match="keeps no schedule"):
        await service.scheduler.run_pass()
    service.scheduler.start()
    await service.scheduler.stop()
