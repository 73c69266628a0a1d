"""`GET /.well-known/jwks.json`: the public keys by which a page's backend verifies identity tokens."""

from typing import Any

from service.http.handlers.base import JsonHandler, Route

__all__ = ["routes"]

_KEPT_SECONDS = 300


class JwksHandler(JsonHandler):
    """Shows the public keys, newest first. They are no secret and the same for everybody."""

    def initialize(self, keys: dict[str, Any]) -> None:
        """Take the JWK set."""
        self.keys = keys

    def get(self) -> None:
        """Answer with the set."""
        self.set_header("Content-Type", "application/jwk-set+json")
        self.set_header("Cache-Control", f"public, max-age={_KEPT_SECONDS}")
        self.write_json(self.keys)

    head = get


def routes(keys: dict[str, Any]) -> list[Route]:
    """Return the route of the keys."""
    return [(r"/\.well-known/jwks\.json", JwksHandler, {"keys": keys})]
