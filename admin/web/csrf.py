"""What a change must prove: that a page of ours asks for it, with a form that was made for the same session.

These take the place of Tornado's own check: its token is a cookie that anybody who can set cookies for the host can
choose, while this one is derived from a secret of the session.
"""

import hashlib
import hmac
from http import HTTPStatus
from urllib.parse import urlsplit

from tornado.httputil import HTTPServerRequest

from admin.web.errors import PageError
from admin.web.i18n import N_

__all__ = ["check_form_token", "check_origin", "form_token"]


def form_token(secret: str) -> str:
    """Return the token of the forms for a session's or visitor's secret, which cannot be told from it."""
    return hashlib.sha256(b"form|" + secret.encode("utf-8", "surrogatepass")).hexdigest()


def check_form_token(secret: str | None, given: str) -> None:
    """Refuse a change whose form was not made for this session.

    Raises:
        PageError: The session's secret or the token is missing, or the token is another's.
    """
    if not secret or not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), form_token(secret).encode()):
        raise PageError(HTTPStatus.FORBIDDEN, N_("This form has expired. Go back, reload the page and try again."))


def check_origin(request: HTTPServerRequest, own_origin: str) -> None:
    """Refuse a change that a page of another origin asks for. Every browser names the origin of a form.

    Raises:
        PageError: The request names another origin, or none.
    """
    origin = request.headers.get("Origin")
    if origin is None:
        parts = _split(request.headers.get("Referer", ""))
        origin = f"{parts[0]}://{parts[1]}"
    if origin != own_origin:
        raise PageError(HTTPStatus.FORBIDDEN, N_("This request came from another site."))


def _split(address: str) -> tuple[str, str]:
    try:
        parts = urlsplit(address)
    except ValueError:  # such as an unclosed bracket
        return "", ""
    return parts.scheme, parts.netloc
