"""`SessionSigner`: the signed session cookie, which says which user a browser belongs to.

Signatures are Tornado's (HMAC-SHA256 with a time stamp); their keys are derived from `SECRET_KEYS`, so rotating those
rotates these, and a session outlives a rotation as long as the older key is listed. A signature is good for a week, and
a session that is used gets a new one each day, until a month after the sign-in.
"""

import json
import secrets
from dataclasses import dataclass, field, replace
from typing import Self

from tornado.web import create_signed_value, decode_signed_value

from storage.base.clock import DAY_SECONDS, Clock
from storage.sealing import KeyRing

__all__ = ["COOKIE_DAYS", "SESSION_DAYS", "Session", "SessionSigner"]

#: How long a session lasts at most, and how long without being used.
SESSION_DAYS = 30
COOKIE_DAYS = 7
_RENEW_AFTER_SECONDS = DAY_SECONDS


@dataclass(frozen=True, slots=True)
class Session:
    """A browser, and the user who last authorized in it.

    Attributes:
        browser_id: Random, and new at each sign-in: an earlier cookie of the browser does not tell it.
        signed_in_at: When the user signed in; 0 where nobody has.
        signed_at: When its cookie was signed, of a session that was read from one.
    """

    browser_id: str = field(repr=False)
    appid: str | None = None
    openid: str | None = None
    signed_in_at: int = 0
    signed_at: int = field(default=0, compare=False)

    @classmethod
    def new(cls) -> Self:
        """Make a session for a browser that has none."""
        return cls(secrets.token_urlsafe(12))

    @classmethod
    def of_user(cls, appid: str, openid: str, signed_in_at: int) -> Self:
        """Make the session of a user who signed in at a moment."""
        return replace(cls.new(), appid=appid, openid=openid, signed_in_at=signed_in_at)


class SessionSigner:
    """Writes and reads session cookies.

    Args:
        keys: The ring whose keys the signing keys are derived from.
        clock: For time stamps and ages.
        prefix: What the cookie's name begins with.

    Attributes:
        older_cookie_name: The cookie's name before names had a prefix; it is still read.
    """

    older_cookie_name = "wechat_openid"

    def __init__(self, keys: KeyRing, clock: Clock, prefix: str = "") -> None:
        self.cookie_name = prefix + self.older_cookie_name
        self._keys = keys.derived_keys("session cookie")
        self._newest = next(iter(self._keys))
        self._clock = clock

    def sign(self, session: Session) -> str:
        """Return the cookie's value."""
        fields = [session.browser_id, session.appid, session.openid, session.signed_in_at]
        content = json.dumps(fields, separators=(",", ":"))
        signed = create_signed_value(
            self._keys, self.cookie_name, content, clock=self._clock.now, key_version=self._newest
        )
        return signed.decode("ascii")

    def verify(self, value: str | None) -> Session | None:
        """Return the session of a cookie's value; None if it is absent, altered, too old, or signed by other keys."""
        return self._read(self.cookie_name, value)

    def verify_older(self, value: str | None) -> Session | None:
        """Return the session of an older cookie, under a new id: a sibling of the site may have planted it."""
        session = self._read(self.older_cookie_name, value)
        if session is None or session.appid is None or session.openid is None:
            return None
        return replace(session, browser_id=Session.new().browser_id)

    def is_to_be_renewed(self, session: Session) -> bool:
        """Return whether the cookie that a session was read from is so old that a new one should be given."""
        return self._clock.now() - session.signed_at >= _RENEW_AFTER_SECONDS

    def _read(self, name: str, value: str | None) -> Session | None:
        content = decode_signed_value(
            self._keys, name, value, max_age_days=COOKIE_DAYS, clock=self._clock.now, min_version=2
        )
        if content is None or value is None:
            return None
        browser_id, appid, openid, *rest = json.loads(content)
        signed_at = _signing_time(value)
        # Cookies used to say no more than that, and were never signed anew.
        signed_in_at = rest[0] if rest else signed_at
        if openid is not None and self._clock.now() - signed_in_at > SESSION_DAYS * DAY_SECONDS:
            return None
        return Session(browser_id, appid, openid, signed_in_at, signed_at)


def _signing_time(value: str) -> int:
    """Return the time stamp of a signed value: the third of its fields, each after its length and a colon."""
    return int(value.split("|")[2].partition(":")[2])
