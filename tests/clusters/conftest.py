"""What tests of engines of several servers share. They are left out unless they are asked for by their mark."""

import json
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
def note(record_property):
    """Print what a trial found, and put it into the report of the run, from which docs/reliability.md gets it."""

    def note(what, found):
        print(f"{what}: {found}")
        figures = {name: len(value) if isinstance(value, set | list) else value for name, value in found.items()}
        record_property("figures", json.dumps([what, figures]))

    return note


@pytest.fixture
def clock():
    """Three hours ago: what is authorized now is due for instances that look at the machine's clock."""
    return ManualClock(int(time.time()) - 3 * 3600)


@pytest.fixture
def wechat(clock):
    return CountingWeChat(clock)
