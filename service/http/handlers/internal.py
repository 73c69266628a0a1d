"""The API for other backends: live tokens, users, what backends call them, and accounts' access tokens; by API keys."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from service.http.api_key_access import ApiKeyAccess
from service.http.body import InvalidBody, read_fields
from service.http.errors import ApiError
from service.http.handlers.base import JsonHandler, Route
from service.tokens.account_credentials import AccountCredentials
from service.tokens.manager import NoAuthorization, TokenManager
from storage.base.clock import HOUR_SECONDS
from storage.base.text import is_text
from storage.sql.accounts.api_keys import KeyRight
from storage.store import Capability
from storage.users import LONGEST_EXTERNAL_ID
from storage.vault import TokenVault

__all__ = ["InternalServices", "routes"]

_DEFAULT_MINIMUM_SECONDS = 300
#: A token lives two hours; asking for one that lives longer would refresh it at every call.
_LONGEST_MINIMUM_SECONDS = HOUR_SECONDS
#: Nothing longer can be stored.
_LONGEST_APPID = 64
_LONGEST_OPENID = 128
_SECONDS = re.compile(r"[0-9]{1,4}")
#: What a backend is told of a user: what it can act upon, and no more.
_SHOWN = (
    *("appid", "openid", "unionid", "scope", "status", "is_snapshotuser", "nickname", "avatar_url", "external_id"),
    *("first_authorized_at", "authorized_at", "refreshed_at", "last_used_at", "refresh_expires_at"),
)


@dataclass(frozen=True, slots=True)
class InternalServices:
    """What the handlers for backends need.

    Attributes:
        note_use: Called with the key's name and the account of each answer.
        note_token: Called with the key's name, the account and the user of each token that is given.
    """

    tokens: TokenManager
    credentials: AccountCredentials
    vault: TokenVault
    access: ApiKeyAccess
    note_use: Callable[[str, str], None]
    note_token: Callable[[str, str, str], None]


class InternalHandler(JsonHandler):
    """Answers backends."""

    def initialize(self, services: InternalServices) -> None:
        """Take what the handler needs."""
        self.services = services

    async def admit(self, appid: str, right: KeyRight) -> str:
        """Return the name of the key that asks about an account.

        Raises:
            ApiError: It is not good for this.
        """
        header = self.request.headers.get("Authorization", "")
        return (await self.services.access.admit(header, appid, right)).name

    async def admit_for_user(self, appid: str, openid: str, right: KeyRight) -> str:
        """Return the name of the key that asks about a user.

        Raises:
            ApiError: It is not good for this.
            NoAuthorization: Nobody can be called so.
        """
        name = await self.admit(appid, right)
        if not (is_text(appid, _LONGEST_APPID) and is_text(openid, _LONGEST_OPENID)):
            raise NoAuthorization(appid, openid, None)
        return name


class TokenHandler(InternalHandler):
    """`GET /internal/authorizations/{appid}/{openid}/token`: a user's access token, refreshed if need be.

    With `refused=true` it is refreshed in any case: for callers whose last token WeChat refused (40001), as happens
    after the user has authorized again with a narrower scope.
    """

    async def get(self, appid: str, openid: str) -> None:
        """Answer with the token, when it ends, and its scope."""
        name = await self.admit_for_user(appid, openid, KeyRight.READ_TOKEN)
        fresh = await self.services.tokens.get_valid_token(
            appid, openid, self._minimum_seconds(), refused=self._is_refused()
        )
        self.services.note_use(name, appid)
        self.services.note_token(name, appid, openid)
        self.write_json({"access_token": fresh.access_token, "expires_at": fresh.expires_at, "scope": fresh.scope})

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


class UserHandler(InternalHandler):
    """`GET /internal/authorizations/{appid}/{openid}`: what is known of a user, without tokens."""

    async def get(self, appid: str, openid: str) -> None:
        """Answer with the user."""
        name = await self.admit_for_user(appid, openid, KeyRight.READ_USERS)
        user = await self.services.vault.get(appid, openid)
        if user is None:
            raise NoAuthorization(appid, openid, None)
        self.services.note_use(name, appid)
        self.write_json({name: getattr(user, name) for name in _SHOWN})


class ExternalIdHandler(InternalHandler):
    """`PUT /internal/authorizations/{appid}/{openid}/external-id`: by what a backend knows a user."""

    async def put(self, appid: str, openid: str) -> None:
        """Store it; null forgets it. Answer with what is stored."""
        name = await self.admit_for_user(appid, openid, KeyRight.SET_EXTERNAL_ID)
        external_id = self._external_id()
        vault = self.services.vault
        if Capability.EXTERNAL_IDS not in vault.capabilities:
            raise ApiError(501, "unsupported", "the token store in use keeps no external ids")
        if not await vault.set_external_id(appid, openid, external_id):
            raise NoAuthorization(appid, openid, None)
        self.services.note_use(name, appid)
        self.write_json({"appid": appid, "openid": openid, "external_id": external_id})

    def _external_id(self) -> str | None:
        problem = f'the body must be {{"external_id": "…"}}: 1 to {LONGEST_EXTERNAL_ID} printable characters, or null'
        try:
            fields = read_fields(self.request.body)
        except InvalidBody as error:
            raise ApiError(400, "request", problem) from error
        given = fields.get("external_id", "")
        if given is None:
            return None
        if not (isinstance(given, str) and given == given.strip() and given.isprintable()):
            raise ApiError(400, "request", problem)
        if not (given and is_text(given, LONGEST_EXTERNAL_ID)):
            raise ApiError(400, "request", problem)
        return given


class AccountTokenHandler(InternalHandler):
    """`GET /internal/accounts/{appid}/access-token`: the account's own access token, as all its callers have it.

    With `refused=TOKEN`, for a caller whose last one WeChat refused (40001): if it is not the one that is kept, that is
    the answer; if it is, WeChat is asked which one it gives.
    """

    async def get(self, appid: str) -> None:
        """Answer with the token, and when it ends."""
        name = await self.admit(appid, KeyRight.ACCOUNT_TOKEN)
        refused = self.get_query_argument("refused", "") or None
        live = await self.services.credentials.access_token(appid, refused)
        self.services.note_use(name, appid)
        self.write_json({"access_token": live.value, "expires_at": live.expires_at})


def routes(services: InternalServices) -> list[Route]:
    """Return the routes for other backends."""
    arguments = {"services": services}
    return [
        (r"/internal/authorizations/([^/]+)/([^/]+)/token", TokenHandler, arguments),
        (r"/internal/authorizations/([^/]+)/([^/]+)/external-id", ExternalIdHandler, arguments),
        (r"/internal/authorizations/([^/]+)/([^/]+)", UserHandler, arguments),
        (r"/internal/accounts/([^/]+)/access-token", AccountTokenHandler, arguments),
    ]
