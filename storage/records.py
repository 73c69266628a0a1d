"""What stores take and give: frozen records, tokens sealed.

Times are whole seconds since the epoch, UTC.
"""

from dataclasses import dataclass, field
from enum import StrEnum

__all__ = [
    "Activity",
    "ActivityKind",
    "Authorization",
    "AuthorizedUser",
    "Counts",
    "Deferred",
    "Failed",
    "Grant",
    "Lease",
    "Outcome",
    "Profile",
    "RedeemedCode",
    "Refreshed",
    "Rejected",
    "Released",
    "Resealing",
    "SchemaReport",
    "SchemaState",
    "SealedRow",
    "SealedTokens",
    "SortKey",
    "Status",
    "Use",
    "UserPage",
    "UserQuery",
]

#: The scope that asks the user and opens the profile. A scope without it is the narrower one.
WIDE_SCOPE = "snsapi_userinfo"


def is_wide(scope: str) -> bool:
    """Tell whether a scope, WeChat's comma separated list, opens the user's profile."""
    return WIDE_SCOPE in scope.split(",")


class Status(StrEnum):
    """Whether an authorization can still give tokens."""

    ACTIVE = "active"
    NEEDS_REAUTHORIZATION = "needs_reauthorization"
    REVOKED = "revoked"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizedUser:
    """An authorization as lists show it: everything but the tokens.

    Attributes:
        id: Rises with each new user; what lists are paged by.
        version: Rises with each grant, each claim, and each revocation.
        last_error_code: WeChat's errcode of the last failed refresh; None where none came.
        last_error_kind: What that failure means, by the words of the service.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization(AuthorizedUser):
    """An authorization with its sealed tokens."""

    tokens: SealedTokens


@dataclass(frozen=True, slots=True)
class Lease:
    """The exclusive right to refresh one authorization for a while.

    It is the only source of outcomes, so a refreshed token can be written only by who holds, or held, the lease;
    the store refuses the outcome when the authorization has changed hands since (owner and version must match).
    """

    authorization: Authorization
    owner: str

    def refreshed(
        self,
        tokens: SealedTokens,
        *,
        scope: str,
        refreshed_at: int,
        expires_at: int,
        refresh_expires_at: int,
        next_refresh_at: int | None,
    ) -> "Refreshed":
        """WeChat gave new tokens: store them and clear earlier failures."""
        return Refreshed(self, tokens, scope, refreshed_at, expires_at, refresh_expires_at, next_refresh_at)

    def rejected(self, *, error_code: int | None, error_kind: str, at: int) -> "Rejected":
        """WeChat says that only the user can mend it: mark it as needing reauthorization."""
        return Rejected(self, error_code, error_kind, at)

    def failed(self, *, error_code: int | None, error_kind: str, at: int, next_refresh_at: int | None) -> "Failed":
        """The refresh did not succeed this time: count it and try again later."""
        return Failed(self, error_code, error_kind, at, next_refresh_at)

    def deferred(self, *, next_refresh_at: int | None) -> "Deferred":
        """No refresh was tried: move the schedule (None leaves it to the next use)."""
        return Deferred(self, next_refresh_at)

    def released(self) -> "Released":
        """Nothing was tried and nothing changes but the lease."""
        return Released(self)


@dataclass(frozen=True, slots=True)
class Refreshed:
    """New tokens to write. Made by `Lease.refreshed`."""

    lease: Lease
    tokens: SealedTokens
    scope: str
    refreshed_at: int
    expires_at: int
    refresh_expires_at: int
    next_refresh_at: int | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The user must authorize again. Made by `Lease.rejected`."""

    lease: Lease
    error_code: int | None
    error_kind: str
    at: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A refresh to be tried again. Made by `Lease.failed`."""

    lease: Lease
    error_code: int | None
    error_kind: str
    at: int
    next_refresh_at: int | None


@dataclass(frozen=True, slots=True)
class Deferred:
    """A refresh put off without a try. Made by `Lease.deferred`."""

    lease: Lease
    next_refresh_at: int | None


@dataclass(frozen=True, slots=True)
class Released:
    """A lease given back. Made by `Lease.released`."""

    lease: Lease


Outcome = Refreshed | Rejected | Failed | Deferred | Released


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


class SortKey(StrEnum):
    """What lists may be sorted by."""

    ID = "id"
    AUTHORIZED_AT = "authorized_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserQuery:
    """Which users to list, in which order, from where on.

    Attributes:
        after: The `next_cursor` of the page before; None starts at the beginning.
        limit: Users on a page, 1 to 500.
    """

    appid: str | None = None
    status: Status | None = None
    openid: str | None = None
    unionid: str | None = None
    sort: SortKey = SortKey.ID
    descending: bool = True
    after: tuple[int, int] | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class UserPage:
    """One page of users; `next_cursor` is None on the last."""

    users: tuple[AuthorizedUser, ...]
    next_cursor: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many authorizations there are, by appid and status."""

    by_status: dict[tuple[str, Status], int]


class ActivityKind(StrEnum):
    """What is counted by the hour."""

    AUTHORIZED = "authorized"
    REFRESHED = "refreshed"
    REFRESH_FAILED = "refresh_failed"
    REAUTHORIZATION_NEEDED = "reauthorization_needed"
    EXCHANGE_FAILED = "exchange_failed"


@dataclass(frozen=True, slots=True)
class Activity:
    """How often something happened within an hour.

    Attributes:
        hour: The start of the hour.
        errcode: WeChat's errcode for failures; 0 where there is none.
    """

    hour: int
    appid: str
    kind: ActivityKind
    errcode: int
    count: int


class SchemaState(StrEnum):
    """How a store's tables stand to the code."""

    CURRENT = "current"
    EMPTY = "empty"
    BEHIND = "behind"
    AHEAD = "ahead"


@dataclass(frozen=True, slots=True)
class SchemaReport:
    """A store's schema: what it is at, and what the code expects."""

    state: SchemaState
    current: str | None
    expected: str | None
