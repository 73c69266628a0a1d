"""What all handlers of the service share: JSON replies, and errors."""

import json
import logging
from http import HTTPStatus
from types import TracebackType
from typing import Any

from tornado.web import HTTPError, RequestHandler

from service.http.errors import ApiError, api_error_for

__all__ = ["JsonHandler", "NotFoundHandler", "Route"]

#: A row of a handler module's route table: the pattern, the handler, and what it is initialized with.
Route = tuple[str, type[RequestHandler], dict[str, Any]]

_logger = logging.getLogger(__name__)


class JsonHandler(RequestHandler):
    """Answers in JSON. An exception that a method lets out becomes the error reply that fits it."""

    #: How a client is to say who it is, where it must.
    challenge = "Bearer"

    def set_default_headers(self) -> None:
        """Keep answers out of caches: each is about one user at one moment."""
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")

    def prepare(self) -> None:
        """Note that the request is under way, for a server that waits for it before it stops."""
        self.settings["in_flight"].enter(self)

    def on_finish(self) -> None:
        """Note that the request is answered."""
        self.settings["in_flight"].leave(self)

    def compute_etag(self) -> str | None:
        """Return nothing: an answer that is not stored needs no tag."""
        return None

    @property
    def request_id(self) -> str:
        """The id of this request, in the error reply and in its log line."""
        if not hasattr(self, "_request_id"):
            self._request_id: str = self.settings["request_ids"].of(self.request)
        return self._request_id

    def write_json(self, content: dict[str, Any]) -> None:
        """Write a reply."""
        self.write(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode())

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Write the error reply that fits an exception."""
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else None
        error = api_error_for(error) if error is not None else None
        if error is None:
            kind = "internal" if status_code >= HTTPStatus.INTERNAL_SERVER_ERROR else "request"
            error = ApiError(status_code, kind, self._reason)
        self.refuse(error)

    def refuse(self, error: ApiError) -> None:
        """Answer with an error, keep the headers that are set, and end the request.

        An exception does the same from anywhere, and drops the headers.
        """
        self.set_status(error.status)
        if error.status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", self.allowed_methods())
        self.set_header("X-Request-Id", self.request_id)
        if error.retry_after is not None:
            self.set_header("Retry-After", str(error.retry_after))
        if error.status == HTTPStatus.UNAUTHORIZED:
            self.set_header("WWW-Authenticate", self.challenge)
        self.write_refusal(error)
        self.finish()

    def allowed_methods(self) -> str:
        """Return the methods that this address knows, as the header Allow lists them."""
        unknown = RequestHandler._unimplemented_method  # noqa: SLF001 - what Tornado itself answers 405 by
        return ", ".join(name for name in self.SUPPORTED_METHODS if getattr(type(self), name.lower()) is not unknown)

    def write_refusal(self, error: ApiError) -> None:
        """Write the body of a refusal. Its status and headers are set."""
        self.write_json(self.error_content(error))

    def error_content(self, error: ApiError) -> dict[str, Any]:
        """Return an error as JSON."""
        content: dict[str, Any] = {"error": error.kind, "errmsg": error.errmsg, "request_id": self.request_id}
        if error.errcode is not None:
            content["errcode"] = error.errcode
        return content

    def log_exception(
        self, typ: "type[BaseException] | None", value: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Log what needs attention, by path and request id: a query may hold a code."""
        place = f"{self.request.method} {self.request.path} [{self.request_id}]"
        error = api_error_for(value) if value is not None else None
        if error is None and not isinstance(value, HTTPError):
            _logger.error("unforeseen failure in %s", place, exc_info=(typ, value, tb) if typ and value else None)
        elif error is not None and error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _logger.warning("%s answered %d: %s", place, error.status, value, extra={"kind": error.kind})
        else:
            _logger.debug("%s refused: %s", place, value)


class NotFoundHandler(JsonHandler):
    """Answers every path that no route takes."""

    def prepare(self) -> None:
        """Refuse."""
        super().prepare()
        raise ApiError(404, "not_found", "there is nothing at this address")
