"""Grants of no user, by which a store is asked whether it takes grants; see `TokenStore.probe`."""

import secrets
import time

from storage.grants import Grant
from storage.sealing import KeyRing, Tokens

__all__ = ["probe_grants"]

#: As long as WeChat's tokens are.
_LONG_TOKEN = "t" * 150


def probe_grants(keys: KeyRing, count: int) -> list[Grant]:
    """Return grants as large as those of exchanges, of an appid that no account and no other probe has."""
    appid, now = f"probe-{secrets.token_hex(8)}", int(time.time())
    return [_grant(keys, appid, f"o-{number}", now) for number in range(count)]


def _grant(keys: KeyRing, appid: str, openid: str, now: int) -> Grant:
    return Grant(
        appid=appid,
        openid=openid,
        scope="snsapi_userinfo",
        tokens=keys.seal(appid, openid, Tokens(_LONG_TOKEN, _LONG_TOKEN)),
        authorized_at=now,
        expires_at=now,
        refresh_expires_at=now,
        unionid=openid,
        code_digest=secrets.token_bytes(32),
        code_binding=secrets.token_bytes(32),
    )
