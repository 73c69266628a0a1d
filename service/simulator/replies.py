"""Successful replies as WeChat forms and encodes them, with the variations of form that have been met.

Fields, their order and spelling are those of recorded replies, which differ from Tencent's samples.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from service.simulator.issued import Authorization

__all__ = ["PLAIN", "Quirks", "Reply", "encode_reply", "exchange_reply", "refresh_reply", "userinfo_reply"]

#: A reply before it is encoded.
Reply = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Quirks:
    """Variations that a client must bear, all off by default.

    Attributes:
        numbers_as_strings: Numbers come as strings: `"errcode":"40029"`.
        control_characters: Nicknames hold a raw control character, which strict JSON forbids.
        hints_in_errmsg: Error texts end in the older `hints: [ req_id: … ]` in place of `rid: …`.
        omit_refresh_token: The reply to a refresh leaves `refresh_token` out.
        documented_refresh_reply: The reply to a refresh has the fields, their order and the one scope of Tencent's
            sample.
        refresh_lists_own_scope: The reply to the refresh of a silent grant lists `snsapi_base,` alone.
        silent_unionid: A silent exchange gives the unionid too.
        expired_code_as_42003: An expired code is answered with 42003 in place of 40029.
        authdeny: Who denies comes back with `code=authdeny`.
        keep_older_tokens: A second exchange leaves the access tokens of earlier ones valid.
        silent_login_takes_over: A silent exchange ends the refresh tokens of the user's earlier `snsapi_userinfo`
            grants, and its own tokens read the profile.
        landing_signed_everywhere: `wx.config` must sign the address at which the page landed on other phones than
            iPhones too.
    """

    numbers_as_strings: bool = False
    control_characters: bool = False
    hints_in_errmsg: bool = False
    omit_refresh_token: bool = False
    documented_refresh_reply: bool = False
    refresh_lists_own_scope: bool = False
    silent_unionid: bool = False
    expired_code_as_42003: bool = False
    authdeny: bool = False
    keep_older_tokens: bool = False
    silent_login_takes_over: bool = False
    landing_signed_everywhere: bool = False


PLAIN = Quirks()


def exchange_reply(authorization: Authorization, now: int) -> Reply:
    """Return the reply to an exchange."""
    grant = authorization.grant
    reply = _tokens(authorization, now) | {"openid": grant.openid, "scope": grant.scope}
    if grant.unionid is not None:
        reply["unionid"] = grant.unionid
    if grant.is_snapshotuser:
        reply["is_snapshotuser"] = 1
    return reply


def refresh_reply(authorization: Authorization, now: int, quirks: Quirks = PLAIN) -> Reply:
    """Return the reply to a refresh: `openid` first, no unionid, and scopes as a list with a comma at its end.

    The list names both scopes even for a silent grant, as in all recorded replies but one; that of a website app names
    its own.
    """
    grant = authorization.grant
    tokens = _tokens(authorization, now)
    if quirks.omit_refresh_token:
        del tokens["refresh_token"]
    if quirks.documented_refresh_reply:
        return tokens | {"openid": grant.openid, "scope": grant.scope}
    names_own = grant.scope == "snsapi_login" or (quirks.refresh_lists_own_scope and grant.scope == "snsapi_base")
    scope = f"{grant.scope}," if names_own else "snsapi_base,snsapi_userinfo,"
    return {"openid": grant.openid} | tokens | {"scope": scope}


def userinfo_reply(authorization: Authorization, quirks: Quirks = PLAIN) -> Reply:
    """Return a profile. What depends on where the user lives and speaks has been empty since 2021."""
    profile = authorization.profile
    reply: dict[str, object] = {
        "openid": authorization.grant.openid,
        "nickname": profile.nickname + ("\b" if quirks.control_characters else ""),
        "sex": 0,
        "language": "",
        "city": "",
        "province": "",
        "country": "",
        "headimgurl": profile.picture,
        "privilege": [],
    }
    if authorization.grant.unionid is not None:
        reply["unionid"] = authorization.grant.unionid
    return reply


def encode_reply(reply: Reply, quirks: Quirks = PLAIN) -> bytes:
    r"""Return the body of a reply: compact JSON in UTF-8, characters beyond ASCII as they are, slashes as `\/`."""
    if quirks.numbers_as_strings:
        reply = {name: str(value) if isinstance(value, int) else value for name, value in reply.items()}
    body = json.dumps(reply, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")
    if quirks.control_characters:
        body = body.replace("\\b", "\b")
    return body.encode()


def _tokens(authorization: Authorization, now: int) -> dict[str, object]:
    token = authorization.access_token
    return {
        "access_token": token.value,
        "expires_in": token.expires_at - now,
        "refresh_token": authorization.refresh_token,
    }
