"""What is signed for browsers: the session cookie, which says whose browser it is.

Signatures are Tornado's (HMAC-SHA256 with a time stamp); their keys are derived from `SECRET_KEYS`, so rotating those
rotates these, and a session outlives a rotation as long as the older key is listed.
"""

import json
import secrets
from dataclasses import dataclass, field, replace
from typing import Self

from tornado.web import create_signed_value, decode_signed_value

from storage.base.clock import Clock
from storage.sealing import KeyRing

__all__ = ["SESSION_DAYS", "Session", "SessionSigner"]

SESSION_DAYS = 30


@dataclass(frozen=True, slots=True)
class Session:
    """A browser, and the user it was last authorized as.

    Attributes:
        browser_id: Random, and new at each sign-in: whoever knew the browser's cookie before does not know it after.
    """

    browser_id: str = field(repr=False)
    appid: str | None = None
    openid: str | None = None

    @classmethod
    def new(cls) -> Self:
        """Make a session for a browser that has none."""
        return cls(secrets.token_urlsafe(12))

    @classmethod
    def of_user(cls, appid: str, openid: str) -> Self:
        """Make the session of a user who has just signed in."""
        return replace(cls.new(), appid=appid, openid=openid)


class SessionSigner:
    """Writes and reads session cookies.

    Args:
        keys: The ring whose keys the signing keys are derived from.
        clock: What stamps them and tells their age.
        prefix: What the cookie's name begins with.

    Attributes:
        older_cookie_name: What it was called before names had a prefix; no such cookie is older than the others.
    """

    older_cookie_name = "wechat_openid"

    def __init__(self, keys: KeyRing, clock: Clock, prefix: str = "") -> None:
        self.cookie_name = prefix + self.older_cookie_name
        self._keys = keys.derived_keys("session cookie")
        self._newest = next(iter(self._keys))
        self._clock = clock

    def sign(self, session: Session) -> str:
        """Return the cookie's value."""
        content = json.dumps([session.browser_id, session.appid, session.openid], separators=(",", ":"))
        signed = create_signed_value(
            self._keys, self.cookie_name, content, clock=self._clock.now, key_version=self._newest
        )
        return signed.decode("ascii")

    def verify(self, value: str | None) -> Session | None:
        """Return the session of a cookie's value; None when it is absent, altered, too old or foreign."""
        return self._read(self.cookie_name, value)

    def verify_older(self, value: str | None) -> Session | None:
        """Return whose session an older cookie is, under a new id: a sibling of the site may have planted it."""
        session = self._read(self.older_cookie_name, value)
        if session is None or session.appid is None or session.openid is None:
            return None
        return Session.of_user(session.appid, session.openid)

    def _read(self, name: str, value: str | None) -> Session | None:
        content = decode_signed_value(
            self._keys, name, value, max_age_days=SESSION_DAYS, clock=self._clock.now, min_version=2
        )
        return None if content is None else Session(*json.loads(content))
