"""`SignInWays`: by what operators may sign in here, as the settings say; and by what one did."""

from dataclasses import dataclass
from enum import StrEnum

from admin.operators.provider.identity_provider import IdentityProvider

__all__ = ["SignInWay", "SignInWays"]


class SignInWay(StrEnum):
    """By what somebody signed in, as the audit log keeps it."""

    PASSWORD = "password"  # noqa: S105 - a word of the audit log
    APP_CODE = "password and app"
    RECOVERY_CODE = "password and recovery code"
    PASSKEY = "passkey"
    PROVIDER = "identity provider"


@dataclass(frozen=True, slots=True)
class SignInWays:
    """What the settings allow.

    Attributes:
        takes_passwords: Whether names and passwords are taken.
        requires_factor: Whether a password needs a second factor beside it, everybody's.
        provider: The company's; None where none is configured.
        passkey_origin: The dashboard's address, to which passkeys belong; empty where it can have none.
    """

    takes_passwords: bool = True
    requires_factor: bool = False
    provider: IdentityProvider | None = None
    passkey_origin: str = ""
