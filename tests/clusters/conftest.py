"""What tests of engines of several servers share. They are left out unless they are asked for by their mark."""

import time
from collections import Counter
from pathlib import Path

import pytest

from service.simulator.wechat import SimulatedWeChat
from storage.base.clock import ManualClock

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.clusters)


class CountingWeChat(SimulatedWeChat):
    """Knows how often each refresh token was used."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.refreshed = Counter()

    def refresh(self, *, refresh_token, **others):
        self.refreshed[refresh_token] += 1
        return super().refresh(refresh_token=refresh_token, **others)


@pytest.fixture
def clock():
    """Three hours ago: what is authorized now is due for instances that look at the machine's clock."""
    return ManualClock(int(time.time()) - 3 * 3600)


@pytest.fixture
def wechat(clock):
    return CountingWeChat(clock)
