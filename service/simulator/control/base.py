"""What all calls of the control API share."""

import json
from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Any

from tornado.web import HTTPError

from service.simulator.control.json_body import read_json_object
from service.simulator.handler import SimulatorHandler

__all__ = ["BadRequest", "ControlHandler"]


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
