"""The pages that every other page links to."""

from dataclasses import dataclass

from admin.web.i18n import N_
from storage.sql.accounts.operators import Role

__all__ = ["FACTORS_PAGE", "NAVIGATION", "NavigationItem"]

#: Where operators set up second factors; who must do so first is sent there from every page.
FACTORS_PAGE = "/admin/me/factors"


@dataclass(frozen=True, slots=True)
class NavigationItem:
    """A link of the navigation. `label` is translated where it is shown."""

    path: str
    label: str
    requires: Role = Role.VIEWER


NAVIGATION = (
    NavigationItem("/admin/overview", N_("Overview")),
    NavigationItem("/admin/users", N_("Users")),
    NavigationItem("/admin/jobs", N_("Bulk jobs"), Role.OPERATOR),
    NavigationItem("/admin/audit", N_("Audit log"), Role.OPERATOR),
    NavigationItem("/admin/accounts", N_("Accounts"), Role.OWNER),
    NavigationItem("/admin/operators", N_("Team"), Role.OWNER),
    NavigationItem("/admin/api-keys", N_("API keys"), Role.OWNER),
)
