"""`SignInRefusal`: why a sign-in was refused, as the audit log keeps it."""

from enum import StrEnum

__all__ = ["SignInRefusal"]


class SignInRefusal(StrEnum):
    """The reasons. The sign-in page shows none of them."""

    UNKNOWN_NAME = "unknown name"
    WRONG_PASSWORD = "wrong password"  # noqa: S105 - a reason
    DISABLED = "disabled"
    WRONG_CODE = "wrong code"
    BAD_PASSKEY = "bad passkey"
    NO_GROUP = "no allowed group"
    PROVIDER = "refused by provider"
    TOO_MANY_ATTEMPTS = "too many attempts"
