"""`PageError`, by which a request is refused with a page that says why; and what pages say of other failures."""

from http import HTTPStatus
from typing import NamedTuple

from tornado.web import HTTPError

from admin.web.i18n import N_
from storage.base.errors import InvalidRecord, StoreTooSlow, StoreUnavailable, UnsupportedSearch

__all__ = ["Failure", "PageError", "describe_error"]


_NO_ANSWER = N_("The database does not answer")


class PageError(HTTPError):
    """A request that is refused.

    Attributes:
        text: What the page says: English, marked for translation.
    """

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(status)
        self.text = text


class Failure(NamedTuple):
    """What the page says that answers a request that failed.

    Attributes:
        text: Marked for translation.
        is_outage: Whether the same request is served once the database answers again.
    """

    status: int
    text: str
    is_outage: bool = False


def describe_error(error: BaseException | None, status: int, *, holds_tokens: bool) -> Failure:
    """Return what to say of a request that failed.

    Args:
        error: What was raised, if anything was.
        status: The status that Tornado proposes.
        holds_tokens: Whether nobody can log in while the database does not answer.
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
            text = N_("The database does not answer: nobody can log in") if holds_tokens else _NO_ANSWER
            return Failure(HTTPStatus.SERVICE_UNAVAILABLE, text, is_outage=True)
        case HTTPError() if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            text = N_("This request cannot be served.")
    return Failure(status, text)
