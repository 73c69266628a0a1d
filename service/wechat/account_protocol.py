"""An account's own access token and tickets as plain data: requests, replies, and the signature of `wx.config`. No I/O.

Sources, all of Tencent's documentation: 获取稳定版接口调用凭据 (`stable_token`), 获取 ticket (`getticket`), and JS-SDK
说明文档, 附录 1 (the signature). This access token (接口调用凭据) is another one than that of web authorization.
"""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

from service.wechat.endpoints import ACCOUNT_CREDENTIAL_SECONDS, Endpoint
from service.wechat.protocol import Account
from service.wechat.reply_fields import ReplyFields

__all__ = [
    "JSAPI",
    "WX_CARD",
    "CredentialReply",
    "parse_stable_token",
    "parse_ticket",
    "sign_jsapi",
    "stable_token_body",
    "ticket_url",
]

#: The types of tickets: of `wx.config`, and of cards (微信卡券).
JSAPI: Final = "jsapi"
WX_CARD: Final = "wx_card"


@dataclass(frozen=True, slots=True)
class CredentialReply:
    """An access token or a ticket.

    Attributes:
        expires_in: Seconds it lives from now on, WeChat's 7200 at most and where the reply does not say.
    """

    value: str = field(repr=False)
    expires_in: int


def stable_token_body(account: Account, *, force: bool) -> bytes:
    """Return the body that asks for the access token. It holds the secret.

    Args:
        account: Whose.
        force: Make a new one and end the one there is, which WeChat allows 20 times a day, 30 seconds apart. Otherwise
            it gives the one there is until 5 minutes before its end, and then a new one while both live.
    """
    fields = {
        "grant_type": "client_credential",
        "appid": account.appid,
        "secret": account.secret,
        "force_refresh": force,
    }
    return json.dumps(fields).encode()


def ticket_url(api_url: str, access_token: str, ticket_type: str) -> str:
    """Return the URL of a ticket. It holds the access token."""
    return f"{api_url}{Endpoint.TICKET.path}?{urlencode({'access_token': access_token, 'type': ticket_type})}"


def parse_stable_token(body: bytes, appid: str = "") -> CredentialReply:
    """Read an access token. Only that must be there.

    Raises:
        WeChatRefusal: WeChat answered with an errcode.
        WeChatFault: It is not a reply of WeChat's.
    """
    return _credential(ReplyFields(Endpoint.STABLE_TOKEN, body, appid), "access_token")


def parse_ticket(body: bytes, appid: str = "") -> CredentialReply:
    """Read a ticket. Only that must be there.

    Raises:
        WeChatRefusal: WeChat answered with an errcode.
        WeChatFault: It is not a reply of WeChat's.
    """
    return _credential(ReplyFields(Endpoint.TICKET, body, appid), "ticket")


def sign_jsapi(ticket: str, nonce: str, timestamp: int, url: str) -> str:
    """Return the `signature` of `wx.config` for a page.

    Args:
        ticket: The account's jsapi ticket, which no page may see.
        nonce: What the page is given as `nonceStr`; here it is called `noncestr`.
        timestamp: Seconds since the epoch, as the page is given them.
        url: The page's address as its browser has it, query and all. What begins with `#` does not count.
    """
    signed = f"jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={url.partition('#')[0]}"
    return hashlib.sha1(signed.encode(), usedforsecurity=False).hexdigest()


def _credential(reply: ReplyFields, name: str) -> CredentialReply:
    lifetime = reply.number("expires_in") or 0
    is_believed = 0 < lifetime <= ACCOUNT_CREDENTIAL_SECONDS
    return CredentialReply(
        reply.required(name, reply.token(name)), lifetime if is_believed else ACCOUNT_CREDENTIAL_SECONDS
    )
