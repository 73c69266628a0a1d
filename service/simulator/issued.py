"""Codes, grants and tokens as they were issued: who got what, until when, and what ended it."""

import secrets
import string
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from service.simulator.people import Person

__all__ = [
    "ACCESS_TOKEN_TTL",
    "CODE_TTL",
    "LOGIN_CODE_TTL",
    "REFRESH_TOKEN_TTL",
    "AccessToken",
    "Authorization",
    "Code",
    "IssuedGrant",
    "IssuedTokens",
]

CODE_TTL = 300
LOGIN_CODE_TTL = 600
ACCESS_TOKEN_TTL = 7200
REFRESH_TOKEN_TTL = 30 * 86400

_CODE_LENGTH = 32
_LETTERS_AND_DIGITS = string.ascii_letters + string.digits


@dataclass(slots=True)
class Code:
    """A code, bound to the account it was issued for."""

    appid: str
    person: Person
    scope: str
    is_snapshotuser: bool
    expires_at: int
    used: bool = False


@dataclass(frozen=True, slots=True)
class IssuedGrant:
    """What one exchange gave, without the tokens.

    Attributes:
        person: Id of the person, for a snapshot user too.
        unionid: None where the account or the scope gives none.
        refresh_expires_at: When the refresh token ends; refreshing does not move it.
    """

    appid: str
    person: str
    openid: str
    unionid: str | None
    scope: str
    is_snapshotuser: bool
    refresh_expires_at: int


@dataclass(slots=True, eq=False)
class Authorization:
    """A grant with its tokens. Its access token changes when it is refreshed late, its refresh token never.

    Attributes:
        number: What all tokens of the grant begin with.
        reads_profile: Whether userinfo answers its access token.
        is_ended: Whether a later grant has ended its refresh token.
    """

    grant: IssuedGrant
    profile: Person
    number: int
    refresh_token: str = field(repr=False)
    reads_profile: bool
    is_ended: bool = False
    access_token: "AccessToken" = field(init=False, repr=False)


@dataclass(slots=True, eq=False)
class AccessToken:
    """An access token; `is_latest` until another exchange of the same user."""

    value: str = field(repr=False)
    authorization: Authorization
    expires_at: int
    is_latest: bool = True


class IssuedTokens:
    """Everything one simulation has issued.

    Nothing is forgotten, so that an expired code and an unknown one stay different for as long as it runs.
    """

    def __init__(self) -> None:
        self._codes: dict[str, Code] = {}
        self._authorizations: dict[str, Authorization] = {}
        self._access_tokens: dict[str, AccessToken] = {}
        self._latest: defaultdict[tuple[str, str], list[AccessToken]] = defaultdict(list)
        self._profile_grants: defaultdict[tuple[str, str], list[Authorization]] = defaultdict(list)

    def add_code(self, code: Code) -> str:
        """Return a new value for a code."""
        value = "".join(_LETTERS_AND_DIGITS[byte % 62] for byte in secrets.token_bytes(_CODE_LENGTH))
        self._codes[value] = code
        return value

    def find_code(self, value: str) -> Code | None:
        """Return a code that was issued."""
        return self._codes.get(value)

    def find_authorization(self, refresh_token: str) -> Authorization | None:
        """Return the authorization of a refresh token that was issued."""
        return self._authorizations.get(refresh_token)

    def find_access_token(self, value: str) -> AccessToken | None:
        """Return an access token that was issued."""
        return self._access_tokens.get(value)

    def authorizations(self) -> Iterable[Authorization]:
        """Return all authorizations, the oldest first."""
        return self._authorizations.values()

    def secrets(self) -> set[str]:
        """Return every code and token."""
        return {*self._codes, *self._authorizations, *self._access_tokens}

    def add_authorization(self, grant: IssuedGrant, profile: Person, now: int) -> Authorization:
        """Return a new authorization with its tokens."""
        number = secrets.randbelow(90) + 10
        authorization = Authorization(grant, profile, number, _token(number), grant.scope != "snsapi_base")
        self._authorizations[authorization.refresh_token] = authorization
        if authorization.reads_profile:
            self._profile_grants[grant.appid, grant.openid].append(authorization)
        self._give_access_token(authorization, now)
        return authorization

    def renew(self, authorization: Authorization, now: int) -> None:
        """Let the access token live on from now while it is valid; otherwise replace it by a new one."""
        token = authorization.access_token
        if token.is_latest and now < token.expires_at:
            token.expires_at = now + ACCESS_TOKEN_TTL
        else:
            self._give_access_token(authorization, now)

    def outdate_access_tokens(self, appid: str, openid: str) -> None:
        """Make the access tokens that a user has so far no longer the latest."""
        earlier = self._latest[appid, openid]
        for token in earlier:
            token.is_latest = False
        earlier.clear()

    def end_profile_grants(self, appid: str, openid: str) -> bool:
        """End the refresh tokens of a user's `snsapi_userinfo` grants, and return whether there were any."""
        ended = self._profile_grants.pop((appid, openid), [])
        for authorization in ended:
            authorization.is_ended = True
        return bool(ended)

    def _give_access_token(self, authorization: Authorization, now: int) -> None:
        token = AccessToken(_token(authorization.number), authorization, now + ACCESS_TOKEN_TTL)
        authorization.access_token = token
        self._access_tokens[token.value] = token
        self._latest[authorization.grant.appid, authorization.grant.openid].append(token)


def _token(number: int) -> str:
    """Return a token of the length and form of WeChat's: a number, an underline, about 130 URL-safe characters."""
    return f"{number}_{secrets.token_urlsafe(98)}"
