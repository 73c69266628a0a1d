"""Grants: what a successful exchange gives a store, tokens sealed. Times are whole seconds since the epoch, UTC."""

from dataclasses import dataclass, field
from typing import Any

__all__ = ["WIDE_SCOPE", "Grant", "RedeemedCode", "Resealing", "SealedRow", "SealedTokens", "grant_fields", "is_wide"]


#: The scope that asks the user and opens the profile. A scope without it is the narrower one.
WIDE_SCOPE = "snsapi_userinfo"


def is_wide(scope: str) -> bool:
    """Return whether a scope, WeChat's comma separated list, opens the user's profile."""
    return WIDE_SCOPE in scope.split(",")


@dataclass(frozen=True, slots=True)
class SealedTokens:
    """Both tokens of an authorization, each sealed to its row and column. Empty once revoked."""

    access_token: bytes = field(repr=False)
    refresh_token: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One successful exchange, ready to be stored.

    Attributes:
        authorized_at: When WeChat granted it.
        expires_at: When the access token ends.
        refresh_expires_at: When the refresh token ends.
        next_refresh_at: When the scheduler should refresh it; None leaves it to the next use.
        code_digest: Digest of appid and code, by which a repeated post is recognized.
        code_binding: Digest of the browser that posted the code.
    """

    appid: str
    openid: str
    scope: str
    tokens: SealedTokens
    authorized_at: int
    expires_at: int
    refresh_expires_at: int
    next_refresh_at: int | None = None
    unionid: str | None = None
    is_snapshotuser: bool = False
    code_digest: bytes | None = None
    code_binding: bytes | None = None


def grant_fields(grant: Grant) -> dict[str, Any]:
    """Return what a grant writes into the row of its user, by the names of columns."""
    return {
        "appid": grant.appid,
        "openid": grant.openid,
        "unionid": grant.unionid,
        "scope": grant.scope,
        "is_snapshotuser": grant.is_snapshotuser,
        "access_token": grant.tokens.access_token,
        "refresh_token": grant.tokens.refresh_token,
        "expires_at": grant.expires_at,
        "refresh_expires_at": grant.refresh_expires_at,
        "next_refresh_at": grant.next_refresh_at,
        "code_digest": grant.code_digest,
        "code_binding": grant.code_binding,
        "code_scope": grant.scope,
        "first_authorized_at": grant.authorized_at,
        "authorized_at": grant.authorized_at,
        "last_used_at": grant.authorized_at,
    }


@dataclass(frozen=True, slots=True)
class RedeemedCode:
    """What an exchanged code gave, for answering the same browser again.

    `scope` is the code's own, which may be narrower than what the authorization holds.
    """

    appid: str
    openid: str
    scope: str
    is_snapshotuser: bool
    unionid: str | None
    binding: bytes | None
    authorized_at: int


@dataclass(frozen=True, slots=True)
class SealedRow:
    """The sealed tokens of an authorization, read to be sealed anew."""

    id: int
    appid: str
    openid: str
    tokens: SealedTokens


@dataclass(frozen=True, slots=True)
class Resealing:
    """The tokens of a row as they were read, and the same ones sealed with another key."""

    row: SealedRow
    tokens: SealedTokens
