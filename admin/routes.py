"""The dashboard's addresses: every module's own table, one after the other."""

from typing import Any

from tornado.web import RequestHandler

from admin import accounts_page, audit_page
from admin.jobs import pages as jobs_pages
from admin.operators import api_keys_page, own_account_page, sign_in_page, team_page
from admin.operators.factors import (
    own_factors_page,
    own_passkeys_page,
    passkey_sign_in_page,
    second_factor_page,
)
from admin.operators.provider import pages as provider_pages
from admin.overview import failed_calls_page, overview_page
from admin.services import AdminServices
from admin.users import list_page, user_page
from admin.web import home
from admin.web.assets import ASSETS, AssetHandler, asset_addresses
from admin.web.handler import AdminRoute
from admin.web.i18n import load_languages

__all__ = ["make_admin_routes"]

#: What the pages are, in the order of the navigation.
_PAGES: list[AdminRoute] = [
    *home.routes,
    *sign_in_page.routes,
    *provider_pages.routes,
    *second_factor_page.routes,
    *passkey_sign_in_page.routes,
    *own_account_page.routes,
    *own_factors_page.routes,
    *own_passkeys_page.routes,
    *overview_page.routes,
    *failed_calls_page.routes,
    *list_page.routes,
    *user_page.routes,
    *jobs_pages.routes,
    *accounts_page.routes,
    *audit_page.routes,
    *team_page.routes,
    *api_keys_page.routes,
    # Last: what no page above has taken.
    *home.not_found_routes,
]


def make_admin_routes(services: AdminServices) -> list[tuple[str, type[RequestHandler], dict[str, Any]]]:
    """Return the routes under `/admin/` for the private listener, and those that lead there."""
    shared = {"services": services, "languages": load_languages(), "assets": asset_addresses()}
    return [
        (r"/(?:admin)?", home.FrontDoorHandler, {"url": "/admin/", "permanent": False}),
        (r"/admin/static/(.*)", AssetHandler, {"path": str(ASSETS)}),
        *((pattern, handler, shared) for pattern, handler in _PAGES),
    ]
