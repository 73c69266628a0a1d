"""`States`: the `state` of an authorization, which ties the answer of WeChat to the browser that asked.

A state is 64 hexadecimal digits, of which WeChat allows 128 bytes: when it ends, a random name, and their signature.
What it was asked for stands in a signed cookie of that name, so another browser has no use for the state. The state
serves one code: the same code may come twice, for WeChat's clients post twice, but another code may not.
"""

import hashlib
import hmac
import json
import re
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from tornado.web import create_signed_value, decode_signed_value

from storage.base.clock import Clock
from storage.sealing import KeyRing

__all__ = ["STATE_SECONDS", "Asked", "InvalidState", "IssuedState", "States", "Taker"]

#: How long a user may take to answer WeChat's page.
STATE_SECONDS = 600

_COOKIE_NAME = "wechat_openid_state_"
_STATE = re.compile(r"([0-9a-f]{8})([0-9a-f]{24})([0-9a-f]{32})")
_NAME_BYTES = 12
_DIGEST_LENGTH = 16
#: What one browser may have under way at once; older ones are given up so that its cookies stay few.
_UNDER_WAY = 4
#: Spent states that this process remembers, beside the browser's own cookie.
_REMEMBERED = 8192


class InvalidState(Exception):
    """A state that is not the answer to what this browser asked. The text says why, and never quotes it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a browser asked for when it began an authorization.

    Attributes:
        redirect_uri: The page to come back to, or its origin where nothing else matters.
        through_callback: Whether WeChat sends the code to the service instead of the page.
        code_digest: Of the code that the state was spent on; None while it is under way.
    """

    appid: str
    scope: str
    redirect_uri: str
    through_callback: bool
    ends_at: int
    code_digest: str | None = None

    def is_for(self, origin: str) -> bool:
        """Return whether the authorization was begun for a page of an origin."""
        return self.redirect_uri == origin or self.redirect_uri.startswith(f"{origin}/")


@dataclass(frozen=True, slots=True)
class IssuedState:
    """A state, and the cookie to set with it or after it was spent."""

    state: str = field(repr=False)
    cookie_name: str
    cookie_value: str = field(repr=False)
    asked: Asked


@dataclass(frozen=True, slots=True)
class Taker:
    """The recipient of an answer of WeChat: a page, or this service.

    Attributes:
        through_callback: Whether the service receives it, for a page without script.
        appids: The accounts whose code it may be; None where the state says that.
        origin: That of the page, where it says so.
    """

    through_callback: bool
    appids: frozenset[str] | None = None
    origin: str | None = None

    def check(self, asked: Asked) -> None:
        """Make sure that the authorization was begun for this recipient.

        Raises:
            InvalidState: It was begun for another one.
        """
        if self.through_callback is not asked.through_callback:
            raise InvalidState("this authorization was not to end here")
        if self.appids is not None and asked.appid not in self.appids:
            raise InvalidState("the authorization was begun for another account")
        if self.origin is not None and not asked.is_for(self.origin):
            raise InvalidState("the authorization was begun for a page of another origin")


class States:
    """Issues states and verifies them. Belongs to one process.

    Args:
        keys: The ring whose keys the signing keys are derived from; rotating it keeps states under way good.
        clock: For the expiry of states.
        prefix: What the names of the cookies begin with.
    """

    def __init__(self, keys: KeyRing, clock: Clock, prefix: str = "") -> None:
        self._cookie_prefix = prefix + _COOKIE_NAME
        self._state_keys = tuple(keys.derived_keys("state").values())
        self._cookie_keys = keys.derived_keys("state cookie")
        self._newest = next(iter(self._cookie_keys))
        self._clock = clock
        self._spent: OrderedDict[str, str] = OrderedDict()

    def issue(self, appid: str, scope: str, redirect_uri: str, *, through_callback: bool = False) -> IssuedState:
        """Return a new state for a browser that is about to be sent to WeChat."""
        ends_at = self._clock.now() + STATE_SECONDS
        name = secrets.token_hex(_NAME_BYTES)
        stamp = f"{ends_at:08x}"
        state = f"{stamp}{name}{_signature(self._state_keys[0], stamp, name)}"
        return self._with_cookie(state, name, Asked(appid, scope, redirect_uri, through_callback, ends_at))

    def is_ours(self, state: str) -> bool:
        """Return whether a state has the form of those issued here; `verify` tells whether it is valid."""
        return _STATE.fullmatch(state) is not None

    def verify(self, state: str, cookies: Mapping[str, str], code: str, taker: Taker) -> IssuedState:
        """Return what the browser asked for, spending the state on the code.

        Set the cookie it comes with in the answer: it says that the state is spent.

        Args:
            state: As it came back.
            cookies: All cookies of the browser, by name.
            code: The code it came with, or what came in its place.
            taker: The recipient; a state that was begun for another one is not spent.

        Raises:
            InvalidState: It is forged, altered, too old, another browser's or page's, or was spent on another code.
        """
        name = self._authentic_name(state)
        asked = self._read_cookie(name, cookies)
        if asked is None:
            raise InvalidState("this browser did not begin this authorization, or its cookies are blocked")
        taker.check(asked)
        digest = hashlib.sha256(code.encode()).hexdigest()[:_DIGEST_LENGTH]
        spent_on = self._spent.get(name) or asked.code_digest or digest
        if not hmac.compare_digest(spent_on, digest):
            raise InvalidState("this authorization was completed before")
        self._remember(name, digest)
        spent = Asked(asked.appid, asked.scope, asked.redirect_uri, asked.through_callback, asked.ends_at, digest)
        return self._with_cookie(state, name, spent)

    def under_way(self, cookies: Mapping[str, str]) -> list[Asked]:
        """Return the authorizations that a browser has begun and not finished."""
        asked = [self._read_cookie(name, cookies) for name in self._names(cookies)]
        return [one for one in asked if one is not None and one.code_digest is None]

    def superfluous_cookies(self, cookies: Mapping[str, str]) -> list[str]:
        """Return the names of state cookies to clear: expired and invalid ones, and the oldest of too many."""
        by_name = {name: self._read_cookie(name, cookies) for name in self._names(cookies)}
        alive = sorted((asked.ends_at, name) for name, asked in by_name.items() if asked is not None)
        kept = {name for _, name in alive[-(_UNDER_WAY - 1) :]}
        return [self._cookie_prefix + name for name in by_name if name not in kept]

    def _authentic_name(self, state: str) -> str:
        match = _STATE.fullmatch(state)
        if match is None:
            raise InvalidState("the state is missing or was not issued here")
        stamp, name, signature = match.groups()
        if not any(hmac.compare_digest(_signature(key, stamp, name), signature) for key in self._state_keys):
            raise InvalidState("the state was not issued here")
        if int(stamp, 16) <= self._clock.now():
            raise InvalidState("the authorization took too long")
        return name

    def _with_cookie(self, state: str, name: str, asked: Asked) -> IssuedState:
        content = json.dumps(
            [asked.appid, asked.scope, asked.redirect_uri, asked.through_callback, asked.ends_at, asked.code_digest],
            separators=(",", ":"),
        )
        cookie_name = self._cookie_prefix + name
        value = create_signed_value(
            self._cookie_keys, cookie_name, content, clock=self._clock.now, key_version=self._newest
        )
        return IssuedState(state, cookie_name, value.decode("ascii"), asked)

    def _read_cookie(self, name: str, cookies: Mapping[str, str]) -> Asked | None:
        cookie_name = self._cookie_prefix + name
        content = decode_signed_value(
            self._cookie_keys,
            cookie_name,
            cookies.get(cookie_name),
            max_age_days=1,
            clock=self._clock.now,
            min_version=2,
        )
        asked = Asked(*json.loads(content)) if content is not None else None
        return asked if asked is not None and asked.ends_at > self._clock.now() else None

    def _names(self, cookies: Mapping[str, str]) -> list[str]:
        prefix = self._cookie_prefix
        return [name.removeprefix(prefix) for name in cookies if name.startswith(prefix)]

    def _remember(self, name: str, digest: str) -> None:
        self._spent[name] = digest
        while len(self._spent) > _REMEMBERED:
            self._spent.popitem(last=False)


def _signature(key: bytes, stamp: str, name: str) -> str:
    return hmac.new(key, f"{stamp}|{name}".encode(), hashlib.sha256).hexdigest()[: 2 * _DIGEST_LENGTH]
