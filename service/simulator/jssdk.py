"""The JS-SDK: a script `wx` for pages, and the check of a `wx.config` that WeChat's clients ask for.

What must be signed is, on iPhones, the address at which the page landed; elsewhere the current one (reported).
"""

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

from service.simulator.handler import SimulatorHandler

__all__ = ["SCRIPT_PATH", "jssdk_handlers"]

SCRIPT_PATH = "/open/js/jweixin-1.6.0.js"

_SCRIPT = Path(__file__).parent / "static" / "wx.js"
_IPHONE = re.compile(r"iP(?:hone|ad|od)")
_ENDPOINT = "wx.config"


class JsSdkHandler(SimulatorHandler):
    """Answers pages of all origins."""

    def set_default_headers(self) -> None:
        """Let them read the answer."""
        super().set_default_headers()
        self.set_header("Access-Control-Allow-Origin", "*")
        self.set_header("Cache-Control", "no-store")
        self.set_header("Cross-Origin-Resource-Policy", "cross-origin")
        self.set_header("X-Content-Type-Options", "nosniff")


class ScriptHandler(JsSdkHandler):
    """`/open/js/jweixin-….js`, whatever the version: the simulator's own script."""

    def get(self) -> None:
        """Give the script."""
        self.set_header("Content-Type", "text/javascript; charset=utf-8")
        self.finish(_SCRIPT.read_bytes())

    head = get


class ConfigHandler(JsSdkHandler):
    """`/simulator/wx-config`, which the script asks whether what the page configured is good."""

    def get(self) -> None:
        """Answer with an `errMsg`, as the callbacks of `wx` get it."""
        self.wechat.calls[_ENDPOINT] += 1
        verdict = self._verdict()
        self.wechat.note(_ENDPOINT, verdict)
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(json.dumps({"errMsg": f"config:{verdict}"}))

    def _verdict(self) -> str:
        on_iphone = _IPHONE.search(self.request.headers.get("User-Agent", "")) is not None
        is_landing = on_iphone or self.wechat.quirks.landing_signed_everywhere
        url = self.get_query_argument("landing" if is_landing else "current", "")
        account = self.wechat.accounts.get(self.get_query_argument("appid", ""))
        if account is None:
            return "invalid appid"
        if account.domains and _host_of(url) not in account.domains:
            return "invalid url domain"
        given = [self.get_query_argument(name, "") for name in ("noncestr", "timestamp", "signature")]
        return "ok" if self.wechat.account_tokens.is_signed(account.appid, url, *given) else "invalid signature"


def _host_of(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


jssdk_handlers: list[tuple[str, type[SimulatorHandler]]] = [
    (r"/open/js/jweixin-[0-9.]{1,16}\.js", ScriptHandler),
    (r"/simulator/wx-config", ConfigHandler),
]
