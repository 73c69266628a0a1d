"""The headers by which every answer of the dashboard is protected: pages, redirects, errors and static files."""

from tornado.web import RequestHandler

from admin.web.avatars import AVATAR_HOSTS

__all__ = ["set_protective_headers"]

_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    f"img-src 'self' {' '.join(AVATAR_HOSTS)}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def set_protective_headers(handler: RequestHandler) -> None:
    """Forbid foreign code, framing and caching of an answer."""
    handler.set_header("Content-Security-Policy", _CONTENT_SECURITY_POLICY)
    handler.set_header("Cache-Control", "no-store")
    handler.set_header("X-Content-Type-Options", "nosniff")
    # Not "no-referrer": browsers would then send `Origin: null` with our own forms.
    handler.set_header("Referrer-Policy", "same-origin")
    handler.set_header("Cross-Origin-Opener-Policy", "same-origin")
    handler.set_header("Cross-Origin-Resource-Policy", "same-origin")
