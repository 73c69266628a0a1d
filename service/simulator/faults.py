"""What goes wrong on purpose: which calls, how, and how often."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["MAX_LATENCY_SECONDS", "Breakage", "Disturbance", "Endpoint", "Fault", "Faults"]

MAX_LATENCY_SECONDS = 3600


class Endpoint(StrEnum):
    """The calls of the API."""

    ACCESS_TOKEN = "access_token"  # noqa: S105 - the name of a call
    REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the name of a call
    USERINFO = "userinfo"
    AUTH = "auth"
    STABLE_TOKEN = "stable_token"  # noqa: S105 - the name of a call
    TOKEN = "token"  # noqa: S105 - the name of a call
    GETTICKET = "getticket"


class Breakage(StrEnum):
    """Ways for a reply to be no reply."""

    DROP = "drop"  #: the connection is closed before any byte of a reply
    HALF = "half"  #: the connection is closed after half the body
    HANG = "hang"  #: nothing comes until the caller gives up
    HTML = "html"  #: HTTP 200 with a page of HTML
    HTTP_500 = "http_500"  #: HTTP 500 with a page of HTML
    TRUNCATED = "truncated"  #: HTTP 200 with the first half of the JSON
    HUGE = "huge"  #: HTTP 200 with the JSON padded to 10 MB


#: Breakages made from the real reply: the call has taken effect.
_OF_THE_REPLY = frozenset({Breakage.HALF, Breakage.TRUNCATED, Breakage.HUGE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that goes wrong with calls.

    Attributes:
        endpoint: The call it concerns, by the values of `Endpoint`; None for all of them.
        errcode: The error answered.
        errmsg: Its text; None for WeChat's own words.
        breakage: The way to break the reply, in place of an errcode; by the values of `Breakage`.
        latency_seconds: How long the call waits first. A fault may be nothing but slow.
        times: How many calls it befalls; None until it is cleared.
        performed: Whether the call takes effect before it goes wrong (a code is used up, a token is made). It always
            does where the breakage is of the reply itself: `half`, `truncated`, `huge`; and where nothing but
            latency is asked for.

    Raises:
        ValueError: The combination makes no sense; the text begins with the attribute.
    """

    endpoint: str | None = None
    errcode: int | None = None
    errmsg: str | None = None
    breakage: str | None = None
    latency_seconds: float = 0
    times: int | None = 1
    performed: bool = False

    def __post_init__(self) -> None:
        if self.endpoint is not None and self.endpoint not in set(Endpoint):
            raise ValueError(f"endpoint: expected one of {', '.join(Endpoint)}")
        if self.breakage is not None and self.breakage not in set(Breakage):
            raise ValueError(f"breakage: expected one of {', '.join(Breakage)}")
        if self.errcode is not None and self.breakage is not None:
            raise ValueError("errcode: cannot be answered together with a breakage; add two faults")
        if self.errcode == 0:
            raise ValueError("errcode: 0 means success")
        if self.errmsg is not None and self.errcode is None:
            raise ValueError("errmsg: needs an errcode")
        if not 0 <= self.latency_seconds <= MAX_LATENCY_SECONDS:
            raise ValueError(f"latency_seconds: expected 0 to {MAX_LATENCY_SECONDS}")
        if self.times is not None and self.times < 1:
            raise ValueError("times: expected at least 1, or null until cleared")
        if not self.spoils and not self.latency_seconds:
            raise ValueError("errcode: a fault needs an errcode, a breakage or latency_seconds")

    @property
    def spoils(self) -> bool:
        """Whether the call gets something other than its own reply."""
        return self.errcode is not None or self.breakage is not None

    @property
    def takes_effect(self) -> bool:
        """Whether the call is performed all the same."""
        return self.performed or not self.spoils or self.breakage in _OF_THE_REPLY

    @property
    def outcome(self) -> str:
        """What the call is counted as."""
        return self.breakage if self.breakage is not None else str(self.errcode)


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What befalls one call: how long it waits, and what spoils it, if anything does."""

    latency_seconds: float
    fault: Fault | None


@dataclass(slots=True)
class _Pending:
    """A fault and the number of calls it still befalls; None until it is cleared."""

    fault: Fault
    remaining: int | None


class Faults:
    """The faults in force, in the order they were added.

    A call meets every fault that is nothing but slow, and of the others the first that concerns it.
    """

    def __init__(self) -> None:
        self._pending: list[_Pending] = []

    def add(self, fault: Fault) -> None:
        """Put a fault in force, behind those that are."""
        self._pending.append(_Pending(fault, fault.times))

    def clear(self, endpoint: str | None = None) -> None:
        """End the faults of one endpoint, or all. Calls that hang already go on hanging."""
        self._pending = [item for item in self._pending if endpoint not in (None, item.fault.endpoint)]

    def pending(self) -> list[tuple[Fault, int | None]]:
        """Return the faults in force, each with the number of calls it still befalls."""
        return [(item.fault, item.remaining) for item in self._pending]

    def take(self, endpoint: str) -> Disturbance | None:
        """Return what befalls the next call of an endpoint, and count it as befallen; None for nothing."""
        if not self._pending:
            return None
        latency_seconds = 0.0
        spoiler = None
        for item in self._pending:
            if item.fault.endpoint not in (None, endpoint) or (item.fault.spoils and spoiler is not None):
                continue
            latency_seconds += item.fault.latency_seconds
            if item.fault.spoils:
                spoiler = item.fault
            if item.remaining is not None:
                item.remaining -= 1
        self._pending = [item for item in self._pending if item.remaining != 0]
        return Disturbance(latency_seconds, spoiler)
