"""`/session`: the user of the browser's session, for pages that did not keep the openid; and signing out."""

from http import HTTPStatus

from service.authorization.sessions import Session
from service.http.handlers.base import Route
from service.http.handlers.page import PageHandler, PageServices

__all__ = ["routes"]


class SessionHandler(PageHandler):
    """The session of the browser that asks, and no other."""

    async def get(self) -> None:
        """Answer with the session's user."""
        appid, openid = await self.require_user()
        self.write_json({"appid": appid, "openid": openid})

    def post(self) -> None:
        """Give the browser a cookie, if it has none yet: a code that it posts is then its own, to post again."""
        sessions = self.services.sessions
        if sessions.verify(self.get_cookie(sessions.cookie_name)) is None:
            self.set_session(Session.new())
        self._answer_nothing()

    async def delete(self) -> None:
        """Sign out, here and wherever else a cookie of this user is. What is stored about the user stays."""
        user = await self.signed_in_user()
        if user is not None:
            await self.services.visitor_sessions.sign_out(*user)
        self.clear_header("Set-Cookie")
        self.end_session()
        self._answer_nothing()

    def _answer_nothing(self) -> None:
        self.set_status(HTTPStatus.NO_CONTENT)
        self.clear_header("Content-Type")


def routes(services: PageServices) -> list[Route]:
    """Return the session's route."""
    return [(r"/session", SessionHandler, {"services": services})]
