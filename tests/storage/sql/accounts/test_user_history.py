from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.sql.accounts.user_history import MOST_ENTRIES, HistoryKind, UserHistory, UserHistoryEntry
from storage.user_search import CappedCount

DAY = 86_400
TODAY = 1_800_057_600
READ, FAILED = HistoryKind.TOKEN_READ, HistoryKind.REFRESH_FAILED


@pytest.fixture
def history(any_database):
    return UserHistory(any_database)


def read(openid="o-1", *, day=TODAY, key="orders", count=1, at=60):
    return UserHistoryEntry("wx1", openid, day, READ, key, count, day + at)


def test_counts_of_all_processes_add_up_and_keep_the_newest_rid(history):
    failed = [UserHistoryEntry("wx1", "o-1", TODAY, FAILED, "-1", 1, TODAY + at, f"rid-{at}") for at in range(10)]

    def add(number):
        history.add([read(at=number), failed[number], read("O-1")])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(add, range(10)))
    history.add([])
    assert history.of("wx1", "o-1") == [
        UserHistoryEntry("wx1", "o-1", TODAY, FAILED, "-1", 10, TODAY + 9, "rid-9"),
        read(count=10, at=9),
    ]
    assert history.of("wx2", "o-1") == []


def test_newest_days_come_first_and_no_more_than_a_page(history):
    history.add(read(day=TODAY - DAY * day) for day in range(MOST_ENTRIES + 5))
    found = history.of("wx1", "o-1")
    assert [one.day for one in found] == [TODAY - DAY * day for day in range(MOST_ENTRIES)]


def test_users_of_a_key_are_counted_on_a_day(history):
    failed = UserHistoryEntry("wx1", "o-9", TODAY, FAILED, "orders", 1, TODAY)
    history.add([read("o-1", count=7), read("o-2"), read("o-3", key="crm"), read("o-4", day=TODAY - DAY), failed])
    assert history.users_of_key("orders", TODAY) == CappedCount(2)
    assert history.users_of_key("nobody", TODAY) == CappedCount(0)


def test_old_days_and_erased_users_are_forgotten(history):
    history.add([read(), read("o-2"), *(read(f"old-{number}", day=TODAY - 30 * DAY) for number in range(1200))])
    history.trim(TODAY - 29 * DAY)
    assert history.users_of_key("orders", TODAY - 30 * DAY) == CappedCount(0)
    history.forget("wx1", "o-1")
    assert history.of("wx1", "o-1") == []
    assert history.of("wx1", "o-2") == [read("o-2")]
