"""`KnownNetworks`: networks from which more good codes than refused ones came lately."""

from collections import OrderedDict

from service.http.networks import networks_of

__all__ = ["KnownNetworks"]

#: So many refused codes more than good ones make an address a stranger again, however many were good before.
_MOST_CREDIT = 16


class KnownNetworks:
    """Remembers networks in this process: IPv4 addresses, and the /64 of IPv6 addresses.

    Args:
        remembered: How many are remembered; those without a good code for the longest time are forgotten first.
    """

    def __init__(self, remembered: int = 32_768) -> None:
        self._remembered = remembered
        self._credit: OrderedDict[str, int] = OrderedDict()

    def knows(self, address: str) -> bool:
        """Return whether more good codes than refused ones came from this address."""
        return self._credit.get(_key(address), 0) > 0

    def note_good_code(self, address: str) -> None:
        """Note that a visitor of this address has signed in."""
        key = _key(address)
        self._credit[key] = min(_MOST_CREDIT, self._credit.get(key, 0) + 1)
        self._credit.move_to_end(key)
        if len(self._credit) > self._remembered:
            self._credit.popitem(last=False)

    def note_refused_code(self, address: str) -> None:
        """Note that WeChat refused a code that came from this address. One without credit is not remembered."""
        key = _key(address)
        credit = self._credit.get(key, 0)
        if credit > 1:
            self._credit[key] = credit - 1
        elif credit:
            del self._credit[key]


def _key(address: str) -> str:
    [(key, _), *_] = networks_of(address)
    return key
