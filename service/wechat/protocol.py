"""WeChat's web authorization as plain data: the URLs of its requests and the fields of its replies. No I/O.

The order of the parameters is the one of Tencent's pages on web authorization (网页授权); the authorize page compares
it strictly. HTTP's status is 200 whatever the answer: the errcode alone decides. Replies are read leniently: once a
code is spent, an exchange fails only for want of an `openid` or an `access_token`.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import quote

from service.wechat.endpoints import ACCESS_TOKEN_SECONDS, REFRESH_TOKEN_SECONDS, Endpoint
from service.wechat.errors import WeChatRefusal
from service.wechat.reply_fields import ReplyFields
from service.wechat.scopes import BASE_SCOPE, LOGIN_SCOPE, WIDE_SCOPE

__all__ = [
    "DECLINED_CODE",
    "Account",
    "AccountKind",
    "TokenReply",
    "UserInfo",
    "auth_url",
    "authorize_url",
    "exchange_url",
    "is_declined",
    "is_wellformed_code",
    "parse_auth_reply",
    "parse_refresh_reply",
    "parse_token_reply",
    "parse_userinfo",
    "refresh_url",
    "userinfo_url",
]

#: What comes in the place of a code when the visitor declined, as recorded; the documents say: no code at all.
DECLINED_CODE: Final = "authdeny"
_CODE: Final = re.compile(r"[0-9A-Za-z_-]{1,128}")
#: Answers of `sns/auth` that say: this token is not valid for this openid. Any other errcode is a failure to ask.
_TOKEN_NOT_VALID: Final = frozenset({40001, 40003, 40014, 42001})


class AccountKind(StrEnum):
    """What an account is at WeChat, which decides by which page its users authorize."""

    OFFICIAL = "official"  #: an Official Account (公众号); its page works in WeChat's browser only
    WEBSITE = "website"  #: a website application (网站应用) of the Open Platform; its page shows a QR code to scan


@dataclass(frozen=True, slots=True)
class Account:
    """An Official Account (公众号), or a website application (网站应用).

    Attributes:
        name: For people.
        kind: Which of the two.
        outside_wechat: The appid of the website application to which browsers other than WeChat's are sent; empty for
            none.
        event_token: What WeChat signs the account's pushed events with; empty where none are taken.
        event_aes_key: Its EncodingAESKey, where pushed events are encrypted; while it is changed, the new one and the
            last one, separated by a comma.
        event_forward_url: The team's own server, which gets everything that is pushed; empty for none.
    """

    appid: str
    secret: str = field(repr=False)
    name: str = ""
    kind: AccountKind = AccountKind.OFFICIAL
    outside_wechat: str = ""
    event_token: str = field(default="", repr=False)
    event_aes_key: str = field(default="", repr=False)
    event_forward_url: str = field(default="", repr=False)

    @property
    def scopes(self) -> tuple[str, ...]:
        """What its users may be asked for; the first is the default."""
        return (LOGIN_SCOPE,) if self.kind is AccountKind.WEBSITE else (BASE_SCOPE, WIDE_SCOPE)

    @property
    def event_aes_keys(self) -> tuple[str, ...]:
        """The keys of `event_aes_key`, the newest first."""
        return tuple(key.strip() for key in self.event_aes_key.split(",") if key.strip())

    @property
    def event_forward_address(self) -> str:
        """The address of `event_forward_url` for people to see: without its query, which may hold a key."""
        address, has_query, _ = self.event_forward_url.partition("?")
        return f"{address}?…" if has_query else address


@dataclass(frozen=True, slots=True)
class TokenReply:
    """What an exchange or a refresh gives.

    Attributes:
        scope: As `canonical_scope` writes it; empty where the reply names none: then it is what was asked.
        refresh_token: None where the reply has none; a refresh then keeps the old one.
        expires_in: Seconds the access token lives from now on; WeChat's 7200 where the reply does not say.
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
    """A user's profile. WeChat leaves sex and place empty since 2021, so they are not here.

    Attributes:
        nickname: Without control characters, at most 255 characters; may be empty.
        avatar_url: An http(s) address of at most 2048 characters, or empty.
    """

    openid: str
    nickname: str
    avatar_url: str
    unionid: str | None


def is_wellformed_code(code: str) -> bool:
    """Return whether a string can be a code: 1 to 128 of `[0-9A-Za-z_-]`. Codes of about 32 characters are seen."""
    return _CODE.fullmatch(code) is not None


def is_declined(code: str) -> bool:
    """Return whether what came in the place of a code says that the visitor declined, in capitals or not."""
    return code.strip().lower() == DECLINED_CODE


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
    """Return the address of the authorize page, for the user's browser.

    Args:
        authorize_page: WeChat's page for the kind of account, without a query.
        appid: The account.
        redirect_uri: Where the code goes; its host must be one of the account's authorization domains.
        scope: `snsapi_base` (silent), `snsapi_userinfo` (asks the user) or `snsapi_login` (shows a QR code).
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
    """Read the answer to an exchange. Only `openid` and `access_token` must be there.

    Raises:
        WeChatRefusal: WeChat answered with an errcode.
        WeChatFault: It is not a reply of WeChat's.
    """
    return _token_reply(ReplyFields(Endpoint.EXCHANGE, body, appid))


def parse_refresh_reply(body: bytes, appid: str = "") -> TokenReply:
    """Read the answer to a refresh. Only `openid` and `access_token` must be there.

    Raises:
        WeChatRefusal: WeChat answered with an errcode.
        WeChatFault: It is not a reply of WeChat's.
    """
    return _token_reply(ReplyFields(Endpoint.REFRESH, body, appid))


def parse_userinfo(body: bytes, appid: str = "") -> UserInfo:
    """Read a user's profile. Only `openid` must be there.

    Raises:
        WeChatRefusal: WeChat answered with an errcode.
        WeChatFault: It is not a reply of WeChat's.
    """
    reply = ReplyFields(Endpoint.USERINFO, body, appid)
    return UserInfo(
        openid=reply.required("openid", reply.identifier("openid")),
        nickname=reply.display_text("nickname"),
        avatar_url=reply.web_address("headimgurl"),
        unionid=reply.identifier("unionid"),
    )


def parse_auth_reply(body: bytes, appid: str = "") -> bool:
    """Read whether an access token is valid.

    Raises:
        WeChatRefusal: WeChat could not tell: an errcode that says nothing about the token.
        WeChatFault: It is not a reply of WeChat's.
    """
    try:
        reply = ReplyFields(Endpoint.AUTH, body, appid)
    except WeChatRefusal as refusal:
        if refusal.errcode in _TOKEN_NOT_VALID:
            return False
        raise
    return reply.required("errcode", reply.number("errcode")) == 0


def _token_reply(reply: ReplyFields) -> TokenReply:
    lifetime = reply.number("expires_in") or 0
    # An access token that outlives its refresh token cannot be believed.
    is_believed = 0 < lifetime <= REFRESH_TOKEN_SECONDS
    return TokenReply(
        openid=reply.required("openid", reply.identifier("openid")),
        scope=reply.scope("scope"),
        access_token=reply.required("access_token", reply.token("access_token")),
        refresh_token=reply.token("refresh_token"),
        expires_in=lifetime if is_believed else ACCESS_TOKEN_SECONDS,
        is_snapshotuser=reply.flag("is_snapshotuser"),
        unionid=reply.identifier("unionid"),
    )


def _quoted(value: str) -> str:
    # Appids, secrets and many codes need no encoding, and seeing that costs a tenth of encoding them.
    return value if value.isascii() and value.isalnum() else quote(value, safe="")
