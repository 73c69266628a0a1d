"""What each errcode of WeChat means for the service, and what a person can do about it.

The numbers and their meaning are those of Tencent's pages on web authorization (网页授权) and of its table of global
return codes (全局返回码).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from service.wechat.endpoints import Endpoint

__all__ = ["AUTHORIZE_PAGE_ERRCODES", "ERRCODES", "Errcode", "Kind", "Text", "kind_of", "remedy_of", "summary_of"]


class Kind(StrEnum):
    """What a failure asks for."""

    RETRY = "retry"  #: the same call may succeed later
    RATE_LIMITED = "rate_limited"  #: the account's quota is spent; pause its calls
    REFRESH = "refresh"  #: the access token has ended; refresh it and repeat once
    REAUTHORIZE = "reauthorize"  #: only the user can mend it, by authorizing again
    UPGRADE_SCOPE = "upgrade_scope"  #: the grant is too narrow; ask for snsapi_userinfo
    CONFIGURATION = "configuration"  #: every call of the account fails until an operator mends its settings
    BLOCKED = "blocked"  #: WeChat has limited the account or the user
    REQUEST = "request"  #: the request itself was wrong
    UNKNOWN = "unknown"  #: a number that is not in the table


class Text(NamedTuple):
    """The same words in both languages of the service's operators."""

    en: str
    zh: str

    def in_(self, locale: str) -> str:
        """Return the Chinese words for any Chinese locale (`zh`, `zh_CN`, `zh-Hant` …), the English ones otherwise."""
        return self.zh if locale.lower().startswith("zh") else self.en


@dataclass(frozen=True, slots=True)
class Errcode:
    """One row of the table."""

    errcode: int
    kind: Kind
    summary: Text
    remedy: Text


_WAIT = Text(
    "Nothing to do: the service tries again by itself. If it lasts, look at WeChat's status and at the network.",
    "无需处理：服务会自动重试。若持续出现，请检查微信服务状态和网络。",
)
_AUTHORIZE_AGAIN = Text(
    "Send the user through the authorize page again.",
    "请让用户重新进入授权页面完成授权。",
)
_NEW_CODE = Text(
    "Send the user through the authorize page again. The page must post each code once and then take it out of its "
    "address.",
    "请让用户重新进入授权页面。页面应只提交一次 code，并在提交后将其从地址栏移除。",
)
_NOTHING_BUT_REFRESH = Text(
    "Nothing to do: the service refreshes the token by itself.",
    "无需处理：服务会自动刷新令牌。",
)
_CHECK_APPID = Text(
    "Check the appid in the settings: it must be the Official Account's own, as shown in its console.",
    "请检查配置中的 appid：必须是公众号后台显示的该公众号自己的 AppID。",
)
_CHECK_SECRET = Text(
    "Check the secret in the settings. If it was reset in the account's console, enter the new one and restart.",
    "请检查配置中的 AppSecret。如已在公众号后台重置，请填入新的 AppSecret 并重启服务。",
)
_REPORT = Text(
    "The service sent a request that WeChat does not accept. Report it with the rid.",
    "服务发出的请求不被微信接受，请附上 rid 反馈该问题。",
)

#: What WeChat's API answers.
ERRCODES: tuple[Errcode, ...] = (
    Errcode(-1, Kind.RETRY, Text("WeChat is busy", "系统繁忙"), _WAIT),
    Errcode(
        40001,
        Kind.REFRESH,
        Text(
            "the secret is wrong, or the access token is invalid or not the latest",
            "AppSecret 错误，或 access_token 无效或不是最新",
        ),
        Text(
            "When a code was exchanged: check the secret in the settings. Otherwise nothing to do: the service "
            "refreshes the token by itself.",
            "若发生在换取 code 时：请检查配置中的 AppSecret；其他情况无需处理，服务会自动刷新令牌。",
        ),
    ),
    Errcode(40002, Kind.REQUEST, Text("the grant_type is invalid", "grant_type 不合法"), _REPORT),
    Errcode(
        40003,
        Kind.REQUEST,
        Text("the openid is invalid", "openid 不合法"),
        Text(
            "The openid belongs to another account. Check that openid and appid are asked for together.",
            "openid 属于其他公众号，请检查 openid 与 appid 是否对应。",
        ),
    ),
    Errcode(40013, Kind.CONFIGURATION, Text("the appid is invalid", "appid 不合法"), _CHECK_APPID),
    Errcode(40014, Kind.REFRESH, Text("the access token is invalid", "access_token 不合法"), _NOTHING_BUT_REFRESH),
    Errcode(40029, Kind.REAUTHORIZE, Text("the code is invalid", "code 无效"), _NEW_CODE),
    Errcode(40030, Kind.REAUTHORIZE, Text("the refresh token is invalid", "refresh_token 不合法"), _AUTHORIZE_AGAIN),
    Errcode(40125, Kind.CONFIGURATION, Text("the secret is wrong", "AppSecret 不正确"), _CHECK_SECRET),
    Errcode(40163, Kind.REAUTHORIZE, Text("the code was used before", "code 已被使用"), _NEW_CODE),
    Errcode(
        40164,
        Kind.CONFIGURATION,
        Text("the server's address is not in the account's IP list", "调用接口的 IP 不在白名单中"),
        Text(
            "Add the address from which this server reaches the internet to the IP list in the account's console.",
            "请在公众号后台将本服务器的出口 IP 加入 IP 白名单。",
        ),
    ),
    Errcode(41001, Kind.REQUEST, Text("the access token is missing", "缺少 access_token 参数"), _REPORT),
    Errcode(41002, Kind.REQUEST, Text("the appid is missing", "缺少 appid 参数"), _REPORT),
    Errcode(41003, Kind.REQUEST, Text("the refresh token is missing", "缺少 refresh_token 参数"), _REPORT),
    Errcode(41004, Kind.REQUEST, Text("the secret is missing", "缺少 secret 参数"), _REPORT),
    Errcode(
        41008,
        Kind.REQUEST,
        Text("the code is missing", "缺少 code 参数"),
        Text(
            "The page posted no code. It must take the code from its address; a user who declined brings none.",
            "页面未提交 code。请从页面地址中取得 code；用户拒绝授权时地址中没有 code。",
        ),
    ),
    Errcode(41009, Kind.REQUEST, Text("the openid is missing", "缺少 openid 参数"), _REPORT),
    Errcode(42001, Kind.REFRESH, Text("the access token has expired", "access_token 已过期"), _NOTHING_BUT_REFRESH),
    Errcode(42002, Kind.REAUTHORIZE, Text("the refresh token has expired", "refresh_token 已过期"), _AUTHORIZE_AGAIN),
    Errcode(42003, Kind.REAUTHORIZE, Text("the code has expired", "code 已过期"), _NEW_CODE),
    Errcode(
        42007,
        Kind.REAUTHORIZE,
        Text("the user changed the password, which ended the tokens", "用户修改微信密码，令牌已失效"),
        _AUTHORIZE_AGAIN,
    ),
    Errcode(43001, Kind.REQUEST, Text("the request must be a GET", "需要 GET 请求"), _REPORT),
    Errcode(
        43003,
        Kind.REQUEST,
        Text("the request must use HTTPS", "需要 HTTPS 请求"),
        Text("Use an https:// address for WeChat's API.", "请将微信 API 地址配置为 https:// 开头。"),
    ),
    Errcode(
        45009,
        Kind.RATE_LIMITED,
        Text("the account's quota of the day is spent", "接口调用超过当日限额"),
        Text(
            "Calls pause until WeChat allows them again. The quota can be reset in the account's console.",
            "调用将暂停至微信恢复额度。可在公众号后台清零调用次数。",
        ),
    ),
    Errcode(
        45011,
        Kind.RATE_LIMITED,
        Text("the account's quota of the minute is spent", "接口调用太频繁（分钟级限额）"),
        Text(
            "Calls pause until the next minute. If it recurs, look for a flood of requests with bad codes.",
            "调用将暂停到下一分钟。若反复出现，请排查是否有大量无效 code 的请求。",
        ),
    ),
    Errcode(
        48001,
        Kind.UPGRADE_SCOPE,
        Text("the grant does not allow this call", "该授权没有此接口权限"),
        Text(
            "Send the user through the authorize page with scope snsapi_userinfo. If that was done, check that the "
            "account is a verified service account.",
            "请以 snsapi_userinfo 作用域让用户重新授权。若已如此，请确认公众号为已认证的服务号。",
        ),
    ),
    Errcode(
        48004,
        Kind.BLOCKED,
        Text("WeChat has blocked this call for the account", "接口已被封禁"),
        Text("See the messages in the account's console for the reason.", "请登录公众号后台查看封禁原因。"),
    ),
    Errcode(
        48017,
        Kind.CONFIGURATION,
        Text("the account may not use this call", "该账号无权使用此接口"),
        Text(
            "Check in the account's console that web authorization is granted to it, and that the appid is its own.",
            "请在公众号后台确认已获得网页授权权限，并确认 appid 属于该公众号。",
        ),
    ),
    Errcode(
        50001,
        Kind.REAUTHORIZE,
        Text("the user has not authorized this call, or no longer does", "用户未授权该接口或已取消授权"),
        _AUTHORIZE_AGAIN,
    ),
    Errcode(
        50002,
        Kind.BLOCKED,
        Text("WeChat has limited the user or the account", "用户受限"),
        Text(
            "See the messages in the account's console. A limited user can only be helped by WeChat.",
            "请登录公众号后台查看通知；受限用户需自行联系微信处理。",
        ),
    ),
)

_CHECK_AUTHORIZE_URL = Text(
    "Check the authorize URL: every parameter in WeChat's order, and the Official Account's own appid.",
    "请检查授权链接：参数须齐全且顺序正确，并使用公众号自己的 AppID。",
)

#: What WeChat's authorize page shows to the user. The service never receives these; they are here for their remedies.
AUTHORIZE_PAGE_ERRCODES: tuple[Errcode, ...] = (
    Errcode(
        10003,
        Kind.CONFIGURATION,
        Text("the host of redirect_uri is not the registered domain", "redirect_uri 域名与后台配置不一致"),
        Text(
            "Register the exact host of the page as an authorization domain (网页授权域名) in the account's console.",
            "请在公众号后台将页面的域名登记为网页授权域名（须完全一致）。",
        ),
    ),
    Errcode(
        10005,
        Kind.CONFIGURATION,
        Text("the account may not ask for this scope", "公众号没有该 scope 的权限"),
        Text("Only verified service accounts may ask for it.", "仅已认证的服务号可使用该作用域。"),
    ),
    Errcode(
        10006,
        Kind.CONFIGURATION,
        Text("the user must follow the test account first", "必须先关注此测试号"),
        Text("Follow the test account with the user's WeChat.", "请先用该微信关注测试号。"),
    ),
    Errcode(
        10009,
        Kind.RATE_LIMITED,
        Text("too many requests", "操作太频繁"),
        Text(
            "Wait a little. If it recurs, look for a page that redirects in a loop.",
            "请稍后重试。若反复出现，请检查页面是否循环跳转。",
        ),
    ),
    *(
        Errcode(
            errcode,
            Kind.REQUEST,
            Text("a parameter of the authorize URL is missing or wrong", "授权链接的参数缺失或错误"),
            _CHECK_AUTHORIZE_URL,
        )
        for errcode in range(10012, 10017)
    ),
)

_UNKNOWN = Text(
    "WeChat's table of return codes may explain the number; its support can look the rid up.",
    "请在微信全局返回码表中查询该错误码，或凭 rid 联系微信技术支持。",
)

_KINDS = {row.errcode: row.kind for row in ERRCODES}
_ROWS = {row.errcode: row for row in (*ERRCODES, *AUTHORIZE_PAGE_ERRCODES)}

_WHERE_IT_MATTERS = {
    # No token takes part in an exchange: what is wrong there is the secret.
    (40001, Endpoint.EXCHANGE): Kind.CONFIGURATION,
    # A refresh sends no secret and asks for a new access token, so these speak of one stale token. They must neither
    # stop the account nor end the authorization: a newer token may just have been stored.
    (40001, Endpoint.REFRESH): Kind.RETRY,
    (40014, Endpoint.REFRESH): Kind.RETRY,
    (42001, Endpoint.REFRESH): Kind.RETRY,
}


def kind_of(errcode: int, endpoint: Endpoint) -> Kind:
    """Tell what an errcode asks for when `endpoint` answers it."""
    return _WHERE_IT_MATTERS.get((errcode, endpoint)) or _KINDS.get(errcode, Kind.UNKNOWN)


def summary_of(errcode: int | None, locale: str) -> str:
    """Say what an errcode means; None stands for a call that got no usable answer."""
    if errcode is None:
        return Text("no usable answer from WeChat", "未收到微信的有效回复").in_(locale)
    row = _ROWS.get(errcode)
    return (row.summary if row else Text("unknown errcode", "未知错误码")).in_(locale)


def remedy_of(errcode: int | None, locale: str) -> str:
    """Say what a person can do about an errcode; None stands for a call that got no usable answer."""
    if errcode is None:
        return _WAIT.in_(locale)
    row = _ROWS.get(errcode)
    return (row.remedy if row else _UNKNOWN).in_(locale)
