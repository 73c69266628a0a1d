"""The control API, `/simulator/…`: moves the clock, issues codes, makes calls fail, tells what happened.

It is open to whoever reaches the port.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from http import HTTPStatus
from types import NoneType
from typing import Any

from tornado.web import HTTPError

from service.simulator.control.json_body import read_json_object
from service.simulator.faults import Endpoint, Fault
from service.simulator.handler import SimulatorHandler
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


class BadRequest(HTTPError):
    """The request cannot be done; `detail` says why, to the caller."""

    def __init__(self, detail: str) -> None:
        super().__init__(400)
        self.detail = detail


class ControlHandler(SimulatorHandler):
    """What the calls have in common: JSON in and out, and no other site's page may make them."""

    def prepare(self) -> None:
        """Refuse what a page of another site sends: browsers let it send, though not read."""
        origin = self.request.headers.get("Origin")
        if origin is not None and origin != f"{self.request.protocol}://{self.request.host}":
            raise HTTPError(HTTPStatus.FORBIDDEN)

    def read(self, fields: Mapping[str, Collection[type]]) -> dict[str, Any]:
        """Return the members of the body, or refuse it."""
        try:
            return read_json_object(self.request.body, fields)
        except ValueError as error:
            raise BadRequest(str(error)) from None

    def answer(self, reply: object) -> None:
        """Send a reply."""
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(json.dumps(reply, ensure_ascii=False) + "\n")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Say in JSON what was wrong."""
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else None
        self.answer({"error": error.detail if isinstance(error, BadRequest) else HTTPStatus(status_code).phrase})


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
    (r"/simulator/faults", FaultsHandler),
    (r"/simulator/calls", CallsHandler),
    (r"/simulator/issued", IssuedHandler),
    (r"/simulator/quirks", QuirksHandler),
    (r"/simulator/reset", ResetHandler),
]
