import asyncio

import pytest

from service.authorization.counters import Counters
from service.authorization.exchange_budget import BudgetSpent, ExchangeBudget, Standing

pytestmark = pytest.mark.gen_test

APPID, OTHER = "wx0000000000000001", "wx0000000000000002"


@pytest.fixture
def budget(clock):
    return ExchangeBudget(100, Counters.open("async+memory://", clock), clock)


async def spend_all(budget, standing, appid=APPID):
    """Spend until there is nothing left for a standing; return how much there was."""
    spent = 0
    try:
        while spent < 1000:
            await budget.spend(appid, standing)
            spent += 1
    except BudgetSpent:
        pass
    return spent


@pytest.mark.parametrize(
    ("order", "spent"),
    [
        ((Standing.STRANGER, Standing.INVITED, Standing.KNOWN), (50, 30, 20)),
        ((Standing.INVITED, Standing.KNOWN, Standing.STRANGER), (80, 20, 0)),
        ((Standing.KNOWN, Standing.INVITED, Standing.STRANGER), (100, 0, 0)),
    ],
)
async def test_nobody_spends_the_part_of_a_better_standing_and_all_together_no_more_than_the_budget(
    budget, order, spent
):
    assert tuple([await spend_all(budget, standing) for standing in order]) == spent


async def test_each_account_and_each_minute_has_a_budget(budget, clock):
    assert await spend_all(budget, Standing.KNOWN) == 100
    assert await spend_all(budget, Standing.KNOWN, OTHER) == 100
    with pytest.raises(BudgetSpent) as caught:
        await budget.spend(APPID, Standing.KNOWN)
    assert 1 <= caught.value.retry_after <= 60
    clock.advance(caught.value.retry_after)
    assert await spend_all(budget, Standing.KNOWN) == 100


async def test_without_a_budget_nothing_is_refused(clock):
    budget = ExchangeBudget(0, Counters.open("async+memory://", clock), clock)
    assert await spend_all(budget, Standing.STRANGER) == 1000


async def test_refusals_are_told_with_the_standing(clock):
    told = []
    counters = Counters.open("async+memory://", clock)
    budget = ExchangeBudget(10, counters, clock, refused=lambda *refusal: told.append(refusal))
    await asyncio.gather(*(budget.spend(APPID, Standing.STRANGER) for _ in range(7)), return_exceptions=True)
    assert told == [(APPID, Standing.STRANGER)] * 2
