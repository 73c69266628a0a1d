"""The dashboard's front door, and what is answered where there is no page."""

from http import HTTPStatus

from admin.web.handler import AdminHandler, AdminRoute, Refused
from admin.web.navigation import NAVIGATION
from storage.sql.accounts.operators import Role

__all__ = ["not_found_routes", "routes"]


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
        raise Refused(HTTPStatus.NOT_FOUND, "There is no such page.")


routes: list[AdminRoute] = [(r"/admin/", HomeHandler)]
not_found_routes: list[AdminRoute] = [(r"/admin/.*", NotFoundHandler)]
