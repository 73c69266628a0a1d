from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.sql.accounts.api_key_uses import ApiKeyUse, ApiKeyUses, day_of

DAY = 86_400
TODAY = day_of(1_800_000_000)


@pytest.fixture
def uses(any_database):
    return ApiKeyUses(any_database)


def test_counts_of_all_processes_add_up_by_day_key_and_account(uses):
    def add(_):
        uses.add([ApiKeyUse(TODAY, "orders", "wx2", 1), ApiKeyUse(TODAY, "orders", "wx1", 2)])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(add, range(10)))
    uses.add([ApiKeyUse(TODAY - DAY, "billing", "wx1", 5)])
    uses.add([])
    assert uses.since(TODAY - DAY) == [
        ApiKeyUse(TODAY, "orders", "wx1", 20),
        ApiKeyUse(TODAY, "orders", "wx2", 10),
        ApiKeyUse(TODAY - DAY, "billing", "wx1", 5),
    ]
    assert len(uses.since(TODAY)) == 2


def test_old_days_are_forgotten(uses):
    uses.add([ApiKeyUse(TODAY, "orders", "wx1", 1), ApiKeyUse(TODAY - 90 * DAY, "orders", "wx1", 1)])
    uses.trim(TODAY - 89 * DAY)
    assert [use.day for use in uses.since(0)] == [TODAY]


def test_a_day_begins_at_midnight_utc():
    assert day_of(TODAY) == day_of(TODAY + DAY - 1) == TODAY
    assert TODAY % DAY == 0
