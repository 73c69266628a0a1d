"""The pages that every other page links to."""

from dataclasses import dataclass

from storage.sql.accounts.operators import Role

__all__ = ["NAVIGATION", "NavigationItem"]


@dataclass(frozen=True, slots=True)
class NavigationItem:
    """A link of the navigation. `label` is translated where it is shown."""

    path: str
    label: str
    requires: Role = Role.VIEWER


NAVIGATION = (
    NavigationItem("/admin/overview", "Overview"),
    NavigationItem("/admin/users", "Users"),
    NavigationItem("/admin/jobs", "Bulk jobs", Role.OPERATOR),
    NavigationItem("/admin/audit", "Audit log", Role.OPERATOR),
    NavigationItem("/admin/accounts", "Accounts", Role.OWNER),
    NavigationItem("/admin/operators", "Operators", Role.OWNER),
    NavigationItem("/admin/api-keys", "API keys", Role.OWNER),
)
