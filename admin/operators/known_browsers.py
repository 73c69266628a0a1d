"""`KnownBrowsers`: tells a browser in which an operator has signed in before from a stranger's.

What the browser keeps is a signed value for one name. It opens nothing: it lets whoever types that name there be
counted apart from strangers, and a copy of it has the same few attempts as the browser itself.
"""

import hashlib
import secrets
from collections.abc import Mapping

from tornado.web import create_signed_value, decode_signed_value

from storage.base.clock import Clock

__all__ = ["KNOWN_FOR_DAYS", "KnownBrowsers"]

KNOWN_FOR_DAYS = 90
_LONGEST_COOKIE = 512
_ID_BYTES = 12


class KnownBrowsers:
    """Writes and reads what browsers keep.

    Args:
        keys: Keys that sign, by their numbers, the newest first.
        clock: What stamps the values and tells their age.
    """

    def __init__(self, keys: Mapping[int, bytes], clock: Clock) -> None:
        self._keys = dict(keys)
        self._clock = clock

    def remember(self, name: str) -> str:
        """Return what the browser of an operator is to keep, a new value at each sign-in."""
        signed = create_signed_value(
            self._keys,
            _purpose(name),
            secrets.token_urlsafe(_ID_BYTES),
            clock=self._clock.now,
            key_version=next(iter(self._keys)),
        )
        return signed.decode("ascii")

    def recognize(self, kept: str | None, name: str) -> str | None:
        """Return what identifies the browser; None for one in which this name has not signed in for 90 days."""
        if kept is None or len(kept) > _LONGEST_COOKIE:
            return None
        known = decode_signed_value(
            self._keys, _purpose(name), kept, max_age_days=KNOWN_FOR_DAYS, clock=self._clock.now, min_version=2
        )
        return None if known is None else known.decode("ascii")


def _purpose(name: str) -> str:
    return f"known_browser_{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}"
