"""The words of the authorize page, in Chinese and English."""

from collections.abc import Mapping
from dataclasses import dataclass

from admin.web.accept_language import preferred_language

__all__ = ["LANGUAGES", "Texts", "choose_language"]


@dataclass(frozen=True, slots=True)
class Texts:
    """The words of one language.

    Attributes:
        tag: The language, as HTML names it.
        other_language: Name of the other language, in that language.
        errors: What each number of the page's errors means.
    """

    tag: str
    other_tag: str
    other_language: str
    consent_title: str
    simulated: str
    asks_for: str
    permission: str
    choose_person: str
    snapshot: str
    snapshot_help: str
    allow: str
    deny: str
    error_title: str
    error_number: str
    login_title: str
    signs_in: str
    scan_help: str
    code_alt: str
    choose_scanner: str
    scan: str
    scan_and_deny: str
    declined: str
    errors: Mapping[int, str]


_CHINESE = Texts(
    tag="zh-CN",
    other_tag="en",
    other_language="English",
    consent_title="网页授权",
    simulated="模拟微信：仅供开发和测试",
    asks_for="申请获得以下权限",
    permission="你的昵称、头像等公开信息",
    choose_person="以谁的身份继续",
    snapshot="快照页",
    snapshot_help="返回虚拟身份：is_snapshotuser 为 1",
    allow="允许",
    deny="拒绝",
    error_title="无法打开页面",
    error_number="错误码",
    login_title="微信登录",
    signs_in="使用微信扫一扫登录",
    scan_help="模拟的二维码不必真扫：选一个人，点下面的按钮，就相当于此人用手机扫码",
    code_alt="模拟的二维码",
    choose_scanner="由谁扫码",
    scan="扫码并允许",
    scan_and_deny="扫码后拒绝",
    declined="你已取消此次登录，可再次扫码",
    errors={
        10003: "redirect_uri 的域名与后台配置不一致",
        10005: "公众号没有该 scope 的权限",
        10010: "scope 不能为空",
        10011: "redirect_uri 不能为空",
        10012: "appid 不能为空",
        10013: "state 最多 128 字节",
        10014: "参数缺失、重复或顺序不对，应为：appid、redirect_uri、response_type=code、scope、state，其他参数在后",
        10016: "没有该 appid 的公众号",
    },
)

_ENGLISH = Texts(
    tag="en",
    other_tag="zh-CN",
    other_language="中文",
    consent_title="Web authorization",
    simulated="Simulated WeChat, for development only",
    asks_for="asks for permission to use",
    permission="Your public profile: nickname and picture",
    choose_person="Continue as",
    snapshot="Snapshot page",
    snapshot_help="Gives a virtual identity: is_snapshotuser is 1",
    allow="Allow",
    deny="Deny",
    error_title="This page cannot be opened",
    error_number="Error",
    login_title="WeChat login",
    signs_in="scan with WeChat to sign in",
    scan_help="No need to scan the simulated code: choose a person, and a button below plays their phone",
    code_alt="A simulated QR code",
    choose_scanner="Who scans",
    scan="Scan and allow",
    scan_and_deny="Scan and deny",
    declined="The login was declined; scan again to go on",
    errors={
        10003: "The host of redirect_uri is not an authorization domain of the account",
        10005: "The account may not ask for this scope",
        10010: "scope is missing",
        10011: "redirect_uri is missing",
        10012: "appid is missing",
        10013: "state is longer than 128 bytes",
        10014: "Parameters are missing, repeated or out of order; expected: appid, redirect_uri, response_type=code, "
        "scope, state, then any others",
        10016: "No account has this appid",
    },
)

LANGUAGES: Mapping[str, Texts] = {"zh": _CHINESE, "en": _ENGLISH}


def choose_language(asked: str, accept_language: str) -> Texts:
    """Return the texts a reader wants: as asked for, else as the browser prefers, else Chinese.

    Args:
        asked: A language tag, or nothing.
        accept_language: The header of this name.
    """
    preferred = preferred_language(accept_language, LANGUAGES, default="zh")
    return LANGUAGES[preferred_language(asked.replace("_", "-"), LANGUAGES, default=preferred)]
