"""`IdTokens`: signed statements of a user's identity, which a page can pass to its own backend.

An openid that a browser sends proves nothing. A token of this module does: a JWT (RFC 7519) signed by EdDSA with
Ed25519 (RFC 8037), which anyone with the public keys of `/.well-known/jwks.json` can verify.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from storage.base.clock import Clock
from storage.grants import RedeemedCode
from storage.sealing import KeyRing

__all__ = ["ID_TOKEN_SECONDS", "IdTokens", "public_keys"]

#: Long enough for a page to hand it on at once; whoever gets hold of it later has no use for it.
ID_TOKEN_SECONDS = 300

_ALGORITHM = "EdDSA"


def _base64url(value: bytes) -> str:
    """Return base64url without padding, as all parts of a token and of a key are written (RFC 7515, 2)."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _encoded(part: Mapping[str, Any]) -> str:
    return _base64url(json.dumps(part, separators=(",", ":")).encode())


def _private_keys(keys: KeyRing) -> dict[str, Ed25519PrivateKey]:
    """Derive a signing key from each key of the ring, by its `kid`, newest first."""
    seeds = keys.derived_keys("id token")
    return {f"{number:08x}": Ed25519PrivateKey.from_private_bytes(seed) for number, seed in seeds.items()}


def public_keys(keys: KeyRing) -> dict[str, Any]:
    """Return the JWK set (RFC 7517) of all keys of the ring, newest first, so that rotation interrupts nobody."""
    return {
        "keys": [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "x": _base64url(key.public_key().public_bytes_raw()),
                "kid": kid,
                "use": "sig",
                "alg": _ALGORITHM,
            }
            for kid, key in _private_keys(keys).items()
        ]
    }


class IdTokens:
    """Signs identity tokens with the newest key.

    Args:
        keys: The ring whose keys the signing keys are derived from.
        clock: For the times of issue and expiry.
        issuer: The service's public address (`iss`).
        audience: The recipient (`aud`).
    """

    def __init__(self, keys: KeyRing, clock: Clock, *, issuer: str, audience: str) -> None:
        self._kid, self._key = next(iter(_private_keys(keys).items()))
        self._clock = clock
        self._issuer = issuer
        self._audience = audience

    def sign(self, redeemed: RedeemedCode, nonce: str = "") -> str:
        """Return a token that names the user who was just authorized.

        Args:
            redeemed: What the code gave.
            nonce: What the page's backend gave the page, to know its own visitor's token by (`nonce`, OpenID Connect
                Core 1.0, 2); empty for none.
        """
        now = self._clock.now()
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": redeemed.openid,
            "appid": redeemed.appid,
            "is_snapshotuser": redeemed.is_snapshotuser,
            "iat": now,
            "exp": now + ID_TOKEN_SECONDS,
        }
        if redeemed.unionid:
            claims["unionid"] = redeemed.unionid
        if nonce:
            claims["nonce"] = nonce
        signed = f"{_encoded({'alg': _ALGORITHM, 'typ': 'JWT', 'kid': self._kid})}.{_encoded(claims)}"
        return f"{signed}.{_base64url(self._key.sign(signed.encode()))}"
