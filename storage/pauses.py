"""`AccountPause`: calls to WeChat that pause because they could not succeed, as processes tell each other of them."""

from dataclasses import dataclass

__all__ = ["AccountPause"]


@dataclass(frozen=True, slots=True)
class AccountPause:
    """Why calls of an account to an endpoint of WeChat pause in a process, and until when.

    Attributes:
        kind: What the errcode means, by the words of the service.
        errcode: WeChat's number; None where no usable answer came.
        until: Seconds since the epoch.
    """

    appid: str
    endpoint: str
    kind: str
    errcode: int | None
    until: int
