"""Replies as WeChat words and encodes them, with the variations of form that have been met."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["ERRMSGS", "PLAIN", "Quirks", "Refusal", "Reply", "encode_reply", "refusal_reply"]

#: A reply before it is encoded.
Reply = Mapping[str, object]

#: The words that come with each errcode, without the trailing rid.
ERRMSGS: Mapping[int, str] = {
    -1: "system error",
    40001: "invalid credential, access_token is invalid or not latest",
    40002: "invalid grant_type",
    40003: "invalid openid",
    40013: "invalid appid",
    40014: "invalid access_token",
    40029: "invalid code",
    40030: "invalid refresh_token",
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
    43003: "require https",
    45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit, must slower, retry next minute",
    48001: "api unauthorized",
    48004: "api forbidden for irregularities",
    48017: "api unauthorized",
    50001: "user unauthorized",
    50002: "user limited",
}


@dataclass(frozen=True, slots=True)
class Quirks:
    """Variations that a client must bear, all off by default.

    Attributes:
        numbers_as_strings: Numbers come as strings: `"errcode":"40029"`.
        control_characters: Nicknames hold a raw control character, which strict JSON forbids.
        hints_in_errmsg: Error texts end in the older `hints: [req_id: …]` in place of `rid: …`.
        omit_refresh_token: The reply to a refresh leaves `refresh_token` out.
        keep_older_tokens: A second exchange leaves the access tokens of earlier ones valid.
    """

    numbers_as_strings: bool = False
    control_characters: bool = False
    hints_in_errmsg: bool = False
    omit_refresh_token: bool = False
    keep_older_tokens: bool = False


PLAIN = Quirks()


class Refusal(Exception):
    """WeChat answers with an error. Holds no argument of the call."""

    def __init__(self, errcode: int, errmsg: str | None = None) -> None:
        self.errcode = errcode
        self.errmsg = errmsg if errmsg is not None else ERRMSGS.get(errcode, "error")
        super().__init__(f"{errcode} {self.errmsg}")


def refusal_reply(refusal: Refusal, now: int, quirks: Quirks = PLAIN) -> Reply:
    """Return an error reply, its text ending in an id made of the time and chance, as WeChat's do."""
    if quirks.hints_in_errmsg:
        mark = f"hints: [req_id: {secrets.token_urlsafe(10)} ]"
    else:
        mark = f"rid: {now:08x}-{secrets.token_hex(4)}-{secrets.token_hex(4)}"
    return {"errcode": refusal.errcode, "errmsg": f"{refusal.errmsg}, {mark}"}


def encode_reply(reply: Reply, quirks: Quirks = PLAIN) -> bytes:
    """Return the body of a reply: compact JSON in UTF-8, characters beyond ASCII as they are."""
    if quirks.numbers_as_strings:
        reply = {name: str(value) if isinstance(value, int) else value for name, value in reply.items()}
    body = json.dumps(reply, ensure_ascii=False, separators=(",", ":"))
    if quirks.control_characters:
        body = body.replace("\\b", "\b")
    return body.encode()
