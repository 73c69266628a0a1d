"""The dashboard's addresses: every module's own table, one after the other."""

from pathlib import Path
from typing import Any

from tornado.web import RedirectHandler, RequestHandler

from admin import accounts, api_keys, audit, home, jobs, operators, overview, own_account, sign_in, user, users
from admin.assets import AssetHandler, asset_addresses
from admin.base import AdminHandler
from admin.languages import load_languages
from admin.services import AdminServices

__all__ = ["make_admin_routes"]

_STATIC = Path(__file__).parent / "static"

#: What the pages are, in the order of the navigation.
_PAGES: list[tuple[str, type[AdminHandler]]] = [
    *home.routes,
    *sign_in.routes,
    *own_account.routes,
    *overview.routes,
    *users.routes,
    *user.routes,
    *jobs.routes,
    *accounts.routes,
    *audit.routes,
    *operators.routes,
    *api_keys.routes,
    # Last: what no page above has taken.
    *home.not_found_routes,
]


def make_admin_routes(services: AdminServices) -> list[tuple[str, type[RequestHandler], dict[str, Any]]]:
    """Return the routes under `/admin/` for the private listener."""
    shared = {"services": services, "languages": load_languages(), "assets": asset_addresses()}
    return [
        (r"/admin", RedirectHandler, {"url": "/admin/", "permanent": False}),
        (r"/admin/static/(.*)", AssetHandler, {"path": str(_STATIC)}),
        *((pattern, handler, shared) for pattern, handler in _PAGES),
    ]
