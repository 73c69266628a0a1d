"""What can go wrong when WeChat is asked.

WeChatError              anything but the answer asked for; `kind` says what to do
├── WeChatRefusal        WeChat answered with an errcode
└── WeChatFault          no usable answer: the network, a server in between, or not a reply of WeChat's; `reason`

Their texts say what failed, for which account, WeChat's rid, and the remedy. They never hold a secret, a token, a code
or a URL, and nothing they are chained to does.
"""

import re
from enum import StrEnum
from typing import Self

from service.wechat.endpoints import Endpoint
from service.wechat.errcodes import Errcode, Kind, Text, kind_of, remedy_of, summary_of

__all__ = [
    "Errcode",
    "FaultReason",
    "Kind",
    "Text",
    "WeChatError",
    "WeChatFault",
    "WeChatRefusal",
    "kind_of",
    "remedy_of",
    "summary_of",
]

_ERRMSG_LIMIT = 200
#: WeChat marks each refusal for its support: `, rid: 6206378a-793424c0-2e4091cc` or `, hints: [ req_id: s3ClBa0 ]`.
#: Anything longer in its place is taken for a credential.
_RID = re.compile(
    r"[,;]? ?(?:hints: ?)?\[? ?\b(?:rid|req_id) ?: ?((?:[0-9a-f]{1,8}-){2}[0-9a-f]{1,8}|[\w.-]{1,19})(?![\w.-]) ?\]?",
    re.ASCII,
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
    FaultReason.TIMEOUT: Text("no answer in time", "等待回复超时"),
    FaultReason.CONNECTION: Text("the connection failed", "连接失败"),
    FaultReason.HTTP_STATUS: Text("an HTTP status other than 200", "HTTP 状态码不是 200"),
    FaultReason.NOT_JSON: Text("the reply is not JSON", "回复不是 JSON"),
    FaultReason.TOO_LARGE: Text("the reply is too large", "回复过大"),
    FaultReason.MALFORMED: Text("not a reply of WeChat's", "不是微信的回复"),
}
_CHECK_NETWORK = Text(
    "Check that this server reaches WeChat's API (name resolution, firewall, certificates). The service tries again "
    "by itself where that is safe.",
    "请检查本服务器能否访问微信 API（域名解析、防火墙、证书）。在安全的情况下服务会自动重试。",
)
_CHECK_WHO_ANSWERS = Text(
    "Something other than WeChat answered. Check the API's address in the settings and any proxy on the way.",
    "回复并非来自微信。请检查配置中的 API 地址以及途中的代理。",
)


class WeChatError(Exception):
    """WeChat did not give the answer asked for.

    Attributes:
        kind: What the failure asks for.
        endpoint: The call that failed.
        appid: The account it was made for.
        errcode: WeChat's number; None where WeChat did not answer with one.
        errmsg: WeChat's words or the service's own, fit for logs.
        rid: What WeChat's support can look the call up by.
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
        """Say what a person can do about it, in Chinese for a Chinese locale, in English otherwise."""
        return remedy_of(self.errcode, locale)


class WeChatRefusal(WeChatError):
    """WeChat answered with an errcode.

    Args:
        endpoint: The call that was refused.
        appid: The account it was made for.
        errcode: WeChat's number.
        errmsg: WeChat's words as they came. Its rid is taken out, and whatever looks like a credential.
    """

    errcode: int

    def __init__(self, endpoint: Endpoint, appid: str, errcode: int, errmsg: str = "") -> None:
        text, rid = _fit_for_logs(errmsg)
        words = f" {text}" if text else ""
        mark = f" (rid {rid})" if rid else ""
        super().__init__(
            f"WeChat refused {endpoint} for {appid or 'an account'}: {errcode}{words}{mark}",
            kind=kind_of(errcode, endpoint),
            endpoint=endpoint,
            appid=appid,
            errcode=errcode,
            errmsg=text,
            rid=rid,
        )


class WeChatFault(WeChatError):
    """There is no usable answer. Whether WeChat acted on the request is unknown: a code may be spent.

    Args:
        endpoint: The call that failed.
        appid: The account it was made for.
        reason: What happened.
        reply_started: Whether any byte of a reply may have been seen.
        detail: More words about it, of the service's own making, so that they cannot hold a credential.
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
        """Say what a person can do about it, in Chinese for a Chinese locale, in English otherwise."""
        by_network = self.reason in (FaultReason.TIMEOUT, FaultReason.CONNECTION)
        return (_CHECK_NETWORK if by_network else _CHECK_WHO_ANSWERS).in_(locale)


def _fit_for_logs(errmsg: str) -> tuple[str, str | None]:
    """Split WeChat's words into a short line without credentials, and the rid."""
    # Spaces are joined first: it keeps the line in one piece, and the pattern's work in proportion to its length.
    text = " ".join("".join(char if char.isprintable() else " " * char.isspace() for char in errmsg).split())
    found = _RID.search(text)
    rid = found[1] if found else None
    text = _CREDENTIAL.sub("***", _RID.sub("", text)).strip(" ,;:")
    return text[:_ERRMSG_LIMIT], rid
