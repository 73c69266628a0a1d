"""The calls that WeChat's web authorization offers."""

from enum import StrEnum
from typing import Self

__all__ = ["Endpoint"]


class Endpoint(StrEnum):
    """A call to WeChat. Its value names it in logs and metrics; `path` is where it is found below the API's address."""

    path: str

    EXCHANGE = "access_token", "/sns/oauth2/access_token"
    REFRESH = "refresh_token", "/sns/oauth2/refresh_token"
    USERINFO = "userinfo", "/sns/userinfo"
    AUTH = "auth", "/sns/auth"

    def __new__(cls, value: str, path: str) -> Self:
        """Make a member that is its name and also knows its path."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.path = path
        return member
