"""The application of the private listener: requests that `PrivateSide` refuses reach none of its routes."""

from typing import TYPE_CHECKING, Any

from tornado.httputil import HTTPServerRequest
from tornado.web import Application

from admin.web.headers import set_protective_headers
from service.http.errors import ApiError
from service.http.handlers.base import JsonHandler
from service.http.private_side import PrivateSide

if TYPE_CHECKING:
    from tornado.web import _HandlerDelegate

__all__ = ["PrivateApplication"]


class RefusingHandler(JsonHandler):
    """Answers refused requests."""

    def initialize(self, refusal: ApiError) -> None:
        """Take the reason."""
        self._refusal = refusal

    def set_default_headers(self) -> None:
        """Protect the refusal as everything on this side is."""
        super().set_default_headers()
        set_protective_headers(self)

    def prepare(self) -> None:
        """Refuse, whatever the method."""
        super().prepare()
        raise self._refusal


class PrivateApplication(Application):
    """An application whose routes are reached only by requests that the private side answers.

    Args:
        side: Decides which.
    """

    def __init__(self, *args: Any, side: PrivateSide, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._side = side

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> "_HandlerDelegate":
        """Return the handler of a request."""
        refusal = self._side.refusal_of(request)
        if refusal is not None:
            return self.get_handler_delegate(request, RefusingHandler, {"refusal": refusal})
        return super().find_handler(request, **kwargs)
