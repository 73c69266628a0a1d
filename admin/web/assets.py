"""Our stylesheet and script. Their addresses carry a digest of the content, so that browsers may keep them."""

import hashlib
from pathlib import Path

from tornado.web import StaticFileHandler

__all__ = ["AssetHandler", "asset_addresses"]

_FOLDER = Path(__file__).parents[1] / "static"
_DIGEST_LENGTH = 12


class AssetHandler(StaticFileHandler):
    """Serves a file of `static/` to anybody: the sign-in page needs them, and they hold nothing."""

    def set_extra_headers(self, path: str) -> None:  # noqa: ARG002 - the same for every file
        """Keep browsers from guessing types."""
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")


def asset_addresses() -> dict[str, str]:
    """Return the address of each file by its name."""
    return {
        path.name: f"/admin/static/{path.name}?v={hashlib.sha256(path.read_bytes()).hexdigest()[:_DIGEST_LENGTH]}"
        for path in _FOLDER.iterdir()
    }
