"""Authorized users, as stores give them. Times are whole seconds since the epoch, UTC."""

from dataclasses import dataclass, fields
from enum import StrEnum

from storage.grants import FallbackGrant, SealedRow, SealedTokens

__all__ = [
    "LONGEST_EXTERNAL_ID",
    "USER_FIELDS",
    "Authorization",
    "AuthorizedUser",
    "Counts",
    "Profile",
    "Status",
    "Use",
]


#: Characters that an external id may have.
LONGEST_EXTERNAL_ID = 128


class Status(StrEnum):
    """Whether an authorization can still give tokens."""

    ACTIVE = "active"
    REAUTHORIZATION_REQUIRED = "reauthorization_required"
    REVOKED = "revoked"

    @classmethod
    def _missing_(cls, value: object) -> "Status | None":
        """Read the former name of a state, which an instance that was not stopped for the migration may still write."""
        return cls.REAUTHORIZATION_REQUIRED if value == "needs_reauthorization" else None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizedUser:
    """An authorization as lists show it: everything but the tokens.

    Attributes:
        id: Rises with each new user; what lists are paged by.
        version: Rises with each grant, each claim, and each revocation.
        last_error_code: WeChat's errcode of the last failed refresh; None where none came.
        last_error_kind: What that failure means, by the words of the service.
        external_id: By what a backend knows the user; not unique, as one person may use several accounts.
    """

    id: int
    appid: str
    openid: str
    scope: str
    status: Status
    version: int
    expires_at: int
    refresh_expires_at: int
    first_authorized_at: int
    authorized_at: int
    last_used_at: int
    refreshed_at: int | None = None
    next_refresh_at: int | None = None
    unionid: str | None = None
    is_snapshotuser: bool = False
    refresh_failures: int = 0
    last_error_code: int | None = None
    last_error_kind: str | None = None
    last_error_at: int | None = None
    nickname: str | None = None
    avatar_url: str | None = None
    profile_at: int | None = None
    external_id: str | None = None


#: The names of what lists show.
USER_FIELDS = tuple(one.name for one in fields(AuthorizedUser))


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization(AuthorizedUser):
    """An authorization with its sealed tokens.

    Attributes:
        fallback: A newer, narrower grant that is held beside a wide one.
    """

    tokens: SealedTokens
    fallback: FallbackGrant | None = None

    @property
    def obtained_at(self) -> int:
        """When WeChat gave the access token: at the last refresh, which a later login replaces."""
        return self.authorized_at if self.refreshed_at is None else self.refreshed_at

    def sealed_row(self) -> SealedRow:
        """Return what is sealed of it."""
        fallback = None if self.fallback is None else self.fallback.tokens
        return SealedRow(self.id, self.appid, self.openid, self.tokens, fallback)

    def successor(self, at: int) -> FallbackGrant | None:
        """Return the fallback, if its refresh token has not ended at that time."""
        fallback = self.fallback
        return fallback if fallback is not None and fallback.refresh_expires_at > at else None


@dataclass(frozen=True, slots=True)
class Use:
    """An authorization's token was asked for: the user counts as active from then on.

    `next_refresh_at` takes effect only where nothing is scheduled.
    """

    appid: str
    openid: str
    used_at: int
    next_refresh_at: int | None


@dataclass(frozen=True, slots=True)
class Profile:
    """What the user shows of themself. A unionid of None keeps the stored one."""

    appid: str
    openid: str
    nickname: str
    avatar_url: str
    profile_at: int
    unionid: str | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many authorizations there are, by appid and status."""

    by_status: dict[tuple[str, Status], int]
