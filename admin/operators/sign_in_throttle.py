"""`SignInThrottle`: limits attempts to sign in. It is asked before a password is hashed.

Strangers must not be able to keep an operator out, so nobody's budget is spent by somebody else: a browser that has
signed in before has one of its own, and so has every network. A flood, of whatever size and from wherever, makes the
budgets of networks smaller; it does not take them away.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from storage.base.client_key import client_key, customer_key
from storage.base.clock import Clock
from storage.sql.accounts.attempts import SignInAttempts

__all__ = ["Attempt", "SignInThrottle", "Throttled"]

_WINDOW_SECONDS = 15 * 60
_PER_KNOWN_BROWSER = 10
#: From when on attempts for one name, and attempts in all, are a flood.
_FLOOD_OF_NAME = 100
_FLOOD_IN_ALL = 300
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


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody who tries a password.

    Attributes:
        name: The name they give: any text.
        address: Where they come from.
        known_browser: What identifies the browser, if this name has signed in there before.
        is_second_factor: Whether the password was right, and a code is tried: whoever does so holds the password.
    """

    name: str
    address: str
    known_browser: str | None = None
    is_second_factor: bool = False


@dataclass(frozen=True, slots=True)
class _Budget:
    """How many attempts a subject has in a window, in quiet times and in a flood."""

    subject: str
    quiet: int
    flood: int


class SignInThrottle:
    """Counts attempts in windows of 15 minutes, for all processes together, whether a name exists or not. Blocking."""

    def __init__(self, attempts: SignInAttempts, clock: Clock) -> None:
        self._attempts = attempts
        self._clock = clock

    def check(self, attempt: Attempt) -> bool:
        """Count an attempt; return whether it is worth an entry in a log, should it fail: in a flood none is.

        Raises:
            Throttled: There were too many; it says when to come back.
        """
        now = self._clock.now()
        window_at = now - now % _WINDOW_SECONDS
        budgets = list(_budgets_of(attempt))
        name = _digest("name", attempt.name)
        # A known browser's attempts are no part of a flood.
        shared = [] if attempt.known_browser or attempt.is_second_factor else [name, _EVERYBODY]
        counts = self._attempts.note([*(budget.subject for budget in budgets), *shared], window_at)
        is_flood = bool(shared) and (counts[name] > _FLOOD_OF_NAME or counts[_EVERYBODY] > _FLOOD_IN_ALL)
        over = [counts[one.subject] - (one.flood if is_flood else one.quiet) for one in budgets]
        if max(over) > 0:
            raise Throttled(window_at + _WINDOW_SECONDS - now, is_first=max(over) == 1 and not is_flood)
        return not is_flood

    def forgive(self, attempt: Attempt) -> None:
        """Forget the attempts of an operator who has just signed in."""
        self._attempts.forget(next(_budgets_of(attempt)).subject)


def _budgets_of(attempt: Attempt) -> Iterator[_Budget]:
    """Give what an attempt is counted by; first what the right password or code gives back."""
    if attempt.is_second_factor:
        # From all networks together: a code has six digits, and somebody with many addresses could try them all.
        subject = ("code in browser", attempt.known_browser) if attempt.known_browser else ("code for", attempt.name)
        yield _Budget(_digest(*subject), _PER_KNOWN_BROWSER, _PER_KNOWN_BROWSER)
        return
    if attempt.known_browser:
        yield _Budget(_digest("browser", attempt.known_browser), _PER_KNOWN_BROWSER, _PER_KNOWN_BROWSER)
        return
    client, customer = client_key(attempt.address), customer_key(attempt.address)
    yield _Budget(_digest("name at", f"{client}|{attempt.name}"), 10, 3)
    yield _Budget(f"address:{client[:_LONGEST_ADDRESS]}", 30, 3)
    yield _Budget(f"customer:{customer[:_LONGEST_ADDRESS]}", 90, 9)


def _digest(kind: str, text: str) -> str:
    # Any text can be typed: what is stored is a digest of fixed length, and no password typed into the wrong field.
    return f"{kind}:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"
