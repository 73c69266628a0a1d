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
        browser_id: Random; stays with the browser.
    """

    browser_id: str = field(repr=False)
    appid: str | None = None
    openid: str | None = None

    @classmethod
    def new(cls) -> Self:
        """Make a session for a browser that has none."""
        return cls(secrets.token_urlsafe(12))

    def of_user(self, appid: str, openid: str) -> "Session":
        """Return this browser's session as that of a user."""
        return replace(self, appid=appid, openid=openid)


class SessionSigner:
    """Writes and reads session cookies.

    Args:
        keys: The ring whose keys the signing keys are derived from.
        clock: What stamps them and tells their age.
    """

    cookie_name = "wechat_openid"

    def __init__(self, keys: KeyRing, clock: Clock) -> None:
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
        content = decode_signed_value(
            self._keys, self.cookie_name, value, max_age_days=SESSION_DAYS, clock=self._clock.now, min_version=2
        )
        return None if content is None else Session(*json.loads(content))
