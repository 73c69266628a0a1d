"""Why there is no usable token just now, and when asking again makes sense."""

from enum import StrEnum

__all__ = ["Unavailable", "UnavailableReason"]


class UnavailableReason(StrEnum):
    """Why a token cannot be refreshed just now."""

    WAITING_AFTER_FAILURE = "the last refresh failed, and the next one waits"
    JUST_REFRESHED = "it was refreshed a moment ago, and the next refresh waits"
    REFRESH_IN_PROGRESS = "somebody else is refreshing it"
    REFRESH_FAILED = "the refresh failed"
    ACCOUNT_PAUSED = "the account's calls pause"


class Unavailable(Exception):
    """What was asked for has expired, or WeChat refused it, and there is no other just now.

    Attributes:
        retry_after: Seconds after which asking again makes sense.
        errcode: WeChat's answer to the refresh that failed, if it gave a number.
    """

    def __init__(self, what: str, retry_after: int, reason: StrEnum, errcode: int | None = None) -> None:
        super().__init__(f"no usable {what}: {reason}" + ("" if errcode is None else f" (errcode {errcode})"))
        self.reason = reason
        self.errcode = errcode
        self.retry_after = max(1, retry_after)
