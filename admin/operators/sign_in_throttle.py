"""`SignInThrottle`: how often anybody may try to sign in. It is asked before a password is hashed."""

import hashlib
from dataclasses import dataclass

from storage.base.client_key import client_key
from storage.base.clock import Clock
from storage.sql.accounts.attempts import SignInAttempts

__all__ = ["SignInThrottle", "Throttled"]

_WINDOW_SECONDS = 15 * 60
_PER_NAME = 10
_PER_ADDRESS = 30
_IN_ALL = 300
#: What the column of the attempts' subjects has room for, behind the word that goes first.
_LONGEST_ADDRESS = 64
_EVERYBODY = "everybody"


@dataclass(eq=False)
class Throttled(Exception):
    """An attempt too many.

    Attributes:
        retry_after: Seconds after which trying again makes sense.
        is_first: Whether this attempt was the first one too many: what follows it is not worth an entry in a log.
    """

    retry_after: int
    is_first: bool


class SignInThrottle:
    """Counts attempts by name, by address (those of IPv6 by their /64) and in all, for all processes together.

    Windows of 15 minutes, counted whether a name exists or not. Blocking.
    """

    def __init__(self, attempts: SignInAttempts, clock: Clock) -> None:
        self._attempts = attempts
        self._clock = clock

    def check(self, name: str, address: str) -> None:
        """Count an attempt.

        Raises:
            Throttled: There were too many; it says when to come back.
        """
        now = self._clock.now()
        window_at = now - now % _WINDOW_SECONDS
        limits = {_of_name(name): _PER_NAME, _of_address(address): _PER_ADDRESS, _EVERYBODY: _IN_ALL}
        counts = self._attempts.note(list(limits), window_at)
        over = [counts[subject] - limit for subject, limit in limits.items() if counts[subject] > limit]
        if over:
            raise Throttled(window_at + _WINDOW_SECONDS - now, is_first=max(over) == 1)

    def forgive(self, name: str) -> None:
        """Forget the attempts for a name, whose operator has just proved to be the right one."""
        self._attempts.forget(_of_name(name))


def _of_name(name: str) -> str:
    # Any text can be typed: what is stored is a digest of fixed length, and no password typed into the wrong field.
    return "name:" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def _of_address(address: str) -> str:
    return "address:" + client_key(address)[:_LONGEST_ADDRESS]
