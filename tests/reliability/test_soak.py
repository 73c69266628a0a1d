"""`make soak`, for seconds."""

import pytest

from tests.reliability.soak import FIGURES, Soaked, soak
from tests.servers import database_of_its_own, postgresql_server

SECONDS = 12


@pytest.mark.timeout(150)
@pytest.mark.gen_test(timeout=120)
async def test_under_a_steady_load_nothing_fails_and_nothing_grows():
    with database_of_its_own(postgresql_server()) as url:
        soaked = await soak(url, seconds=SECONDS, per_second=30)
    assert soaked.answers["/getCode", 200] > 0
    assert soaked.refreshes > 0
    assert soaked.errors == 0
    assert soaked.grown == []


def test_growth_is_told_from_a_first_quarter_that_warms_up_and_from_a_moment_of_more():
    steady = [10.0] * 25 + [100.0] * 60 + [400.0] * 5 + [100.0] * 10
    rising = [100.0 + number for number in range(100)]
    assert Soaked(samples=dict.fromkeys(FIGURES, steady)).grown == []
    assert Soaked(samples=dict.fromkeys(FIGURES, steady) | {"Memory, MB": rising}).grown == ["Memory, MB"]
