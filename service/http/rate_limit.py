"""`RateLimit`: how many requests of a kind one client address, and the networks around it, may send.

A flood of made-up codes would otherwise spend the account's quota at WeChat for everybody.
"""

from service.authorization.counters import Counters
from service.http.networks import networks_of
from service.settings.rates import Rate, parse_rates
from storage.base.clock import Clock

__all__ = ["RateLimit"]


class RateLimit:
    """Counts requests by address (IPv6: by /64) and by wider networks, which may send a multiple of that.

    Args:
        rates: Such as "600/minute;5000/hour"; empty limits nothing.
        clock: Measures windows.
        purpose: The kind of requests; each kind is counted apart.
        divided_by: Divisor of the rates, where each of several processes counts for itself.
    """

    def __init__(
        self, rates: str, counters: Counters, clock: Clock, purpose: str = "exchange", *, divided_by: int = 1
    ) -> None:
        self._rates = parse_rates(rates)
        self._counters = counters
        self._clock = clock
        self._purpose = purpose
        self._divided_by = divided_by
        self._multiplied: dict[int, list[Rate]] = {}

    async def count(self, address: str, cost: int = 1) -> int | None:
        """Count a request; return after how many seconds to come back if it is one too many, else None.

        Args:
            address: The client's; a text that is no address is counted as it is.
            cost: How many requests it counts as.
        """
        if not self._rates:
            return None
        # From the narrowest on: what one client sends beyond its share is not taken from its neighbours'.
        for network, times in networks_of(address):
            for rate in self._rates_times(times):
                ends_at = await self._counters.add(rate, (self._purpose, network), cost)
                if ends_at is not None:
                    return max(1, ends_at - self._clock.now())
        return None

    def _rates_times(self, times: int) -> list[Rate]:
        if times not in self._multiplied:
            self._multiplied[times] = [
                Rate(max(1, rate.amount * times // self._divided_by), rate.seconds) for rate in self._rates
            ]
        return self._multiplied[times]
