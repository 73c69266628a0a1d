"""The control API, `/simulator/…`: moves the clock, issues codes, makes calls fail, tells what happened.

It is open to whoever reaches the port.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from types import NoneType
from typing import Any

from service.simulator.control.account_tokens import ForcedTokensHandler, IpListHandler
from service.simulator.control.base import BadRequest, ControlHandler
from service.simulator.control.events import EventsHandler
from service.simulator.faults import Endpoint, Fault
from service.simulator.people import Person, openid_of, unionid_of
from service.simulator.replies import Quirks

__all__ = ["MAX_ADVANCE_SECONDS", "MAX_CODES_AT_ONCE", "control_handlers"]

MAX_ADVANCE_SECONDS = 10 * 366 * 86400
MAX_CODES_AT_ONCE = 100_000

_FAULT_FIELDS: Mapping[str, Collection[type]] = {
    "endpoint": (str, NoneType),
    "errcode": (int, NoneType),
    "errmsg": (str, NoneType),
    "breakage": (str, NoneType),
    "latency_seconds": (int, float),
    "times": (int, NoneType),
    "performed": (bool,),
}


class ClockHandler(ControlHandler):
    """The simulated time."""

    def get(self) -> None:
        """Tell the time."""
        self.answer({"now": self.wechat.now(), "offset_seconds": self.wechat.offset_seconds})

    def post(self) -> None:
        """Move it forward."""
        seconds = self.read({"advance_seconds": (int,)}).get("advance_seconds")
        if seconds is None or not 0 <= seconds <= MAX_ADVANCE_SECONDS - self.wechat.offset_seconds:
            raise BadRequest(f"advance_seconds: expected 0 or more, at most {MAX_ADVANCE_SECONDS} in all")
        self.wechat.advance(seconds)
        self.get()


class PeopleHandler(ControlHandler):
    """Who takes part."""

    def get(self) -> None:
        """List people with their identifiers."""
        self.answer({"people": [self._describe(person) for person in self.wechat.people.values()]})

    def post(self) -> None:
        """Add somebody."""
        fields = self.read({"id": (str,), "nickname": (str,), "headimgurl": (str, NoneType)})
        if "id" not in fields or "nickname" not in fields:
            raise BadRequest("id: needed, and nickname")
        try:
            person = Person(**fields)
            self.wechat.add_person(person)
        except ValueError as error:
            raise BadRequest(str(error)) from None
        self.answer(self._describe(person))

    def _describe(self, person: Person) -> dict[str, object]:
        return {
            "id": person.id,
            "nickname": person.nickname,
            "headimgurl": person.picture,
            "unionid": unionid_of(person),
            "openids": {appid: openid_of(person, appid) for appid in self.wechat.accounts},
        }


class CodesHandler(ControlHandler):
    """Codes without the authorize page."""

    def post(self) -> None:
        """Issue one code; or, with `count`, as many, each for a person newly invented."""
        fields = self.read(
            {
                "person": (str, NoneType),
                "appid": (str, NoneType),
                "scope": (str,),
                "snapshot": (bool,),
                "count": (int, NoneType),
            }
        )
        count = fields.pop("count", None)
        try:
            if count is None:
                self.answer({"code": self.wechat.issue_code(**fields)})
            else:
                self.answer({"codes": self._issue_codes(count, **fields)})
        except ValueError as error:
            raise BadRequest(str(error)) from None

    def _issue_codes(self, count: int, *, person: str | None = None, **fields: Any) -> list[str]:
        if person is not None:
            raise ValueError("count: invents people; leave person out")
        if not 1 <= count <= MAX_CODES_AT_ONCE:
            raise ValueError(f"count: expected 1 to {MAX_CODES_AT_ONCE}")
        return [self.wechat.issue_code(self.wechat.invent_person().id, **fields) for _ in range(count)]


class FaultsHandler(ControlHandler):
    """What goes wrong on purpose."""

    def get(self) -> None:
        """List the faults in force."""
        pending = self.wechat.faults.pending()
        self.answer({"faults": [asdict(fault) | {"remaining": remaining} for fault, remaining in pending]})

    def post(self) -> None:
        """Add one."""
        fields = self.read(_FAULT_FIELDS)
        try:
            self.wechat.faults.add(Fault(**fields))
        except ValueError as error:
            raise BadRequest(str(error)) from None
        self.get()

    def delete(self) -> None:
        """End those of the endpoint named in the query, or all."""
        endpoint = self.get_query_argument("endpoint", None)
        if endpoint is not None and endpoint not in set(Endpoint):
            raise BadRequest(f"endpoint: expected one of {', '.join(Endpoint)}")
        self.wechat.faults.clear(endpoint)
        self.get()


class CallsHandler(ControlHandler):
    """How often what was called, and with what outcome."""

    def get(self) -> None:
        """Tell the counts."""
        outcomes = self.wechat.outcomes
        self.answer(
            {
                endpoint: {"calls": calls, "outcomes": dict(outcomes.get(endpoint, {}))}
                for endpoint, calls in self.wechat.calls.items()
            }
        )

    def delete(self) -> None:
        """Count from zero again."""
        self.wechat.reset_counts()
        self.get()


class IssuedHandler(ControlHandler):
    """What exchanges gave, without the tokens."""

    def get(self) -> None:
        """List it, the oldest first."""
        self.answer({"issued": [asdict(grant) for grant in self.wechat.grants()]})


class QuirksHandler(ControlHandler):
    """Variations in the form of replies."""

    def get(self) -> None:
        """Tell which are on."""
        self.answer(asdict(self.wechat.quirks))

    def post(self) -> None:
        """Turn the named ones on or off."""
        fields = self.read(dict.fromkeys(asdict(Quirks()), (bool,)))
        self.wechat.quirks = replace(self.wechat.quirks, **fields)
        self.get()


class ResetHandler(ControlHandler):
    """Back to the beginning."""

    def post(self) -> None:
        """Forget people, codes, tokens, faults, counts, quirks and the clock's lead."""
        self.wechat.reset()
        self.answer({"now": self.wechat.now()})


control_handlers: list[tuple[str, type[ControlHandler]]] = [
    (r"/simulator/clock", ClockHandler),
    (r"/simulator/people", PeopleHandler),
    (r"/simulator/codes", CodesHandler),
    (r"/simulator/events", EventsHandler),
    (r"/simulator/faults", FaultsHandler),
    (r"/simulator/calls", CallsHandler),
    (r"/simulator/issued", IssuedHandler),
    (r"/simulator/ip-list", IpListHandler),
    (r"/simulator/forced-tokens", ForcedTokensHandler),
    (r"/simulator/quirks", QuirksHandler),
    (r"/simulator/reset", ResetHandler),
]
