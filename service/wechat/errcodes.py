"""What each errcode of WeChat means for the service, and what a person can do about it, in two languages.

Sources, all of Tencent's documentation: the pages on web authorization (网页授权), the table of global return codes
(全局返回码), and the return codes of `cgi-bin/token` (获取接口调用凭据) and of `stable_token` (获取稳定版接口调用凭据),
which speak of the secret, the address and the account as the exchange does. Console pages are named as they are since
2025: AppSecret, IP list and message push in 微信开发者平台, the domains in mp.weixin.qq.com.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from service.wechat.endpoints import Endpoint

__all__ = [
    "AUTHORIZE_PAGE_ERRCODES",
    "ERRCODES",
    "EXCHANGE_FAILED",
    "STALE_TOKEN_ERRCODES",
    "Concern",
    "Errcode",
    "Kind",
    "Text",
    "concern_of",
    "kind_of",
    "remedy_of",
    "summary_of",
]


class Kind(StrEnum):
    """What a failure calls for."""

    RETRY = "retry"  #: the same call may succeed later
    RATE_LIMITED = "rate_limited"  #: the account's quota is spent; pause its calls
    REFRESH = "refresh"  #: the access token has ended; refresh it and repeat once
    REAUTHORIZE = "reauthorize"  #: the user must authorize again
    UPGRADE_SCOPE = "upgrade_scope"  #: the grant is too narrow; ask for snsapi_userinfo
    CONFIGURATION = "configuration"  #: every call fails until an operator puts settings, console or account in order
    BLOCKED = "blocked"  #: WeChat has limited the account or the user
    REQUEST = "request"  #: the request itself was wrong
    UNKNOWN = "unknown"  #: a number that is not in the table


class Concern(StrEnum):
    """Whom a failed call concerns."""

    OPERATOR = "operator"  #: somebody has to act: nothing gets better by itself, or visitors are kept out meanwhile
    VISITOR = "visitor"  #: what one visitor brought, or took back; the account is in order
    NOBODY = "nobody"  #: the service makes up for it by itself


class Text(NamedTuple):
    """A text in both languages of the service's operators."""

    en: str
    zh: str

    def in_(self, locale: str) -> str:
        """Return the Chinese text for any Chinese locale (`zh`, `zh_CN`, `zh-Hant` …), the English one otherwise."""
        return self.zh if locale.lower().startswith("zh") else self.en


@dataclass(frozen=True, slots=True)
class Errcode:
    """An errcode: what it asks for, what it means, and what a person can do."""

    errcode: int
    kind: Kind
    summary: Text
    remedy: Text


_RETRIED = Text(
    "Nothing to do: the service tries again by itself. If it lasts, check WeChat's status and the network.",
    "无需处理：服务会自动重试。若持续出现，请检查微信服务状态和网络。",
)
_ASK_AGAIN = Text(
    "Try again in a moment. If it lasts, check WeChat's status and the network.",
    "请稍后重试。若持续出现，请检查微信服务状态和网络。",
)
#: For an exchange that failed: the code may be used up, so only the user can repeat it.
EXCHANGE_FAILED = Text(
    "The code may be used up and is not exchanged again: send the user through the authorize page again.",
    "code 可能已失效，服务不会再次换取，请让用户重新进入授权页面。",
)
_UNREACHABLE = Text(
    "Visitors cannot log in while this lasts. Check that this server reaches api.weixin.qq.com (DNS, firewall, proxy) "
    "and WeChat's status.",
    "期间访客无法登录。请检查服务器到 api.weixin.qq.com 的网络（DNS、防火墙、代理）及微信服务状态。",
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
_REFRESHED = Text(
    "Nothing to do: the service refreshes the token by itself.",
    "无需处理：服务会自动刷新 access_token。",
)
_CHECK_APPID = Text(
    "Check the appid in the settings: it must be the Official Account's own, as 微信开发者平台 shows it "
    "(我的业务 → 服务号).",
    "请检查配置中的 AppID：须为该公众号自己的 AppID，可在微信开发者平台（我的业务 → 服务号）查看。",
)
_CHECK_SECRET = Text(
    "Check the AppSecret in the settings. If it was reset in 微信开发者平台 (我的业务 → 服务号), enter the new one and "
    "restart.",
    "请检查配置中的 AppSecret。如已在微信开发者平台（我的业务 → 服务号）重置，请填入新的 AppSecret 并重启服务。",
)
_UNFREEZE_SECRET = Text(
    "Unfreeze the AppSecret in 微信开发者平台 (我的业务 → 服务号). It works again after about 10 minutes.",
    "请在微信开发者平台（我的业务 → 服务号）解冻 AppSecret，约 10 分钟后生效。",
)
_ADD_ADDRESS = Text(
    "Add the address from which this server reaches the internet to the IP list (API IP 白名单) in 微信开发者平台 "
    "(我的业务 → 服务号). Where that address changes, send the calls through a proxy: WECHAT_PROXY.",
    "请在微信开发者平台（我的业务 → 服务号）将本服务器的出口 IP 加入 API IP 白名单；"
    "出口 IP 会变时，请通过代理访问微信：WECHAT_PROXY。",
)
_CONFIRM_ADDRESS = Text(
    "Ask the account's administrator to confirm this server's address in WeChat, or add it to the IP list "
    "(API IP 白名单) in 微信开发者平台 (我的业务 → 服务号).",
    "请联系公众号管理员在微信中确认本服务器的 IP，或在微信开发者平台（我的业务 → 服务号）将其加入 API IP 白名单。",
)
_SEE_ACCOUNT = Text(
    "See the account's messages and its state in mp.weixin.qq.com and in 微信开发者平台 (我的业务 → 服务号).",
    "请登录 mp.weixin.qq.com 和微信开发者平台（我的业务 → 服务号）查看通知及账号状态。",
)
_CHECK_PERMISSION = Text(
    "Check in mp.weixin.qq.com that the account is a verified service account and may use web authorization "
    "(网页授权), and that the appid is its own, as 微信开发者平台 shows it (我的业务 → 服务号).",
    "请在 mp.weixin.qq.com 确认账号为已认证的服务号且具备网页授权权限，"
    "并在微信开发者平台（我的业务 → 服务号）确认 AppID 属于该账号。",
)
_CHECK_JSSDK = Text(
    "Check in 微信开发者平台 (我的业务 → 服务号) that the account is verified and has the permission for this call, "
    "such as that of the JS-SDK.",
    "请在微信开发者平台（我的业务 → 服务号）确认账号已认证，且具备该接口的权限（如 JS-SDK）。",
)
_TOKEN_FETCHED = Text(
    "Nothing to do: the service fetches the account's current access token and asks once more. If it lasts, another "
    "server forces new tokens of this account (force_refresh): let it ask this service instead.",
    "无需处理：服务会自动重新获取该公众号的 access_token 并重试一次。若持续出现，说明有其他服务器在强制刷新"
    "（force_refresh）该公众号的 access_token，请改为从本服务获取。",
)
_NO_PLATFORM = Text(
    "This concerns a third-party platform (第三方平台). The settings need the appid and AppSecret of the Official "
    "Account itself, as 微信开发者平台 shows them (我的业务 → 服务号).",
    "该错误与第三方平台有关。请在配置中使用公众号自己的 AppID 和 AppSecret，"
    "可在微信开发者平台（我的业务 → 服务号）查看。",
)
_CHECK_API_URL = Text(
    "Check WECHAT_API_URL in the settings: WeChat knows no such call there.",
    "请检查配置中的 WECHAT_API_URL：该地址下没有此接口。",
)
_REPORT = Text(
    "The service sent a request that WeChat does not accept. Report it with the rid.",
    "服务发出的请求不被微信接受，请附上 rid 反馈该问题。",
)

#: What WeChat's API answers.
ERRCODES: tuple[Errcode, ...] = (
    Errcode(-1, Kind.RETRY, Text("WeChat is busy", "系统繁忙"), _ASK_AGAIN),
    Errcode(
        40001,
        Kind.REFRESH,
        Text(
            "the AppSecret is wrong, or the access token is invalid or not the latest",
            "AppSecret 错误，或 access_token 无效或不是最新",
        ),
        Text(
            f"When a code was exchanged: {_CHECK_SECRET.en} Otherwise nothing to do: the service refreshes the token.",
            f"若发生在换取 code 时：{_CHECK_SECRET.zh}其他情况无需处理，服务会自动刷新 access_token。",
        ),
    ),
    Errcode(40002, Kind.REQUEST, Text("the grant_type is invalid", "grant_type 不合法"), _REPORT),
    Errcode(
        40003,
        Kind.REQUEST,
        Text("the openid is invalid", "openid 不合法"),
        Text(
            "The openid belongs to another account. Check that openid and appid are asked for together.",
            "openid 属于其他公众号，请检查 openid 与 AppID 是否对应。",
        ),
    ),
    Errcode(40013, Kind.CONFIGURATION, Text("the appid is invalid", "AppID 不合法"), _CHECK_APPID),
    Errcode(40014, Kind.REFRESH, Text("the access token is invalid", "access_token 不合法"), _REFRESHED),
    Errcode(40029, Kind.REAUTHORIZE, Text("the code is invalid", "code 无效"), _NEW_CODE),
    Errcode(40030, Kind.REAUTHORIZE, Text("the refresh token is invalid", "refresh_token 不合法"), _AUTHORIZE_AGAIN),
    Errcode(40066, Kind.CONFIGURATION, Text("the URL is invalid", "URL 不合法"), _CHECK_API_URL),
    Errcode(40125, Kind.CONFIGURATION, Text("the AppSecret is wrong", "AppSecret 不正确"), _CHECK_SECRET),
    Errcode(40163, Kind.REAUTHORIZE, Text("the code was used before", "code 已被使用"), _NEW_CODE),
    Errcode(
        40164,
        Kind.CONFIGURATION,
        Text("the server's address is not in the account's IP list", "调用接口的 IP 不在白名单中"),
        _ADD_ADDRESS,
    ),
    Errcode(40187, Kind.CONFIGURATION, Text("the server's address is invalid", "IP 不合法"), _ADD_ADDRESS),
    Errcode(40200, Kind.CONFIGURATION, Text("the type of the account is invalid", "账号类型不合法"), _CHECK_PERMISSION),
    Errcode(40243, Kind.CONFIGURATION, Text("the AppSecret is frozen", "AppSecret 已被冻结"), _UNFREEZE_SECRET),
    Errcode(41001, Kind.REQUEST, Text("the access token is missing", "缺少 access_token 参数"), _REPORT),
    Errcode(41002, Kind.REQUEST, Text("the appid is missing", "缺少 appid 参数"), _REPORT),
    Errcode(41003, Kind.REQUEST, Text("the refresh token is missing", "缺少 refresh_token 参数"), _REPORT),
    Errcode(41004, Kind.REQUEST, Text("the AppSecret is missing", "缺少 secret 参数"), _REPORT),
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
    Errcode(42001, Kind.REFRESH, Text("the access token has expired", "access_token 已过期"), _REFRESHED),
    Errcode(42002, Kind.REAUTHORIZE, Text("the refresh token has expired", "refresh_token 已过期"), _AUTHORIZE_AGAIN),
    Errcode(42003, Kind.REAUTHORIZE, Text("the code has expired", "code 已过期"), _NEW_CODE),
    Errcode(
        42007,
        Kind.REAUTHORIZE,
        Text("the user changed the password, which ended the tokens", "用户修改了微信密码，token 已失效"),
        _AUTHORIZE_AGAIN,
    ),
    Errcode(43001, Kind.REQUEST, Text("the request must be a GET", "需要 GET 请求"), _REPORT),
    Errcode(
        43003,
        Kind.REQUEST,
        Text("the request must use HTTPS", "需要 HTTPS 请求"),
        Text(
            "Set WECHAT_API_URL to an address that begins with https://.",
            "请将配置中的 WECHAT_API_URL 改为 https:// 开头。",
        ),
    ),
    Errcode(
        43104,
        Kind.CONFIGURATION,
        Text("the appid lacks the permission", "该 AppID 没有权限"),
        _CHECK_PERMISSION,
    ),
    Errcode(
        45009,
        Kind.RATE_LIMITED,
        Text("the account's quota of the day is spent", "接口调用超过当日限额"),
        Text(
            "Calls pause until WeChat allows them again. The quota can be reset by WeChat's API (clear_quota).",
            "调用将暂停至额度恢复。可通过微信的 clear_quota 接口清零调用次数。",
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
        45032,
        Kind.CONFIGURATION,
        Text("the server's address is not in the list of a special account", "IP 不在特殊账号的白名单中"),
        _ADD_ADDRESS,
    ),
    Errcode(
        45035,
        Kind.CONFIGURATION,
        Text("the server's address is not registered", "调用接口的 IP 未登记，不在白名单中"),
        _ADD_ADDRESS,
    ),
    Errcode(45102, Kind.BLOCKED, Text("WeChat has blocked this call for a time", "接口被临时封禁"), _SEE_ACCOUNT),
    Errcode(45501, Kind.BLOCKED, Text("WeChat blocks requests of the account", "账号的请求被临时封禁"), _SEE_ACCOUNT),
    Errcode(
        48001,
        Kind.UPGRADE_SCOPE,
        Text("the grant does not allow this call", "该授权没有此接口权限"),
        Text(
            "Send the user through the authorize page with scope snsapi_userinfo. If that was done: "
            f"{_CHECK_PERMISSION.en}",
            f"请以 snsapi_userinfo 作用域让用户重新授权。若已如此：{_CHECK_PERMISSION.zh}",
        ),
    ),
    Errcode(48004, Kind.BLOCKED, Text("WeChat has blocked this call for the account", "接口已被封禁"), _SEE_ACCOUNT),
    Errcode(
        48017, Kind.CONFIGURATION, Text("the account may not use this call", "该账号无权使用此接口"), _CHECK_PERMISSION
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
        Text("WeChat has limited the user or the account", "用户受限，可能是账号被冻结或注销"),
        Text(
            "See the account's messages in mp.weixin.qq.com. A limited user can only be helped by WeChat.",
            "请登录 mp.weixin.qq.com 查看通知；受限用户需自行联系微信处理。",
        ),
    ),
    Errcode(
        50004, Kind.CONFIGURATION, Text("the account may not get tokens", "该账号被禁止使用 token 接口"), _SEE_ACCOUNT
    ),
    Errcode(50007, Kind.CONFIGURATION, Text("the account is frozen", "账号已冻结"), _SEE_ACCOUNT),
    Errcode(
        61003,
        Kind.CONFIGURATION,
        Text("the account has not authorized the third-party platform", "公众号未授权给该第三方平台"),
        _NO_PLATFORM,
    ),
    Errcode(
        61004,
        Kind.CONFIGURATION,
        Text("the server's address is not registered", "调用接口的 IP 未登记，不在白名单中"),
        _ADD_ADDRESS,
    ),
    Errcode(
        61007,
        Kind.CONFIGURATION,
        Text("the account has not granted this call to the third-party platform", "公众号未将此接口权限授予第三方平台"),
        _NO_PLATFORM,
    ),
    Errcode(61011, Kind.CONFIGURATION, Text("the third-party platform is invalid", "第三方平台不合法"), _NO_PLATFORM),
    Errcode(
        61014,
        Kind.CONFIGURATION,
        Text("the call needs a third-party platform's token", "此接口需使用第三方平台的 token"),
        _NO_PLATFORM,
    ),
    Errcode(
        61015,
        Kind.CONFIGURATION,
        Text("the call needs an Official Account's token", "此接口需使用公众号的 token"),
        _NO_PLATFORM,
    ),
    Errcode(
        61016,
        Kind.CONFIGURATION,
        Text("the third-party platform must confirm the permission", "接口权限需第三方平台确认"),
        _NO_PLATFORM,
    ),
    Errcode(
        61017,
        Kind.CONFIGURATION,
        Text("the permission is not granted to the third-party platform", "该接口权限未授权给第三方平台"),
        _NO_PLATFORM,
    ),
    Errcode(
        61024,
        Kind.CONFIGURATION,
        Text("the appid is a third-party platform's", "该 AppID 属于第三方平台，需使用第三方平台专用 token"),
        _NO_PLATFORM,
    ),
    Errcode(
        61028, Kind.CONFIGURATION, Text("the third-party platform is not published", "第三方平台未发布"), _NO_PLATFORM
    ),
    Errcode(
        89501,
        Kind.CONFIGURATION,
        Text("the server's address is waiting for the administrator", "此 IP 正在等待管理员确认"),
        _CONFIRM_ADDRESS,
    ),
    Errcode(
        89503,
        Kind.CONFIGURATION,
        Text("the server's address needs the administrator's confirmation", "此 IP 调用需要管理员确认"),
        _CONFIRM_ADDRESS,
    ),
    Errcode(
        89506,
        Kind.CONFIGURATION,
        Text(
            "the administrator refused the server's address twice: it is barred for 24 hours",
            "管理员已两次拒绝此 IP，24 小时内不可用该 IP 调用",
        ),
        _CONFIRM_ADDRESS,
    ),
    Errcode(
        89507,
        Kind.CONFIGURATION,
        Text(
            "the administrator refused the server's address: it is barred for an hour",
            "管理员已拒绝此 IP，1 小时内不可用该 IP 调用",
        ),
        _CONFIRM_ADDRESS,
    ),
    Errcode(200011, Kind.CONFIGURATION, Text("the account is blocked", "账号已被封禁"), _SEE_ACCOUNT),
    Errcode(9001020, Kind.CONFIGURATION, Text("the account is invalid", "账号不合法"), _CHECK_APPID),
)

_CHECK_AUTHORIZE_URL = Text(
    "Check the authorize URL: every parameter in WeChat's order, and the Official Account's own appid.",
    "请检查授权链接：参数须齐全且顺序正确，并使用公众号自己的 AppID。",
)

#: What WeChat's authorize page shows to the user. The service never receives these; they are here for their remedies.
#: 10004, 10010 and 10011 are not in Tencent's table; they are recorded, with their texts.
AUTHORIZE_PAGE_ERRCODES: tuple[Errcode, ...] = (
    Errcode(
        10003,
        Kind.CONFIGURATION,
        Text("the host of redirect_uri is not the registered domain", "redirect_uri 域名与后台配置不一致"),
        Text(
            "Register the exact host of the page as an authorization domain (网页授权域名) in mp.weixin.qq.com "
            "(设置与开发 → 账号设置 → 功能设置).",
            "请在 mp.weixin.qq.com（设置与开发 → 账号设置 → 功能设置）将页面的域名登记为网页授权域名（须完全一致）。",
        ),
    ),
    Errcode(10004, Kind.BLOCKED, Text("WeChat has blocked the account", "此公众号被封禁"), _SEE_ACCOUNT),
    Errcode(
        10005,
        Kind.CONFIGURATION,
        Text("the account may not ask for this scope", "此公众号没有这些 scope 的权限"),
        _CHECK_PERMISSION,
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
    Errcode(10010, Kind.REQUEST, Text("the scope is missing", "scope 不能为空"), _CHECK_AUTHORIZE_URL),
    Errcode(10011, Kind.REQUEST, Text("the redirect_uri is missing", "redirect_uri 不能为空"), _CHECK_AUTHORIZE_URL),
    Errcode(10012, Kind.REQUEST, Text("the appid is missing", "appid 不能为空"), _CHECK_AUTHORIZE_URL),
    Errcode(10013, Kind.REQUEST, Text("the state is missing or too long", "state 为空或过长"), _CHECK_AUTHORIZE_URL),
    Errcode(
        10014,
        Kind.REQUEST,
        Text("a parameter of the authorize URL is wrong, or their order is", "授权链接的参数或参数顺序有误"),
        _CHECK_AUTHORIZE_URL,
    ),
    Errcode(
        10015,
        Kind.CONFIGURATION,
        Text("the account has not authorized the third-party platform", "公众号未授权第三方平台"),
        _NO_PLATFORM,
    ),
    Errcode(
        10016,
        Kind.CONFIGURATION,
        Text("the appid is the Open Platform's", "不支持微信开放平台的 AppID，须使用公众号 AppID"),
        _CHECK_APPID,
    ),
)

_UNKNOWN = Text(
    "Look the number up in WeChat's table of return codes (全局返回码), or ask its support with the rid.",
    "请在微信官方文档的全局返回码中查询该错误码，或凭 rid 咨询微信技术支持。",
)

_KINDS = {row.errcode: row.kind for row in ERRCODES}
_ROWS = {row.errcode: row for row in (*ERRCODES, *AUTHORIZE_PAGE_ERRCODES)}

#: A refresh sends no secret and asks for a new access token, so these speak of one stale token. They must neither stop
#: the account nor end the authorization: a newer token may just have been stored.
STALE_TOKEN_ERRCODES = frozenset({40001, 40014, 42001})

_KINDS_BY_ENDPOINT: dict[tuple[int, str], Kind] = {
    # No token takes part in an exchange: what is wrong there is the secret.
    (40001, Endpoint.EXCHANGE): Kind.CONFIGURATION,
    **{(errcode, Endpoint.REFRESH): Kind.RETRY for errcode in STALE_TOKEN_ERRCODES},
    # As in an exchange, the secret is all there is.
    (40001, Endpoint.STABLE_TOKEN): Kind.CONFIGURATION,
    # No user has granted anything: the account itself lacks the permission.
    (48001, Endpoint.STABLE_TOKEN): Kind.CONFIGURATION,
    (48001, Endpoint.TICKET): Kind.CONFIGURATION,
}
_REMEDIES_BY_ENDPOINT: dict[tuple[int | None, str], Text] = {
    (None, Endpoint.EXCHANGE): _UNREACHABLE,
    (40001, Endpoint.EXCHANGE): _CHECK_SECRET,
    (40001, Endpoint.USERINFO): _REFRESHED,
    (40001, Endpoint.AUTH): _REFRESHED,
    # No grant exists yet whose scope could be too narrow.
    (48001, Endpoint.EXCHANGE): _CHECK_PERMISSION,
    (40001, Endpoint.STABLE_TOKEN): _CHECK_SECRET,
    (48001, Endpoint.STABLE_TOKEN): _CHECK_JSSDK,
    (48001, Endpoint.TICKET): _CHECK_JSSDK,
    **{(errcode, Endpoint.TICKET): _TOKEN_FETCHED for errcode in STALE_TOKEN_ERRCODES},
}
#: Where the kind says more about what happens next than the number does.
_REMEDIES_BY_KIND: dict[tuple[Kind, str], Text] = {
    (Kind.RETRY, Endpoint.EXCHANGE): EXCHANGE_FAILED,
    (Kind.REFRESH, Endpoint.EXCHANGE): EXCHANGE_FAILED,
    (Kind.RETRY, Endpoint.REFRESH): _RETRIED,
    (Kind.RETRY, Endpoint.STABLE_TOKEN): _RETRIED,
    (Kind.RETRY, Endpoint.TICKET): _RETRIED,
}

#: For calls other than the exchange, which are made again when a pause is over, or with a newer token.
_CONCERNS = {
    Kind.REAUTHORIZE: Concern.VISITOR,
    Kind.UPGRADE_SCOPE: Concern.VISITOR,
    Kind.RETRY: Concern.NOBODY,
    Kind.RATE_LIMITED: Concern.NOBODY,
    Kind.REFRESH: Concern.NOBODY,
}


def kind_of(errcode: int, endpoint: str) -> Kind:
    """Return what an errcode asks for when `endpoint` answers it.

    A number that is not in the table is unknown, whatever the numbers near it mean: 89503 is about the server's
    address, 89504 about mass messages.
    """
    return _KINDS_BY_ENDPOINT.get((errcode, endpoint)) or _KINDS.get(errcode, Kind.UNKNOWN)


def concern_of(errcode: int | None, endpoint: str) -> Concern:
    """Return whom a failed call concerns; None stands for a call that got no usable answer.

    An exchange is never repeated by the service, so whatever fails it, other than the code itself, keeps visitors out.
    """
    kind = Kind.RETRY if errcode is None else kind_of(errcode, endpoint)
    if endpoint == Endpoint.EXCHANGE:
        return Concern.VISITOR if kind is Kind.REAUTHORIZE else Concern.OPERATOR
    return _CONCERNS.get(kind, Concern.OPERATOR)


def summary_of(errcode: int | None, locale: str) -> str:
    """Return what an errcode means; None stands for a call that got no usable answer."""
    if errcode is None:
        return Text("no usable answer from WeChat", "微信未返回有效内容").in_(locale)
    row = _ROWS.get(errcode)
    return (row.summary if row else Text("unknown errcode", "未知错误码")).in_(locale)


def remedy_of(errcode: int | None, locale: str, endpoint: str | None = None) -> str:
    """Return what a person can do about a failed call.

    Args:
        errcode: WeChat's number; None for a call that got no usable answer.
        locale: Such as `zh_CN`.
        endpoint: The `Endpoint` that failed, if that is known: an exchange is never repeated by itself, a refresh is.
    """
    remedy = _ROWS[errcode].remedy if errcode in _ROWS else _UNKNOWN if errcode is not None else _ASK_AGAIN
    if endpoint is not None:
        kind = Kind.RETRY if errcode is None else kind_of(errcode, endpoint)
        remedy = _REMEDIES_BY_KIND.get((kind, endpoint), remedy)
        remedy = _REMEDIES_BY_ENDPOINT.get((errcode, endpoint), remedy)
    return remedy.in_(locale)
