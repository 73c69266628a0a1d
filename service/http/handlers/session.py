"""`/session`: whose browser this is, for pages that did not keep it, and the way to sign out."""

from http import HTTPStatus

from service.http.handlers.base import Route
from service.http.handlers.page import PageHandler, PageServices

__all__ = ["routes"]


class SessionHandler(PageHandler):
    """The session of the browser that asks, and no other."""

    def get(self) -> None:
        """Say who it is."""
        appid, openid = self.require_user()
        self.write_json({"appid": appid, "openid": openid})

    def delete(self) -> None:
        """Sign out. What is stored about the user stays."""
        self.end_session()
        self.set_status(HTTPStatus.NO_CONTENT)
        self.clear_header("Content-Type")


def routes(services: PageServices) -> list[Route]:
    """Return the session's route."""
    return [(r"/session", SessionHandler, {"services": services})]
