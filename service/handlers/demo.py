"""The demo's H5 page: what a page does with the service, step by step."""

from pathlib import Path
from typing import Any

from tornado.web import RequestHandler, StaticFileHandler

__all__ = ["routes"]

_STATIC = Path(__file__).parent.parent / "static"


class DemoPageHandler(RequestHandler):
    """`GET /`: the page, told where WeChat's authorize page is and which account it belongs to."""

    def initialize(self, authorize_url: str, appid: str) -> None:
        """Take what the page needs to know."""
        self.authorize_url = authorize_url
        self.appid = appid

    def get(self) -> None:
        """Show the page."""
        self.set_header("Content-Security-Policy", "default-src 'self'; base-uri 'none'; frame-ancestors 'none'")
        self.set_header("Cache-Control", "no-store")
        self.render("demo.html", authorize_url=self.authorize_url, appid=self.appid)

    def get_template_path(self) -> str:
        """Return the folder of the page's template."""
        return str(_STATIC)


def routes(authorize_url: str, appid: str) -> list[tuple[str, type[RequestHandler], dict[str, Any]]]:
    """Return the routes of the demo page."""
    return [
        (r"/", DemoPageHandler, {"authorize_url": authorize_url, "appid": appid}),
        (r"/(demo\.(?:js|css))", StaticFileHandler, {"path": str(_STATIC)}),
    ]
