from dataclasses import replace

import pytest

from storage.base.clock import ManualClock
from storage.base.errors import InvalidRecord
from storage.memory import MemoryTokenStore
from storage.testing import TokenStoreContract, a_grant


class TestMemoryTokenStore(TokenStoreContract):
    @pytest.fixture(autouse=True)
    def _clock(self):
        self._now = 1_800_000_000.0

    @pytest.fixture
    def store(self):
        return MemoryTokenStore(lambda: self._now)

    def let_pass(self, seconds):
        self._now += seconds


def test_lease_lasts_exactly_its_ttl_of_the_clock_given():
    clock = ManualClock()
    store = MemoryTokenStore(clock.now)
    store.save([a_grant()])
    user = a_grant().appid, a_grant().openid
    assert store.claim(*user, "first", 10)
    clock.advance(9)
    assert store.claim(*user, "second", 10) is None
    clock.advance(1)
    assert store.claim(*user, "second", 10)


def test_text_that_no_database_could_keep_is_refused():
    grant = replace(a_grant(), openid="o-\ud800")
    with pytest.raises(InvalidRecord, match="openid is not valid Unicode"):
        MemoryTokenStore().save([grant])


def test_stores_are_separate_whatever_the_url():
    first, second = MemoryTokenStore.open("memory://"), MemoryTokenStore.open("memory://")
    first.save([a_grant()])
    assert second.get(a_grant().appid, a_grant().openid) is None
