"""Grants: what a successful exchange gives a store, tokens sealed. Times are whole seconds since the epoch, UTC."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

__all__ = [
    "BASE_SCOPE",
    "FALLBACK_FIELDS",
    "WIDE_SCOPE",
    "FallbackGrant",
    "Grant",
    "RedeemedCode",
    "Resealing",
    "SealedRow",
    "SealedTokens",
    "grant_fields",
    "is_wide",
    "scope_names",
]

#: The scope of a silent authorization.
BASE_SCOPE = "snsapi_base"
#: The scope that asks the user and opens the profile. A scope without it is the narrower one.
WIDE_SCOPE = "snsapi_userinfo"


_SEPARATORS = re.compile(r"[\s,]+")


def scope_names(scope: str) -> frozenset[str]:
    """Return the names in a scope: a set, written as a list with commas or white space, a last comma included."""
    return frozenset(_SEPARATORS.split(scope)) - {""}


def is_wide(scope: str) -> bool:
    """Return whether a scope opens the user's profile."""
    return WIDE_SCOPE in scope_names(scope)


@dataclass(frozen=True, slots=True)
class SealedTokens:
    """Both tokens of a grant, each sealed to its user and to which of the two it is. Empty once revoked."""

    access_token: bytes = field(repr=False)
    refresh_token: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One successful exchange, ready to be stored.

    Attributes:
        scope: The names of its scopes, sorted, joined by a comma.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class FallbackGrant:
    """A grant that is newer and narrower than the one it is held beside, and succeeds it when WeChat refuses that.

    Attributes:
        unionid: None where the exchange gave none.
    """

    scope: str
    tokens: SealedTokens
    expires_at: int
    refresh_expires_at: int
    unionid: str | None
    is_snapshotuser: bool

    @classmethod
    def of(cls, grant: Grant) -> Self:
        """Return what is held of a grant."""
        return cls(
            scope=grant.scope,
            tokens=grant.tokens,
            expires_at=grant.expires_at,
            refresh_expires_at=grant.refresh_expires_at,
            unionid=grant.unionid,
            is_snapshotuser=grant.is_snapshotuser,
        )

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Self | None:
        """Return the fallback of a row that has the columns of `FALLBACK_FIELDS`; None where it holds none."""
        values = {name: row[f"fallback_{name}"] for name in FALLBACK_FIELDS}
        tokens = values.pop("access_token"), values.pop("refresh_token")
        return None if None in tokens else cls(tokens=SealedTokens(*tokens), **values)


#: What a row holds of a fallback, each in the column of this name after `fallback_`.
FALLBACK_FIELDS = (
    "scope",
    "access_token",
    "refresh_token",
    "expires_at",
    "refresh_expires_at",
    "unionid",
    "is_snapshotuser",
)


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
        "code_unionid": grant.unionid,
        "code_is_snapshotuser": grant.is_snapshotuser,
        "first_authorized_at": grant.authorized_at,
        "authorized_at": grant.authorized_at,
        "last_used_at": grant.authorized_at,
    }


@dataclass(frozen=True, slots=True)
class RedeemedCode:
    """What an exchanged code gave, for answering the same browser again.

    Scope, snapshot flag and unionid are the code's own: the authorization may hold more, of other grants.
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
    """The sealed tokens of an authorization and of its fallback, if it has one, read to be sealed anew."""

    id: int
    appid: str
    openid: str
    tokens: SealedTokens
    fallback: SealedTokens | None = None


@dataclass(frozen=True, slots=True)
class Resealing:
    """The tokens of a row as they were read, and the same ones sealed with another key.

    Raises:
        ValueError: The tokens of a fallback are missing, or are there where the row has none.
    """

    row: SealedRow
    tokens: SealedTokens
    fallback: SealedTokens | None = None

    def __post_init__(self) -> None:
        """Make sure that writing it neither drops a fallback nor adds one."""
        if (self.fallback is None) != (self.row.fallback is None):
            raise ValueError("the tokens of a fallback must be sealed anew where, and only where, the row has one")
