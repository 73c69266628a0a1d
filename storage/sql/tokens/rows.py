"""Rows of the table `authorizations`, read as records."""

from typing import Any

from sqlalchemy import RowMapping

from storage.grants import FALLBACK_FIELDS, FallbackGrant, SealedRow, SealedTokens
from storage.sql.core.schema import authorizations
from storage.users import USER_FIELDS, Authorization, AuthorizedUser, Status

__all__ = [
    "AUTHORIZATION_COLUMNS",
    "SEALED_COLUMNS",
    "USER_COLUMNS",
    "read_authorization",
    "read_sealed_row",
    "read_user",
]

#: What lists select: everything of an `AuthorizedUser`, nothing sealed.
USER_COLUMNS = tuple(authorizations.c[name] for name in USER_FIELDS)
_TOKEN_NAMES = ("access_token", "refresh_token")
_FALLBACK_NAMES = tuple(f"fallback_{name}" for name in FALLBACK_FIELDS)
AUTHORIZATION_COLUMNS = (*USER_COLUMNS, *(authorizations.c[name] for name in (*_TOKEN_NAMES, *_FALLBACK_NAMES)))
#: What is sealed, and whose it is.
SEALED_COLUMNS = tuple(
    authorizations.c[name]
    for name in ("id", "appid", "openid", *_TOKEN_NAMES, *(f"fallback_{name}" for name in _TOKEN_NAMES))
)


def read_user(row: RowMapping) -> AuthorizedUser:
    """Return the user of a row that has `USER_COLUMNS`."""
    return AuthorizedUser(**{**row, "status": Status(row["status"])})


def read_authorization(row: RowMapping, **changed: Any) -> Authorization:
    """Return the authorization of a row that has `AUTHORIZATION_COLUMNS`.

    Args:
        row: The row.
        changed: Values that take the place of the row's.
    """
    values = {**{name: row[name] for name in USER_FIELDS}, "status": Status(row["status"]), **changed}
    tokens = SealedTokens(row["access_token"], row["refresh_token"])
    return Authorization(**values, tokens=tokens, fallback=FallbackGrant.read(dict(row)))


def read_sealed_row(row: RowMapping) -> SealedRow:
    """Return what is sealed in a row that has `SEALED_COLUMNS`."""
    fallback = row["fallback_access_token"], row["fallback_refresh_token"]
    return SealedRow(
        row["id"],
        row["appid"],
        row["openid"],
        SealedTokens(row["access_token"], row["refresh_token"]),
        None if None in fallback else SealedTokens(*fallback),
    )
