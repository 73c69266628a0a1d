"""`make soak`, for seconds."""

import pytest

from tests.reliability.soak import soak
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
