"""Pages for visitors, in Chinese and English: what went wrong, and what they must open in WeChat."""

from pathlib import Path
from typing import Any

from tornado.ioloop import IOLoop

from service.http.errors import DECLINED, ApiError
from service.http.handlers.page import PageHandler
from service.http.qr_code import qr_code
from service.wechat.errcodes import Kind, Text

__all__ = ["VisitorPageHandler"]

_TEMPLATES = Path(__file__).parent / "templates"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'"

_BUSY = Text("WeChat or this service is busy. Wait a moment and try again.", "微信或本服务繁忙，请稍候再试。")
_NOT_CONFIGURED = Text(
    "The service is not set up correctly. Its operator has to mend that.", "服务配置有误，需要由管理员处理。"
)
_REASONS: dict[str, Text] = {
    Kind.REAUTHORIZE: Text(
        "This authorization is no longer good: it was used before, took too long, or was begun in another browser. "
        "It also fails where the browser blocks cookies.",
        "本次授权已失效：可能已被使用、已超时，或不是在当前浏览器中发起的。浏览器阻止 Cookie 时也会失败。",
    ),
    Kind.RETRY: _BUSY,
    Kind.RATE_LIMITED: _BUSY,
    Kind.CONFIGURATION: _NOT_CONFIGURED,
    Kind.BLOCKED: Text("WeChat has limited this account or user.", "微信限制了该公众号或用户。"),
    Kind.REQUEST: Text(
        "The link that led here is not complete or not correct. Go back to the page and try again.",
        "进入此页的链接不完整或有误，请返回原页面重试。",
    ),
    "redirect_uri": Text(
        "The page to return to is not one that this service may send visitors to. If it is yours, the operator has to "
        "allow its origin; otherwise do not trust the link that led here.",
        "要返回的页面不在本服务允许的范围内。如果这是您的页面，请让管理员允许其来源；否则请勿相信进入此页的链接。",
    ),
    DECLINED.kind: Text("You declined the authorization.", "您已拒绝授权。"),
}
_ANYTHING_ELSE = Text("The authorization could not be completed.", "授权未能完成。")


class VisitorPageHandler(PageHandler):
    """A handler whose answers visitors may see, not only scripts."""

    def show_error(self, error: ApiError, page: str | None = None) -> None:
        """Write the page about an error, with a link to a page to go back to if there is one."""
        reason = _REASONS.get(error.kind, _ANYTHING_ELSE)
        self.show_page("error_page.html", reason=reason, refusal=error, request_id=self.request_id, page=page)

    async def ask_to_open_in_wechat(self, address: str) -> None:
        """Write the page that gives an address to WeChat, by a QR code or as a text to copy."""
        picture = await IOLoop.current().run_in_executor(None, qr_code, address)
        self.show_page("open_in_wechat.html", address=address, picture=picture)

    def show_page(self, template: str, **values: Any) -> None:
        """Write a page."""
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.set_header("Content-Security-Policy", _POLICY)
        self.set_header("Referrer-Policy", "no-referrer")
        self.write(self.render_string(template, **values))

    def get_template_path(self) -> str:
        """Return the folder of the page."""
        return str(_TEMPLATES)
