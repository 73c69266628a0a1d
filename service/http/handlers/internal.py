"""The API for other backends: live tokens, for holders of an API key."""

import re

from tornado.ioloop import IOLoop

from admin.web.inputs import is_text
from service.http.errors import ApiError
from service.http.handlers.base import JsonHandler, Route
from service.tokens.manager import NoAuthorization, TokenManager
from storage.base.clock import HOUR_SECONDS, Clock
from storage.sql.accounts.api_keys import ApiKeys

__all__ = ["routes"]

_DEFAULT_MINIMUM_SECONDS = 300
#: A token lives two hours; asking for one that lives longer would refresh it at every call.
_LONGEST_MINIMUM_SECONDS = HOUR_SECONDS
#: Nothing longer can be stored.
_LONGEST_APPID = 64
_LONGEST_OPENID = 128
_SECONDS = re.compile(r"[0-9]{1,4}")


class TokenHandler(JsonHandler):
    """`GET /internal/authorizations/{appid}/{openid}/token`: a user's access token, refreshed if need be.

    With `refused=true` it is refreshed in any case: for callers whose last token WeChat refused (40001), as happens
    after the user has authorized again with a narrower scope.
    """

    def initialize(self, tokens: TokenManager, api_keys: ApiKeys, clock: Clock) -> None:
        """Take what the handler needs."""
        self.tokens = tokens
        self.api_keys = api_keys
        self.clock = clock

    async def get(self, appid: str, openid: str) -> None:
        """Answer with the token, when it ends, and its scope."""
        await self._authenticate()
        if not (is_text(appid, _LONGEST_APPID) and is_text(openid, _LONGEST_OPENID)):
            raise NoAuthorization(appid, openid, None)
        fresh = await self.tokens.get_valid_token(appid, openid, self._minimum_seconds(), refused=self._is_refused())
        self.write_json({"access_token": fresh.access_token, "expires_at": fresh.expires_at, "scope": fresh.scope})

    async def _authenticate(self) -> None:
        scheme, _, key = self.request.headers.get("Authorization", "").partition(" ")
        now = self.clock.now()
        holder = None
        if scheme.lower() == "bearer" and key:
            holder = await IOLoop.current().run_in_executor(None, self.api_keys.verify, key.strip(), now)
        if holder is None:
            raise ApiError(
                401, "unauthorized", "send Authorization: Bearer KEY; make a key by: wechat-openid apikeys add"
            )

    def _minimum_seconds(self) -> int:
        text = self.get_query_argument("minimum_seconds", str(_DEFAULT_MINIMUM_SECONDS))
        if _SECONDS.fullmatch(text) is None or int(text) > _LONGEST_MINIMUM_SECONDS:
            raise ApiError(400, "request", f"minimum_seconds must be from 0 to {_LONGEST_MINIMUM_SECONDS}")
        return int(text)

    def _is_refused(self) -> bool:
        text = self.get_query_argument("refused", "false")
        if text not in {"true", "false"}:
            raise ApiError(400, "request", "refused must be true or false")
        return text == "true"


def routes(tokens: TokenManager, api_keys: ApiKeys, clock: Clock) -> list[Route]:
    """Return the routes for other backends."""
    return [
        (
            r"/internal/authorizations/([^/]+)/([^/]+)/token",
            TokenHandler,
            {"tokens": tokens, "api_keys": api_keys, "clock": clock},
        )
    ]
