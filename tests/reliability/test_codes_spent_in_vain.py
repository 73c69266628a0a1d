"""The table of `make reliability`, in small."""

import pytest

from tests.reliability.faults import FAULTS
from tests.reliability.outages import try_fault

PER_SECOND = 40
SECONDS = 4


@pytest.mark.timeout(150)
@pytest.mark.gen_test
@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
async def test_a_fault_of_the_store_costs_no_more_codes_than_were_under_way(fault):
    outcome = await try_fault(fault, per_second=PER_SECOND, seconds=SECONDS)
    assert outcome.visitors >= PER_SECOND
    if fault.hangs:
        assert outcome.in_vain <= PER_SECOND
    else:
        assert outcome.in_vain <= 3 + outcome.waiting_before
    assert (outcome.lost, outcome.ended) == (0, 0)
    assert outcome.statuses.keys() <= {200, 503, 504}
    assert outcome.log_lines < 20
