"""The demo's H5 page: what a page does with the service, step by step."""

from pathlib import Path

from tornado.web import RequestHandler, StaticFileHandler

from service.http.handlers.base import Route
from service.http.origins import origin_of

__all__ = ["routes"]

_STATIC = Path(__file__).parents[1] / "static"
#: Pictures come from WeChat's own hosts, the JS-SDK and its answers from the simulated WeChat.
_POLICY = (
    "default-src 'self'; script-src 'self' {wechat}; connect-src 'self' {wechat}; img-src 'self' https: data:; "
    "base-uri 'none'; frame-ancestors 'none'"
)


class DemoPageHandler(RequestHandler):
    """`GET /`: the page. It knows nothing but the service it came from, and where the JS-SDK is."""

    def initialize(self, script: str) -> None:
        """Take the address of the JS-SDK."""
        self.script = script

    def get(self) -> None:
        """Show the page."""
        self.set_header("Content-Security-Policy", _POLICY.format(wechat=origin_of(self.script)))
        self.set_header("Cache-Control", "no-cache")
        self.render("demo.html", script=self.script)

    def get_template_path(self) -> str:
        """Return the folder of the page's template."""
        return str(_STATIC)


def routes(script: str) -> list[Route]:
    """Return the routes of the demo page, which loads the JS-SDK from an address."""
    return [
        (r"/", DemoPageHandler, {"script": script}),
        (r"/(demo\.(?:js|css))", StaticFileHandler, {"path": str(_STATIC)}),
    ]
