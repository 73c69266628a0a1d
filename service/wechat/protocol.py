"""WeChat's web authorization as plain data: the URLs of its requests and the fields of its replies. No I/O.

The order of the parameters is the one of Tencent's pages on web authorization (网页授权); the authorize page compares
it strictly. Replies are UTF-8 JSON under `text/plain`, numbers may come as strings, strings may hold control
characters, and HTTP's status is 200 whatever the answer: the errcode alone decides.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any, TypeGuard
from urllib.parse import quote

from service.wechat.endpoints import Endpoint
from service.wechat.errors import FaultReason, WeChatFault, WeChatRefusal

__all__ = [
    "Account",
    "Endpoint",
    "TokenReply",
    "UserInfo",
    "auth_url",
    "authorize_url",
    "exchange_url",
    "is_wellformed_code",
    "parse_auth_reply",
    "parse_refresh_reply",
    "parse_token_reply",
    "parse_userinfo",
    "refresh_url",
    "userinfo_url",
]

#: Control characters are seen in strings. `json.loads(…, strict=False)` would make a decoder for each reply.
_DECODER = json.JSONDecoder(strict=False)
_CODE = re.compile(r"[0-9A-Za-z_-]{1,128}")
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
#: Answers of `sns/auth` that say: this token is not valid for this openid. Any other errcode is a failure to ask.
_TOKEN_NOT_VALID = frozenset({40001, 40003, 40014, 42001})
_DIGITS_LIMIT = 18
_LIFETIME_LIMIT = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Account:
    """An Official Account (公众号).

    Attributes:
        name: For people.
        event_token: What WeChat signs the account's pushed events with; empty where none are taken.
        event_aes_key: Its EncodingAESKey, where pushed events are encrypted.
    """

    appid: str
    secret: str = field(repr=False)
    name: str = ""
    event_token: str = field(default="", repr=False)
    event_aes_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class TokenReply:
    """What an exchange or a refresh gives.

    Attributes:
        refresh_token: None where a refresh keeps the old one.
        expires_in: Seconds the access token lives from now on.
        is_snapshotuser: The page was shown as a snapshot (快照页): the identity is virtual. Only an exchange tells.
        unionid: Only with scope `snsapi_userinfo`, and where the account belongs to an Open Platform account.
    """

    openid: str
    scope: str
    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in: int
    is_snapshotuser: bool
    unionid: str | None


@dataclass(frozen=True, slots=True)
class UserInfo:
    """What a user shows of themself. WeChat leaves sex and place empty since 2021, so they are not here.

    Attributes:
        avatar_url: An http(s) address, or empty.
    """

    openid: str
    nickname: str
    avatar_url: str
    unionid: str | None


def is_wellformed_code(code: str) -> bool:
    """Tell whether a string can be a code: 1 to 128 of `[0-9A-Za-z_-]`. Codes of about 32 characters are seen."""
    return _CODE.fullmatch(code) is not None


def exchange_url(api_url: str, account: Account, code: str) -> str:
    """Return the URL that exchanges a code. It holds the secret."""
    return (
        f"{api_url}{Endpoint.EXCHANGE.path}?appid={_quoted(account.appid)}&secret={_quoted(account.secret)}"
        f"&code={_quoted(code)}&grant_type=authorization_code"
    )


def refresh_url(api_url: str, appid: str, refresh_token: str) -> str:
    """Return the URL that refreshes an access token. It holds the refresh token."""
    return (
        f"{api_url}{Endpoint.REFRESH.path}?appid={_quoted(appid)}&grant_type=refresh_token"
        f"&refresh_token={_quoted(refresh_token)}"
    )


def userinfo_url(api_url: str, access_token: str, openid: str, lang: str) -> str:
    """Return the URL of a user's profile; `lang` is zh_CN, zh_TW or en. It holds the access token."""
    return (
        f"{api_url}{Endpoint.USERINFO.path}?access_token={_quoted(access_token)}&openid={_quoted(openid)}"
        f"&lang={_quoted(lang)}"
    )


def auth_url(api_url: str, access_token: str, openid: str) -> str:
    """Return the URL that tells whether an access token is valid. It holds the access token."""
    return f"{api_url}{Endpoint.AUTH.path}?access_token={_quoted(access_token)}&openid={_quoted(openid)}"


def authorize_url(
    authorize_page: str,
    appid: str,
    redirect_uri: str,
    scope: str,
    state: str,
    *,
    force_popup: bool = False,
    force_snapshot: bool = False,
) -> str:
    """Return the address to send the user's browser to.

    Args:
        authorize_page: WeChat's page, without a query.
        appid: The account.
        redirect_uri: Where the code goes; its host must be one of the account's authorization domains.
        scope: `snsapi_base` (silent) or `snsapi_userinfo` (asks the user).
        state: Comes back with the code; at most 128 of `[0-9A-Za-z]`, or WeChat's page fails.
        force_popup: Ask the user even where WeChat would not.
        force_snapshot: Show the page as a snapshot, to try it out.
    """
    extras = f"{'&forcePopup=true' * force_popup}{'&forceSnapShot=true' * force_snapshot}"
    return (
        f"{authorize_page}?appid={_quoted(appid)}&redirect_uri={_quoted(redirect_uri)}&response_type=code"
        f"&scope={_quoted(scope)}&state={_quoted(state)}{extras}#wechat_redirect"
    )


def parse_token_reply(body: bytes, appid: str = "") -> TokenReply:
    """Read the answer to an exchange.

    Raises:
        WeChatRefusal: WeChat answered with an errcode.
        WeChatFault: It is not a reply of WeChat's.
    """
    reply = _Reply(Endpoint.EXCHANGE, body, appid)
    return _token_reply(reply, reply.identifier("refresh_token"))


def parse_refresh_reply(body: bytes, appid: str = "") -> TokenReply:
    """Read the answer to a refresh. It may leave the refresh token out.

    Raises:
        WeChatRefusal: WeChat answered with an errcode.
        WeChatFault: It is not a reply of WeChat's.
    """
    reply = _Reply(Endpoint.REFRESH, body, appid)
    return _token_reply(reply, reply.optional_identifier("refresh_token"))


def parse_userinfo(body: bytes, appid: str = "") -> UserInfo:
    """Read a user's profile.

    Raises:
        WeChatRefusal: WeChat answered with an errcode.
        WeChatFault: It is not a reply of WeChat's.
    """
    reply = _Reply(Endpoint.USERINFO, body, appid)
    return UserInfo(
        openid=reply.identifier("openid"),
        nickname=reply.words("nickname"),
        avatar_url=reply.web_address("headimgurl"),
        unionid=reply.optional_identifier("unionid"),
    )


def parse_auth_reply(body: bytes, appid: str = "") -> bool:
    """Read whether an access token is valid.

    Raises:
        WeChatRefusal: WeChat could not tell: an errcode that says nothing about the token.
        WeChatFault: It is not a reply of WeChat's.
    """
    try:
        reply = _Reply(Endpoint.AUTH, body, appid)
    except WeChatRefusal as refusal:
        if refusal.errcode in _TOKEN_NOT_VALID:
            return False
        raise
    return reply.says_ok()


class _Reply:
    """A decoded reply that is not a refusal. Its readers name the field they miss, never a value."""

    __slots__ = ("_appid", "_endpoint", "_fields")

    def __init__(self, endpoint: Endpoint, body: bytes, appid: str) -> None:
        self._endpoint = endpoint
        self._appid = appid
        is_json = True
        fields: Any = None
        try:
            fields = _DECODER.decode(body.decode())
        except (ValueError, RecursionError):
            is_json = False
        if not is_json:  # raised out here, for the decoder's error holds the body and must not be chained to ours
            raise WeChatFault(endpoint, appid, FaultReason.NOT_JSON, reply_started=True)
        if not isinstance(fields, dict):
            raise self._malformed("it is not an object")
        self._fields: dict[str, Any] = fields
        if "errcode" in fields:
            self._refuse_unless_ok()

    def identifier(self, name: str) -> str:
        """Return a mandatory string of visible ASCII characters."""
        value = self._fields.get(name)
        if not _is_identifier(value):
            raise self._malformed(f"{name} is missing or malformed")
        return value

    def optional_identifier(self, name: str) -> str | None:
        """Return a string of visible ASCII characters where there is one."""
        value = self._fields.get(name)
        return value if _is_identifier(value) else None

    def lifetime(self, name: str) -> int:
        """Return a mandatory number of seconds."""
        seconds = _number(self._fields.get(name))
        if seconds is None or not 0 < seconds <= _LIFETIME_LIMIT:
            raise self._malformed(f"{name} is missing or malformed")
        return seconds

    def flag(self, name: str) -> bool:
        """Tell whether an optional flag is set: 1."""
        return _number(self._fields.get(name)) == 1

    def words(self, name: str) -> str:
        """Return a string meant for people, without what databases and terminals choke on; empty where missing."""
        value = self._fields.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self._malformed(f"{name} is malformed")
        # A nickname cut in the middle of an emoji holds half of a surrogate pair, which no encoding can write.
        whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return _CONTROL_CHARACTERS.sub("", whole)

    def web_address(self, name: str) -> str:
        """Return an http(s) address; empty for anything else, which must never end up in a page."""
        value = self._fields.get(name)
        return value if _is_identifier(value) and value.startswith(("https://", "http://")) else ""

    def says_ok(self) -> bool:
        """Return True for a reply whose errcode is 0."""
        if "errcode" not in self._fields:
            raise self._malformed("errcode is missing")
        return True

    def _refuse_unless_ok(self) -> None:
        errcode = _number(self._fields["errcode"])
        if errcode is None:
            raise self._malformed("errcode is malformed")
        if errcode != 0:
            errmsg = self._fields.get("errmsg")
            raise WeChatRefusal(self._endpoint, self._appid, errcode, errmsg if isinstance(errmsg, str) else "")

    def _malformed(self, detail: str) -> WeChatFault:
        return WeChatFault.malformed(self._endpoint, self._appid, detail)


def _token_reply(reply: _Reply, refresh_token: str | None) -> TokenReply:
    return TokenReply(
        openid=reply.identifier("openid"),
        scope=reply.identifier("scope"),
        access_token=reply.identifier("access_token"),
        refresh_token=refresh_token,
        expires_in=reply.lifetime("expires_in"),
        is_snapshotuser=reply.flag("is_snapshotuser"),
        unionid=reply.optional_identifier("unionid"),
    )


def _is_identifier(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and value != "" and value.isascii() and value.isprintable()


def _number(value: Any) -> int | None:
    """Return an integer written as a number or as a string; None for anything else."""
    if isinstance(value, str) and len(value) <= _DIGITS_LIMIT and value.removeprefix("-").isdecimal():
        return int(value)
    return value if type(value) is int and abs(value) < 10**_DIGITS_LIMIT else None


def _quoted(value: str) -> str:
    # Appids, secrets and many codes need no encoding, and seeing that costs a tenth of encoding them.
    return value if value.isascii() and value.isalnum() else quote(value, safe="")
