"""Files at the root: the helper for pages, and the files by which WeChat verifies an authorization domain."""

from pathlib import Path

from tornado.ioloop import IOLoop
from tornado.web import StaticFileHandler

from service.http.errors import ApiError
from service.http.handlers.base import JsonHandler, Route
from storage.base.clock import HOUR_SECONDS

__all__ = ["routes"]

_STATIC = Path(__file__).parents[1] / "static"
_HELPER_KEPT_SECONDS = HOUR_SECONDS
#: WeChat's files have 16 bytes.
_LONGEST_VERIFICATION_FILE = 4096


class HelperHandler(StaticFileHandler):
    """`GET /wechat-openid.js`: the helper for pages, of whatever origin they are."""

    def set_extra_headers(self, path: str) -> None:
        """Let browsers keep it for a while, and let pages that isolate themselves load it."""
        del path
        self.set_header("Content-Type", "text/javascript; charset=utf-8")
        self.set_header("Cache-Control", f"public, max-age={_HELPER_KEPT_SECONDS}")
        self.set_header("Cross-Origin-Resource-Policy", "cross-origin")
        self.set_header("X-Content-Type-Options", "nosniff")


class VerificationFileHandler(JsonHandler):
    """`GET /MP_verify_….txt`: exactly the bytes that WeChat's console gave. The route lets no other name through."""

    def initialize(self, folder: Path | None) -> None:
        """Take the folder, if there is one."""
        self.folder = folder

    async def get(self, name: str) -> None:
        """Answer with the file. It is read anew each time, so that adding one needs no restart."""
        if self.folder is None:
            raise ApiError(404, "not_found", "VERIFICATION_FILES is not set")
        content = await IOLoop.current().run_in_executor(None, _read_within, self.folder, name)
        if content is None:
            raise ApiError(404, "not_found", "this file is not in the folder of verification files")
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.write(content)

    head = get


def _read_within(folder: Path, name: str) -> bytes | None:
    """Return the bytes of a regular file whose real place is within a folder; None if there is none such.

    Links within the folder are followed: Kubernetes mounts files so. One that leads out could show any file.
    """
    try:
        place = (folder / name).resolve(strict=True)
        if not (place.is_relative_to(folder.resolve(strict=True)) and place.is_file()):
            return None
        with place.open("rb") as file:
            content = file.read(_LONGEST_VERIFICATION_FILE + 1)
    except (OSError, RuntimeError):  # RuntimeError: links in a circle
        return None
    return content if len(content) <= _LONGEST_VERIFICATION_FILE else None


def routes(verification_files: Path | None) -> list[Route]:
    """Return the routes of files."""
    return [
        (r"/(wechat-openid\.js)", HelperHandler, {"path": str(_STATIC)}),
        (r"/(MP_verify_[A-Za-z0-9]+\.txt)", VerificationFileHandler, {"folder": verification_files}),
    ]
