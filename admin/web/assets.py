"""Our stylesheet and script. Their addresses carry a digest of the content, so that browsers may keep them."""

import hashlib
from http import HTTPStatus
from pathlib import Path

from tornado.web import HTTPError, StaticFileHandler

from admin.web.headers import set_protective_headers

__all__ = ["ASSETS", "AssetHandler", "asset_addresses"]

#: The folder of the files, which is flat.
ASSETS = Path(__file__).parents[1] / "static"
_DIGEST_LENGTH = 12


class AssetHandler(StaticFileHandler):
    """Serves a file of `static/` to anybody: the sign-in page needs them, and they hold nothing."""

    def set_default_headers(self) -> None:
        """Protect every answer as the pages are. Tornado lets caches keep a file whose address has its digest."""
        set_protective_headers(self)

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        """Return the path of one of the files.

        Raises:
            HTTPError: 404: it is none of them, whatever the address asks for.
        """
        if absolute_path not in {str(path) for path in Path(root).iterdir()}:
            raise HTTPError(HTTPStatus.NOT_FOUND)
        return super().validate_absolute_path(root, absolute_path)


def asset_addresses() -> dict[str, str]:
    """Return the address of each file by its name."""
    return {
        path.name: f"/admin/static/{path.name}?v={hashlib.sha256(path.read_bytes()).hexdigest()[:_DIGEST_LENGTH]}"
        for path in ASSETS.iterdir()
    }
