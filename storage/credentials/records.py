"""An account's credentials as stores keep them, sealed, and the lease under which one is fetched."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["Credential", "CredentialKind", "CredentialLease", "CredentialOutcome"]


class CredentialKind(StrEnum):
    """What an account needs for WeChat's APIs, beside its users' tokens."""

    ACCESS_TOKEN = "access_token"  # noqa: S105 - the name of a kind
    JSAPI_TICKET = "jsapi_ticket"
    WX_CARD_TICKET = "wx_card_ticket"


@dataclass(frozen=True, slots=True)
class Credential:
    """One credential of an account.

    Attributes:
        sealed: Its value, sealed; empty as long as none was obtained.
        obtained_at: When WeChat gave it, or said last that it is still the one.
        next_refresh_at: From when on it is to be fetched anew.
        last_used_at: When somebody asked for it, to the hour.
        refresh_failures: How often in a row it could not be fetched.
        forced_at: When an operator forced a new one last.
        forced_count: How many were forced on the day of `forced_at`.
        version: Rises with each lease.
    """

    appid: str
    kind: CredentialKind
    sealed: bytes = field(default=b"", repr=False)
    obtained_at: int = 0
    expires_at: int = 0
    next_refresh_at: int | None = None
    last_used_at: int = 0
    refresh_failures: int = 0
    last_error_code: int | None = None
    last_error_kind: str | None = None
    last_error_at: int | None = None
    forced_at: int | None = None
    forced_count: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class CredentialLease:
    """The exclusive right to fetch one credential for a while.

    It is the only source of outcomes, and a store refuses one whose owner and version are not the credential's any
    more: what a holder writes who has been succeeded is lost, not what the successor wrote.
    """

    credential: Credential
    owner: str

    def renewed(self, sealed: bytes, *, obtained_at: int, expires_at: int, next_refresh_at: int) -> "CredentialOutcome":
        """WeChat gave it: store it and clear earlier failures."""
        changes = {
            "sealed": sealed,
            "obtained_at": obtained_at,
            "expires_at": expires_at,
            "next_refresh_at": next_refresh_at,
            "refresh_failures": 0,
            "last_error_code": None,
            "last_error_kind": None,
            "last_error_at": None,
        }
        return CredentialOutcome(self, changes)

    def failed(self, *, error_code: int | None, error_kind: str, at: int, next_refresh_at: int) -> "CredentialOutcome":
        """It could not be had this time: count that and try again later."""
        changes = {
            "refresh_failures": self.credential.refresh_failures + 1,
            "last_error_code": error_code,
            "last_error_kind": error_kind,
            "last_error_at": at,
            "next_refresh_at": next_refresh_at,
        }
        return CredentialOutcome(self, changes)

    def forcing(self, *, at: int, count: int) -> "CredentialOutcome":
        """A new one is about to be forced: write that down before WeChat is asked, and keep the lease."""
        return CredentialOutcome(self, {"forced_at": at, "forced_count": count}, ends_lease=False)

    def released(self) -> "CredentialOutcome":
        """Nothing changes but the lease."""
        return CredentialOutcome(self, {})


@dataclass(frozen=True, slots=True)
class CredentialOutcome:
    """What is to be written into a leased credential, by the names of its fields. Made by `CredentialLease`."""

    lease: CredentialLease
    changes: Mapping[str, Any] = field(repr=False)
    ends_lease: bool = True
