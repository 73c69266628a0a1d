"""Leases: the exclusive right to refresh one authorization, and the outcomes that only its holder can write."""

from dataclasses import dataclass
from typing import Any

from storage.grants import SealedTokens
from storage.users import Authorization

__all__ = [
    "LONGEST_LEASE_SECONDS",
    "Deferred",
    "Failed",
    "Lease",
    "Outcome",
    "Refreshed",
    "Rejected",
    "Released",
    "outcome_fields",
]

#: No lease is asked for longer. One that seems to have more time left was given before the store's clock was set back,
#: and holds nobody up.
LONGEST_LEASE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Lease:
    """The exclusive right to refresh one authorization for a while.

    It is the only source of outcomes, so only a present or past holder can write a refreshed token;
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


def outcome_fields(outcome: Outcome) -> dict[str, Any]:
    """Return what an outcome writes into the row of its lease, by the names of columns.

    What it clears, counts up, or moves to another status depends on its kind alone, and is left to the store.
    """
    match outcome:
        case Refreshed():
            return {
                "access_token": outcome.tokens.access_token,
                "refresh_token": outcome.tokens.refresh_token,
                "scope": outcome.scope,
                "refreshed_at": outcome.refreshed_at,
                "expires_at": outcome.expires_at,
                "refresh_expires_at": outcome.refresh_expires_at,
                "next_refresh_at": outcome.next_refresh_at,
            }
        case Rejected():
            return _error_fields(outcome)
        case Failed():
            return {**_error_fields(outcome), "next_refresh_at": outcome.next_refresh_at}
        case Deferred():
            return {"next_refresh_at": outcome.next_refresh_at}
        case Released():
            return {}


def _error_fields(outcome: Rejected | Failed) -> dict[str, Any]:
    return {
        "last_error_code": outcome.error_code,
        "last_error_kind": outcome.error_kind,
        "last_error_at": outcome.at,
    }
