"""Error replies of the API: which text comes with an errcode, and in which form.

The texts are those of recorded replies; where none is recorded, of Tencent's table of return codes (全局返回码).
"""

import secrets
from collections.abc import Mapping

from service.simulator.replies import PLAIN, Quirks, Reply

__all__ = ["ERRMSGS", "ErrorReply", "error_reply", "require"]

#: The text of each errcode, without the id at its end.
ERRMSGS: Mapping[int, str] = {
    -1: "system error",
    40001: "invalid credential, access_token is invalid or not latest",
    40002: "invalid grant_type",
    40003: "invalid openid",
    40013: "invalid appid",
    40014: "invalid access_token",
    40029: "invalid code",
    40030: "invalid refresh_token",
    40097: "invalid args",
    40125: "invalid appsecret",
    40163: "code been used",
    40164: "invalid ip 127.0.0.1, not in whitelist",
    41001: "access_token missing",
    41002: "appid missing",
    41003: "refresh_token missing",
    41004: "appsecret missing",
    41008: "missing code",
    41009: "missing openid",
    42001: "access_token expired",
    42002: "refresh_token expired",
    42003: "code expired",
    42007: "access_token and refresh_token exception",
    43001: "require GET method",
    43002: "require POST method",
    43003: "require https",
    45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit, must slower, retry next minute",
    47001: "data format error",
    48001: "api unauthorized",
    48004: "api forbidden for irregularities",
    48017: "api unauthorized",
    50001: "user unauthorized",
    50002: "user limited",
}


class ErrorReply(Exception):
    """The call is answered with an errcode. Holds no argument of the call."""

    def __init__(self, errcode: int, errmsg: str | None = None) -> None:
        self.errcode = errcode
        self.errmsg = errmsg if errmsg is not None else ERRMSGS.get(errcode, "error")
        super().__init__(f"{errcode} {self.errmsg}")


def require(*arguments: tuple[str, int]) -> None:
    """Check that arguments are there.

    Args:
        arguments: Values, each with the errcode that says it is missing.

    Raises:
        ErrorReply: With the errcode of the first argument that is empty.
    """
    for value, errcode in arguments:
        if not value:
            raise ErrorReply(errcode)


def error_reply(error: ErrorReply, now: int, quirks: Quirks = PLAIN) -> Reply:
    """Return the reply of an error, its text ending in an id made of the time and random digits, as WeChat's do."""
    if quirks.hints_in_errmsg:
        mark = f"hints: [ req_id: {secrets.token_urlsafe(10)} ]"
    else:
        mark = f"rid: {now:08x}-{secrets.token_hex(4)}-{secrets.token_hex(4)}"
    return {"errcode": error.errcode, "errmsg": f"{error.errmsg}, {mark}"}
