"""The demo's H5 page: what a page does with the service, step by step."""

from pathlib import Path

from tornado.web import RequestHandler, StaticFileHandler

from service.http.handlers.base import Route

__all__ = ["routes"]

_STATIC = Path(__file__).parents[1] / "static"
#: Pictures come from WeChat's own hosts.
_POLICY = "default-src 'self'; img-src 'self' https: data:; base-uri 'none'; frame-ancestors 'none'"


class DemoPageHandler(RequestHandler):
    """`GET /`: the page. It knows nothing but the service it came from."""

    def get(self) -> None:
        """Show the page."""
        self.set_header("Content-Security-Policy", _POLICY)
        self.set_header("Cache-Control", "no-cache")
        self.render("demo.html")

    def get_template_path(self) -> str:
        """Return the folder of the page's template."""
        return str(_STATIC)


def routes() -> list[Route]:
    """Return the routes of the demo page."""
    return [
        (r"/", DemoPageHandler, {}),
        (r"/(demo\.(?:js|css))", StaticFileHandler, {"path": str(_STATIC)}),
    ]
