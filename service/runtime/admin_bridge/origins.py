"""`BrowserOrigins`: where the dashboard's requests come from, behind trusted proxies."""

from collections.abc import Callable

from tornado.httputil import HTTPServerRequest

from service.http.origins import parse_origin

__all__ = ["BrowserOrigins"]

#: An origin that no browser sends with a form: where ours cannot be told, no change is let through.
_NO_ORIGIN = "http://0.invalid"


class BrowserOrigins:
    """The dashboard's `RequestOrigins`.

    Args:
        client_address: Returns the address that a request comes from.
        own_address: Returns the address by which a request's browser knows the dashboard.
    """

    def __init__(
        self,
        client_address: Callable[[HTTPServerRequest], str],
        own_address: Callable[[HTTPServerRequest], str],
    ) -> None:
        self._client_address = client_address
        self._own_address = own_address

    def client_address(self, request: HTTPServerRequest) -> str:
        """Return the client's address."""
        return self._client_address(request)

    def own_origin(self, request: HTTPServerRequest) -> str:
        """Return the scheme, host and port by which the browser knows the dashboard."""
        try:
            return parse_origin(self._own_address(request))
        except ValueError:
            return _NO_ORIGIN
