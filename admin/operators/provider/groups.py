"""What a person's groups at the provider allow here."""

from collections.abc import Collection, Mapping
from typing import Any

from storage.sql.accounts.operators import Role

__all__ = ["groups_in", "role_of"]

#: A person is in some dozens of groups. What is beyond is no reason to work for long.
_MOST_GROUPS = 10_000


def groups_in(claims: Mapping[str, Any], name: str) -> list[str] | None:
    """Return the groups that claims hold, under a name of their own or along the dots of it; None if they say nothing.

    A claim that is one word is one group.
    """
    value: Any = claims.get(name)
    if value is None:
        value = claims
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    match value:
        case str():
            return [value]
        case list():
            return [group for group in value[:_MOST_GROUPS] if isinstance(group, str)]
        case _:
            return None


def role_of(groups: Collection[str], roles: Mapping[str, Role]) -> Role | None:
    """Return the widest role that one of the groups has; None where none has any. Case counts."""
    allowed = {roles[group] for group in groups if group in roles}
    return next((role for role in reversed(Role) if role in allowed), None)
