"""Short addresses of lists: a form sends its empty fields too, but an address that is passed on needs none of them."""

from http import HTTPStatus
from urllib.parse import parse_qsl

from admin.web.handler import AdminHandler
from admin.web.links import link

__all__ = ["redirect_to_short_address"]


def redirect_to_short_address(handler: AdminHandler) -> bool:
    """Send the browser on to the same list by what means something in its address; False where all of it does."""
    request = handler.request
    given = parse_qsl(request.query, keep_blank_values=True)
    if all(value for _, value in given):
        return False
    handler.redirect(link(request.path, *given), status=HTTPStatus.SEE_OTHER)
    return True
