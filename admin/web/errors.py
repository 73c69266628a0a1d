"""`PageError`, by which a request is refused with a page that says why; and what pages say of other failures."""

from http import HTTPStatus

from tornado.web import HTTPError

from admin.web.i18n import N_
from storage.base.errors import InvalidRecord, StoreTooSlow, StoreUnavailable, UnsupportedSearch

__all__ = ["PageError", "describe_error"]


class PageError(HTTPError):
    """A request that is refused.

    Attributes:
        text: What the page says: English, marked for translation.
    """

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(status)
        self.text = text


def describe_error(error: BaseException | None, status: int) -> tuple[int, str]:
    """Return the status and the text, marked for translation, of the page that answers a request that failed.

    Args:
        error: What was raised, if anything was.
        status: The status that Tornado proposes.
    """
    text = N_("Something went wrong. The log has more, under the id below.")
    match error:
        case PageError():
            text = error.text
        case InvalidRecord():
            status, text = HTTPStatus.BAD_REQUEST, N_("The address or the form holds a value that is not valid.")
        case UnsupportedSearch():
            status, text = HTTPStatus.BAD_REQUEST, N_("The token store in use cannot filter or sort by this.")
        case StoreTooSlow():
            status, text = HTTPStatus.SERVICE_UNAVAILABLE, N_("This takes too long. Narrow the filters.")
        case StoreUnavailable():
            status = HTTPStatus.SERVICE_UNAVAILABLE
            text = N_("The database is not responding. Try again in a moment.")
        case HTTPError() if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            text = N_("This request cannot be served.")
    return status, text
