"""`PrivateCookies`: the dashboard's cookies, which no script can read and no other site's form carries."""

from typing import Any

from tornado.web import RequestHandler

__all__ = ["KNOWN_BROWSER", "LANGUAGE", "NOTICE", "SESSION", "VISITOR", "PrivateCookies"]

SESSION = "session"
#: A secret of a browser that is not signed in: the token of the sign-in form is made from it.
VISITOR = "visitor"
NOTICE = "notice"
#: That somebody has signed in here before; it outlives the session.
KNOWN_BROWSER = "known_browser"
LANGUAGE = "language"

_PREFIX = "wechat_openid_"


class PrivateCookies:
    """Reads and sets the cookies of one request.

    Args:
        handler: The request's handler.
        is_https: Whether the browser speaks https. Its cookies are then `Secure`, and their names begin with
            `__Host-`: no other host, and no page of plain http, can set such a cookie.
    """

    def __init__(self, handler: RequestHandler, *, is_https: bool) -> None:
        self._handler = handler
        self._prefix = ("__Host-" if is_https else "") + _PREFIX
        # Lax, not Strict: whoever follows a link to a page of the dashboard in a chat must arrive signed in, and no
        # link changes anything.
        self._options: dict[str, Any] = {"path": "/", "httponly": True, "secure": is_https, "samesite": "Lax"}

    def get(self, name: str) -> str | None:
        """Return a cookie's value as the browser sends it: any text at all."""
        return self._handler.get_cookie(self._prefix + name)

    def set(self, name: str, value: str, expires_days: int | None = None) -> None:
        """Set a cookie; without `expires_days` the browser forgets it when it is closed."""
        self._handler.set_cookie(self._prefix + name, value, expires_days=expires_days, **self._options)

    def clear(self, name: str) -> None:
        """Delete a cookie."""
        self._handler.clear_cookie(self._prefix + name, **self._options)
