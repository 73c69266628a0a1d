"""The entry to the dashboard, and the answer where there is no page."""

from http import HTTPStatus

from tornado.web import RedirectHandler

from admin.web.errors import PageError
from admin.web.handler import AdminHandler, AdminRoute
from admin.web.headers import set_protective_headers
from admin.web.i18n import N_
from admin.web.navigation import NAVIGATION
from storage.sql.accounts.operators import Role

__all__ = ["FrontDoorHandler", "not_found_routes", "routes"]


class FrontDoorHandler(RedirectHandler):
    """`/` and `/admin`: lead to the dashboard's address."""

    def set_default_headers(self) -> None:
        """Protect the redirect as every page is."""
        set_protective_headers(self)


class HomeHandler(AdminHandler):
    """`GET /admin/`: sends on to the first page of the navigation that is allowed."""

    requires = Role.VIEWER

    def get(self) -> None:
        """Go on."""
        allowed = (item.path for item in NAVIGATION if self.may(item.requires))
        self.redirect(next(allowed, "/admin/me"), status=HTTPStatus.SEE_OTHER)


class NotFoundHandler(AdminHandler):
    """Answers what no page takes."""

    requires = Role.VIEWER

    def get(self) -> None:
        """Refuse."""
        raise PageError(HTTPStatus.NOT_FOUND, N_("There is no such page."))


routes: list[AdminRoute] = [(r"/admin/", HomeHandler)]
not_found_routes: list[AdminRoute] = [(r"/admin/.*", NotFoundHandler)]
