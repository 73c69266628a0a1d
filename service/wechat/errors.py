"""The errors of calls to WeChat.

WeChatError              the call failed; `kind` says what to do
├── WeChatRefusal        WeChat answered with an errcode
└── WeChatFault          no usable answer: the network, a server in between, or not a reply of WeChat's; `reason`

Their texts say what failed, for which account, WeChat's rid, and the remedy. They never hold a secret, a token, a code
or a URL, and nothing they are chained to does.
"""

import re
from enum import StrEnum
from typing import Self

from service.wechat.endpoints import Endpoint
from service.wechat.errcodes import EXCHANGE_FAILED, Kind, Text, kind_of, remedy_of

__all__ = ["FaultReason", "WeChatError", "WeChatFault", "WeChatRefusal"]

_ERRMSG_LIMIT = 200
#: WeChat marks each refusal for its support. Anything longer in the place of the mark is taken for a credential.
_MARK = r"(?:[0-9a-f]{1,8}-){2}[0-9a-f]{1,8}|[\w.-]{1,19}"
#: Recorded: `, rid: 6206378a-793424c0-2e4091cc`, `, hints: [ req_id: s3ClBa0 ]`, `req id: BXk0ha0815ns55, …`,
#: ` hints: [jHmbeZXMRa-Rkng4a!]` and ` hint: [Ln36_0041e575]`.
_RID = re.compile(
    rf"[,;]? ?(?:hints? ?: ?)?\[? ?\b(?:rid|req(?:uest)?[_ -]?id) ?[:=：] ?({_MARK})(?![\w.-])!? ?\]?"
    rf"|[,;]? ?\bhints? ?: ?\[ ?({_MARK})!? ?\]",
    re.ASCII | re.IGNORECASE,
)
#: Secrets have 32 characters, codes about 32, openids 28, tokens over 100; no word of WeChat's texts is this long.
_CREDENTIAL = re.compile(r"[\w+/=-]{20,}", re.ASCII)


class FaultReason(StrEnum):
    """Why there is no usable answer."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    HTTP_STATUS = "http_status"
    NOT_JSON = "not_json"
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"


_FAULTS = {
    FaultReason.TIMEOUT: Text("no answer in time", "请求超时"),
    FaultReason.CONNECTION: Text("the connection failed", "连接失败"),
    FaultReason.HTTP_STATUS: Text("an HTTP status other than 200", "HTTP 状态码不是 200"),
    FaultReason.NOT_JSON: Text("the reply is not JSON", "返回内容不是 JSON"),
    FaultReason.TOO_LARGE: Text("the reply is too large", "返回内容过大"),
    FaultReason.MALFORMED: Text("not a reply from WeChat", "返回内容不是微信接口的格式"),
}
_CHECK_NETWORK = Text(
    "Check that this server reaches WeChat's API (name resolution, firewall, certificates).",
    "请检查本服务器能否访问微信 API（域名解析、防火墙、证书）。",
)
_CHECK_WHO_ANSWERS = Text(
    "Something other than WeChat answered. Check WECHAT_API_URL in the settings and any proxy on the way.",
    "应答并非来自微信，请检查配置中的 WECHAT_API_URL 以及中间的代理。",
)


class WeChatError(Exception):
    """A call to WeChat failed.

    Attributes:
        kind: What the failure asks for.
        endpoint: The call that failed.
        appid: The account it was made for.
        errcode: WeChat's number; None where WeChat did not answer with one.
        errmsg: WeChat's text or the service's own, without credentials and on one line.
        rid: The number by which WeChat's support finds the call.
    """

    def __init__(
        self,
        summary: str,
        *,
        kind: Kind,
        endpoint: Endpoint,
        appid: str,
        errcode: int | None = None,
        errmsg: str = "",
        rid: str | None = None,
    ) -> None:
        self.kind = kind
        self.endpoint = endpoint
        self.appid = appid
        self.errcode = errcode
        self.errmsg = errmsg
        self.rid = rid
        super().__init__(f"{summary}. {self.remedy}")

    @property
    def remedy(self) -> str:
        """What a person can do about it, in English."""
        return self.remedy_in("en")

    def remedy_in(self, locale: str) -> str:
        """Return what a person can do about it, in Chinese for a Chinese locale, in English otherwise."""
        return remedy_of(self.errcode, locale, self.endpoint)


class WeChatRefusal(WeChatError):
    """WeChat answered with an errcode.

    Args:
        endpoint: The call that was refused.
        appid: The account it was made for.
        errcode: WeChat's number.
        errmsg: WeChat's text as it came. The rid is taken out, and whatever looks like a credential.
        rid: The rid as it came in a field of its own, if it did.
    """

    errcode: int

    def __init__(self, endpoint: Endpoint, appid: str, errcode: int, errmsg: str = "", *, rid: str = "") -> None:
        text, rid_in_text = _for_logs(errmsg)
        rid_found = rid_in_text or _for_logs(f"rid: {rid}")[1]
        words = f" {text}" if text else ""
        mark = f" (rid {rid_found})" if rid_found else ""
        super().__init__(
            f"WeChat refused {endpoint} for {appid or 'an account'}: {errcode}{words}{mark}",
            kind=kind_of(errcode, endpoint),
            endpoint=endpoint,
            appid=appid,
            errcode=errcode,
            errmsg=text,
            rid=rid_found,
        )


class WeChatFault(WeChatError):
    """There is no usable answer. Whether WeChat acted on the request is unknown: a code may have been used.

    Args:
        endpoint: The call that failed.
        appid: The account it was made for.
        reason: What happened.
        reply_started: Whether any byte of a reply may have been seen.
        detail: More about it, in the service's own words, so that it cannot hold a credential.
    """

    errcode: None

    def __init__(
        self, endpoint: Endpoint, appid: str, reason: FaultReason, *, reply_started: bool, detail: str = ""
    ) -> None:
        self.reason = reason
        self.reply_started = reply_started
        text = f"{_FAULTS[reason].en}: {detail}" if detail else _FAULTS[reason].en
        super().__init__(
            f"WeChat gave no usable answer to {endpoint} for {appid or 'an account'}: {text}",
            kind=Kind.RETRY,
            endpoint=endpoint,
            appid=appid,
            errmsg=text,
        )

    @classmethod
    def malformed(cls, endpoint: Endpoint, appid: str, detail: str) -> Self:
        """Make the fault of a reply that is JSON but not what WeChat documents."""
        return cls(endpoint, appid, FaultReason.MALFORMED, reply_started=True, detail=detail)

    def remedy_in(self, locale: str) -> str:
        """Return what a person can do about it, in Chinese for a Chinese locale, in English otherwise."""
        by_network = self.reason in (FaultReason.TIMEOUT, FaultReason.CONNECTION)
        remedy = (_CHECK_NETWORK if by_network else _CHECK_WHO_ANSWERS).in_(locale)
        return f"{remedy} {EXCHANGE_FAILED.in_(locale)}" if self.endpoint is Endpoint.EXCHANGE else remedy


def _for_logs(errmsg: str) -> tuple[str, str | None]:
    """Split WeChat's text into a short line without credentials, and the rid."""
    # Spaces are joined first: it keeps the line in one piece, and the pattern's work in proportion to its length.
    text = " ".join("".join(char if char.isprintable() else " " * char.isspace() for char in errmsg).split())
    found = _RID.search(text)
    rid = (found[1] or found[2]) if found else None
    text = _CREDENTIAL.sub("***", _RID.sub("", text)).strip(" ,;:")
    return text[:_ERRMSG_LIMIT], rid
