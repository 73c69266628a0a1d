"""Browsers that are not WeChat's, in which the authorize page of an Official Account shows nothing but an error."""

from tornado.httputil import HTTPHeaders

from service.wechat.protocol import Account, AccountKind

__all__ = ["OutsideWeChat"]

_WECHATS_OWN = "https://open.weixin.qq.com/"
#: What browsers say of themselves, in lower case: Chromium and its kin, Firefox, Safari, those on iPhones.
_BROWSERS = ("chrome/", "chromium/", "firefox/", "fxios/", "crios/", "safari/")
#: WeChat on phones and computers (MicroMessenger, WindowsWechat, MacWechat), WeCom (wxwork), and Tencent's developer
#: tools (wechatdevtools).
_WECHATS = ("micromessenger", "wechat", "wxwork")


class OutsideWeChat:
    """Decides what becomes of a visitor who authorizes outside of WeChat.

    Args:
        rule: `explain`, `pass`, or empty to explain where the authorize page is WeChat's own.
        authorize_page: The authorize page of Official Accounts.
    """

    def __init__(self, rule: str, authorize_page: str) -> None:
        self._passes = rule == "pass"
        self._explains = rule == "explain" or (not rule and authorize_page.startswith(_WECHATS_OWN))

    def website_of(self, account: Account, headers: HTTPHeaders) -> str:
        """Return the appid of the website application that this visitor is sent to instead; empty for none."""
        return account.outside_wechat if not self._passes and self._is_outside(account, headers) else ""

    def is_to_explain(self, account: Account, headers: HTTPHeaders) -> bool:
        """Return whether this visitor must be told to open the address in WeChat."""
        return self._explains and self._is_outside(account, headers)

    def _is_outside(self, account: Account, headers: HTTPHeaders) -> bool:
        return account.kind is AccountKind.OFFICIAL and _shows_page_outside(headers)


def _shows_page_outside(headers: HTTPHeaders) -> bool:
    """Return whether a person looks at the answer in a known browser that is not WeChat's.

    Programs, scripts of pages and frames are left alone, and so is whatever is not known: sending one visitor too many
    to WeChat shows them WeChat's error, keeping one back costs them their login.
    """
    if "text/html" not in headers.get("Accept", "") or headers.get("Sec-Fetch-Dest", "document") != "document":
        return False
    agent = headers.get("User-Agent", "").lower()
    is_browser = agent.startswith("mozilla/5.0 (") and any(name in agent for name in _BROWSERS)
    return is_browser and not any(name in agent for name in _WECHATS)
