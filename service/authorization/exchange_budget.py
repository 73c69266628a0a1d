"""`ExchangeBudget`: how many exchanges a minute an account may ask WeChat for, and which visitors may spend which part.

WeChat limits the calls of an account, whoever caused them: a flood of made-up codes from enough networks would leave no
call for real visitors. Below that limit stands a budget, in parts. A flood spends the part that is open to anybody;
the parts reserved for known visitors are left.
"""

from collections.abc import Callable
from enum import StrEnum

from service.authorization.counters import Counters, counts_in_process
from service.settings import Settings
from service.settings.rates import Rate
from storage.base.clock import Clock

__all__ = ["BudgetSpent", "ExchangeBudget", "Standing", "budget_of_process"]


class Standing(StrEnum):
    """How well a visitor who posts a code is known, the best first."""

    #: A session here, or an address that has signed in lately: somebody whom WeChat has vouched for.
    KNOWN = "known"
    #: A state that was issued to this browser: anybody can have one, but each for one code and only so fast.
    INVITED = "invited"
    STRANGER = "stranger"


#: The part of each standing, in hundredths. A visitor spends the part of their own standing first and then those below.
_PARTS = {Standing.KNOWN: 20, Standing.INVITED: 30, Standing.STRANGER: 50}
_ORDER = tuple(_PARTS)


class BudgetSpent(Exception):
    """No exchange is left for such a visitor in this minute. WeChat was not asked, and the code is not spent.

    Attributes:
        appid: The account.
        retry_after: Seconds until the next minute.
    """

    def __init__(self, appid: str, retry_after: int) -> None:
        super().__init__("too many exchanges at once; the same code may be posted again")
        self.appid = appid
        self.retry_after = retry_after


def budget_of_process(settings: Settings) -> int:
    """Return how many exchanges a minute this process may spend: all, or its share where each counts by itself."""
    if not settings.exchange_budget or not counts_in_process(settings.rate_limit_storage):
        return settings.exchange_budget
    return max(1, settings.exchange_budget // settings.workers)


class ExchangeBudget:
    """Keeps the budgets of all accounts.

    Args:
        per_minute: Exchanges a minute for each account; 0 for no limit.
        clock: What minutes are measured by.
        refused: Called with the account and the standing of each visitor who is refused.
    """

    def __init__(
        self,
        per_minute: int,
        counters: Counters,
        clock: Clock,
        *,
        refused: Callable[[str, Standing], None] = lambda _appid, _standing: None,
    ) -> None:
        self._parts = {
            standing: Rate(max(1, per_minute * hundredths // 100), 60)
            for standing, hundredths in (_PARTS if per_minute else {}).items()
        }
        self._counters = counters
        self._clock = clock
        self._refused = refused

    async def spend(self, appid: str, standing: Standing) -> None:
        """Take one exchange out of the budget.

        Raises:
            BudgetSpent: There is none left for this standing.
        """
        if not self._parts:
            return
        ends_at = None
        for part in _ORDER[_ORDER.index(standing) :]:
            ends_at = await self._counters.add(self._parts[part], ("budget", appid, part))
            if ends_at is None:
                return
        assert ends_at is not None
        self._refused(appid, standing)
        raise BudgetSpent(appid, max(1, ends_at - self._clock.now()))
