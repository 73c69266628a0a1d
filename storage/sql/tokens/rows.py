"""Rows of the table `authorizations`, read as records."""

from typing import Any

from sqlalchemy import Row, RowMapping

from storage.grants import SealedTokens
from storage.sql.core.schema import authorizations
from storage.users import USER_FIELDS, Authorization, AuthorizedUser, Status

__all__ = ["AUTHORIZATION_COLUMNS", "USER_COLUMNS", "read_authorization", "read_tokens", "read_user"]

#: What lists select: everything of an `AuthorizedUser`, nothing sealed.
USER_COLUMNS = tuple(authorizations.c[name] for name in USER_FIELDS)
AUTHORIZATION_COLUMNS = (*USER_COLUMNS, authorizations.c.access_token, authorizations.c.refresh_token)


def read_user(row: RowMapping) -> AuthorizedUser:
    """Return the user of a row that has `USER_COLUMNS`."""
    return AuthorizedUser(**{**row, "status": Status(row["status"])})


def read_authorization(row: RowMapping, **changed: Any) -> Authorization:
    """Return the authorization of a row that has `AUTHORIZATION_COLUMNS`.

    Args:
        row: The row.
        changed: Values that take the place of the row's.
    """
    values = {**row, "status": Status(row["status"]), **changed}
    tokens = SealedTokens(values.pop("access_token"), values.pop("refresh_token"))
    return Authorization(**values, tokens=tokens)


def read_tokens(row: Row[Any]) -> SealedTokens:
    """Return the sealed tokens of a row."""
    return SealedTokens(row.access_token, row.refresh_token)
