"""`Rate`: how many events are admitted in each window of time, and how settings write that."""

import re
from dataclasses import dataclass

__all__ = ["Rate", "parse_rates"]

_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "month": 30 * 86_400, "year": 360 * 86_400}
#: Such as `600/minute`, `10 per 5 minutes`: what the library `limits` takes, which once read this setting.
_RATE = re.compile(rf"\s*([0-9]+)\s*(?:/|\s*per\s*)\s*([0-9]+)?\s*({'|'.join(_UNITS)})s?\s*", re.ASCII | re.IGNORECASE)
_BETWEEN = re.compile("[,;|]")


@dataclass(frozen=True, slots=True)
class Rate:
    """So many events in each window of so many seconds."""

    amount: int
    seconds: int


def parse_rates(text: str) -> list[Rate]:
    """Read rates that stand one after the other, separated by semicolons; a text without any is none.

    Raises:
        ValueError: It is not a list of rates.
    """
    if not text:
        return []
    found = [_RATE.fullmatch(part) for part in _BETWEEN.split(text)]
    rates = [Rate(int(one[1]), int(one[2] or 1) * _UNITS[one[3].lower()]) for one in found if one is not None]
    if len(rates) < len(found) or not all(rate.seconds for rate in rates):
        raise ValueError("rates such as 600/minute, several separated by semicolons; empty for none")
    return rates
