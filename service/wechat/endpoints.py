"""The calls to WeChat, and how long what they give lives."""

from enum import StrEnum
from typing import Self

__all__ = ["ACCESS_TOKEN_SECONDS", "ACCOUNT_CREDENTIAL_SECONDS", "REFRESH_TOKEN_SECONDS", "Endpoint"]

#: WeChat documents two hours for an access token (网页授权, `expires_in`).
ACCESS_TOKEN_SECONDS = 7200
#: WeChat documents 30 days for a refresh token (网页授权, "刷新access_token").
REFRESH_TOKEN_SECONDS = 30 * 86_400
#: WeChat documents 7200 at most for an account's own access token (`stable_token`), and 7200 for a ticket.
ACCOUNT_CREDENTIAL_SECONDS = 7200


class Endpoint(StrEnum):
    """A call to WeChat. Its value names it in logs and metrics; `path` is where it is found below the API's address."""

    path: str

    EXCHANGE = "access_token", "/sns/oauth2/access_token"
    REFRESH = "refresh_token", "/sns/oauth2/refresh_token"
    USERINFO = "userinfo", "/sns/userinfo"
    AUTH = "auth", "/sns/auth"
    STABLE_TOKEN = "stable_token", "/cgi-bin/stable_token"
    TICKET = "getticket", "/cgi-bin/ticket/getticket"

    def __new__(cls, value: str, path: str) -> Self:
        """Make a member that is its name and also knows its path."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.path = path
        return member
