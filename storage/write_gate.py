"""`WriteGate`: lets an exchange spend its code only while the store takes grants, and finds out when it does again."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from enum import Enum, auto

from storage.base.errors import StorageError, StoreUnavailable

__all__ = ["WriteGate"]

#: Grants that a probe makes and removes: as many as an exchange would, and as many as a busy moment would, so that a
#: disk with room for a few more grants is not taken for one with room.
_ONE_GRANT = 1
_BUSY_MOMENT = 64
#: Exchanges that pass one by one after a probe has succeeded, before all may pass.
_TRIALS = 5
#: How long others wait for the outcome of one of them, in seconds; WeChat may take longer than the store.
_TRIAL_SECONDS = 1.0
#: How long the probe that decides a doubt may take, in seconds.
_DOUBT_SECONDS = 3.0
_BETWEEN_DOUBTS_SECONDS = 1.0
#: Grants refused one after the other from which on the store is at fault, and not the grants.
_REFUSED_IN_A_ROW = 3
#: The longest pause between two probes, in seconds, where each would cost nothing but the probe.
_LONGEST_PAUSE_SECONDS = 5.0
#: How often the log counts what was refused, in seconds.
_COUNT_SECONDS = 60.0
#: How old the last evidence may be when somebody asks whether the store takes grants, in seconds.
_FRESH_SECONDS = 10.0

_logger = logging.getLogger(__name__)


class _State(Enum):
    OPEN = auto()  #: everybody passes
    DOUBT = auto()  #: everybody waits for a probe that is under way
    CLOSED = auto()  #: everybody is refused; probes go on
    TRIAL = auto()  #: a probe succeeded; exchanges pass one by one until some are stored


class WriteGate:
    """Admits exchanges. Belongs to one event loop.

    Probes cost no codes. Where a probe succeeds and the next grant is refused all the same, one code is lost, and the
    next exchange is tried after `relapse_seconds`.

    Args:
        probe: Stores so many grants and removes them, as an exchange would store one; raises what that raises.
        is_late: Whether a write has been under way for longer than writes should.
        probe_seconds: The pause before the first probe of a store that failed.
        wait_seconds: How long an exchange waits where the outcome is open, before it is refused.
        relapse_seconds: The pause where the store failed soon after it was found good.
        on_availability: Called with False when the store stops taking grants, with True when it takes them again.
    """

    def __init__(
        self,
        probe: Callable[[int], Awaitable[None]],
        is_late: Callable[[], bool],
        *,
        probe_seconds: float = 0.5,
        wait_seconds: float = 2.0,
        relapse_seconds: float = 10.0,
        on_availability: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._probe = probe
        self._is_late = is_late
        self._probe_seconds = probe_seconds
        self._wait_seconds = wait_seconds
        self._relapse_seconds = relapse_seconds
        self._on_availability = on_availability
        self._state = _State.OPEN
        self._error: Exception | None = None
        self._probing: asyncio.Task[None] | None = None
        self._changed: asyncio.Future[None] | None = None
        self._closing = False
        self._trials_left = 0
        self._next_trial_at = 0.0
        self._next_doubt_at = 0.0
        self._reopened_at = -relapse_seconds
        self._proven_at = -_FRESH_SECONDS
        self._refused_in_a_row = 0
        self._turned_away = 0

    @property
    def available(self) -> bool:
        """Whether the store takes grants, as far as is known."""
        return self._state is not _State.CLOSED

    async def enter(self) -> bool:
        """Wait until an exchange may spend its code; return what `leave` is to be told at its end.

        Raises:
            StoreUnavailable: It may not: the store takes no grants, or has not confirmed the last ones yet.
        """
        if self._state is not _State.OPEN or self._is_late():
            await self._wait_for_turn()
        is_trial = self._state is _State.TRIAL
        if is_trial:
            self._next_trial_at = time.monotonic() + _TRIAL_SECONDS
        return is_trial

    def leave(self, is_trial: bool) -> None:
        """Take note that an exchange has ended, whether its grant was stored or not."""
        if is_trial:
            self._next_trial_at = 0.0
            self.look_again()

    def stored(self) -> None:
        """Take note that grants were stored."""
        self._proven_at = time.monotonic()
        self._refused_in_a_row = 0
        if self._state is _State.TRIAL:
            self._trials_left -= 1
            if self._trials_left <= 0:
                self._state = _State.OPEN
        self.look_again()

    def refused(self, error: Exception) -> None:
        """Take note that the store refused a grant for what it holds: a probe tells whether it refuses every grant."""
        self._refused_in_a_row += 1
        if self._state is _State.TRIAL or self._refused_in_a_row >= _REFUSED_IN_A_ROW:
            self.failed(error)
        else:
            self.doubt(error)

    def failed(self, error: Exception) -> None:
        """Take note that the store failed: exchanges are refused until it takes grants again."""
        if self._state is _State.CLOSED or self._closing:
            return
        found_good_lately = time.monotonic() - self._reopened_at < self._relapse_seconds
        is_relapse = self._state is _State.TRIAL or found_good_lately
        self._shut(error)
        if self._probing is not None:
            self._probing.cancel()
        pause = self._relapse_seconds if is_relapse else self._probe_seconds
        self._probing = asyncio.ensure_future(self._probe_until_good(pause))

    def doubt(self, error: Exception) -> None:
        """Take note of a failure that may have other reasons than the store: a probe decides, meanwhile all wait.

        One doubt a second is looked into: what fails all the time for a reason of its own must not hold up exchanges.
        """
        is_open = self._state in {_State.OPEN, _State.TRIAL}
        if is_open and not self._closing and time.monotonic() >= self._next_doubt_at:
            self._probing = asyncio.ensure_future(self._probe_at_once(error, self._state))
            self._state = _State.DOUBT

    def look_again(self) -> None:
        """Have those who wait look whether they may pass."""
        if self._changed is not None:
            self._changed.set_result(None)
            self._changed = None

    async def check(self) -> None:
        """Make sure that the store takes grants now. Answers from what is known, or makes and removes a grant.

        Raises:
            StoreUnavailable: It does not, or has not confirmed its last writes yet.
        """
        if self._state is _State.CLOSED or self._is_late():
            raise self._refusal()
        if time.monotonic() - self._proven_at >= _FRESH_SECONDS:
            self.doubt(StoreUnavailable("nothing was stored lately"))
        if self._state is _State.DOUBT and self._probing is not None:
            await asyncio.wait((self._probing,))
            if not self.available:
                raise self._refusal()

    async def close(self) -> None:
        """End the probing."""
        self._closing = True
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.wait((self._probing,))

    async def _wait_for_turn(self) -> None:
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._wait_seconds
        while not self._may_pass():
            remaining = ends_at - loop.time()
            if self._state is _State.CLOSED or remaining <= 0:
                self._turned_away += 1
                raise self._refusal()
            if self._changed is None:
                self._changed = loop.create_future()
            await asyncio.wait((self._changed,), timeout=remaining)

    def _may_pass(self) -> bool:
        if self._is_late():
            return False
        return self._state is _State.OPEN or (self._state is _State.TRIAL and time.monotonic() >= self._next_trial_at)

    def _refusal(self) -> StoreUnavailable:
        if self._state is _State.CLOSED:
            return StoreUnavailable(f"the store takes no authorizations: {_words_of(self._error)}")
        return StoreUnavailable("the store has not confirmed its last writes yet")

    def _shut(self, error: Exception) -> None:
        self._state = _State.CLOSED
        self._error = error
        self._turned_away = 0
        _logger.error("the store is down; exchanges are refused until it is back: %s", _words_of(error))
        self._on_availability(False)
        self.look_again()

    async def _probe_at_once(self, doubtful: Exception, before: _State) -> None:
        """Decide a doubt by one probe: all is as before, or the store is down."""
        try:
            async with asyncio.timeout(_DOUBT_SECONDS):
                await self._probe(_ONE_GRANT)
        except Exception as error:  # noqa: BLE001 - whatever it raises, the store takes no grant
            _logger.debug("in doubt since: %s", _words_of(doubtful))
            self._probing = None
            self.failed(error)
        else:
            self._proven_at = time.monotonic()
            self._next_doubt_at = self._proven_at + _BETWEEN_DOUBTS_SECONDS
            self._state = before
            self._probing = None
            self.look_again()

    async def _probe_until_good(self, pause: float) -> None:
        """Probe a store that failed until it takes grants; count in the log, now and then, what was refused."""
        began_at = counted_at = time.monotonic()
        while True:
            await asyncio.sleep(pause)
            try:
                await self._probe(_BUSY_MOMENT)
            except Exception as error:  # noqa: BLE001 - whatever it raises, the store is not back and is asked again
                self._error = error
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            else:
                break
            if time.monotonic() - counted_at >= _COUNT_SECONDS:
                counted_at = time.monotonic()
                refused, reason = self._turned_away, _words_of(self._error)
                _logger.error("the store is still down, %d exchanges refused so far: %s", refused, reason)
        self._probing = None
        self._state = _State.TRIAL
        self._trials_left = _TRIALS
        self._next_trial_at = 0.0
        self._refused_in_a_row = 0
        self._proven_at = self._reopened_at = time.monotonic()
        self._on_availability(True)
        _logger.warning(
            "the store is back after %.0f s, %d exchanges refused meanwhile",
            self._reopened_at - began_at,
            self._turned_away,
        )
        self.look_again()


def _words_of(error: Exception | None) -> str:
    """Return the error's text if it is one of storage's own, which hold no values."""
    return str(error) if isinstance(error, StorageError) else type(error).__name__
