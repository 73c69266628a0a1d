"""What a provider publishes of itself: its endpoints and keys, fetched when they are needed and kept for a while."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import KeySet, import_key

from admin.operators.provider.identity_provider import ProviderFault
from storage.base.clock import Clock, was_set_back

__all__ = ["ProviderDocuments", "ProviderMetadata", "is_safe_address"]

#: Signatures by a key pair. Those by the client's secret, and none at all, prove nothing here.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
_KEPT_SECONDS = 3600
#: How soon keys are fetched again for one that is not among them: a stranger can name any.
_SOONEST_SECONDS = 10
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class ProviderMetadata:
    """What is used of a provider's metadata (OpenID Connect Discovery 1.0, 3).

    Attributes:
        posts_secret: Whether the client's secret goes into the body: it does not take it in a header.
        names_issuer: Whether each answer names who sends it (RFC 9207).
    """

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    end_session_endpoint: str | None
    algorithms: tuple[str, ...]
    posts_secret: bool
    names_issuer: bool


class ProviderDocuments:
    """Keeps metadata and keys for an hour. Blocking; any thread may ask.

    Args:
        issuer: The provider's identifier.
        fetch: Returns the JSON behind an address, or raises `ProviderFault`.
        clock: Tells how old they are.
    """

    def __init__(self, issuer: str, fetch: Callable[[str], Any], clock: Clock) -> None:
        self._issuer = issuer
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._metadata: tuple[ProviderMetadata, int] | None = None
        self._keys: tuple[KeySet, int] | None = None

    def metadata(self) -> ProviderMetadata:
        """Return the metadata; those of before while new ones are not to be had.

        Raises:
            ProviderFault: There are none, or they are another provider's.
        """
        with self._lock:
            if self._metadata is None or self._is_older(self._metadata[1], _KEPT_SECONDS):
                try:
                    found = self._fetch(f"{self._issuer.removesuffix('/')}/.well-known/openid-configuration")
                    self._metadata = _read_metadata(found, self._issuer), self._clock.now()
                except ProviderFault:
                    if self._metadata is None:
                        raise
            return self._metadata[0]

    def keys(self, key_id: str | None) -> KeySet:
        """Return the provider's keys, fetched anew if this one is not among them.

        Raises:
            ProviderFault: They are not to be had.
        """
        address = self.metadata().jwks_uri
        with self._lock:
            if self._keys is None or self._is_older(self._keys[1], self._kept_for(self._keys[0], key_id)):
                self._keys = _read_keys(self._fetch(address)), self._clock.now()
            return self._keys[0]

    def _kept_for(self, keys: KeySet, key_id: str | None) -> int:
        is_known = key_id is None or any(key.kid == key_id for key in keys.keys)
        return _KEPT_SECONDS if is_known else _SOONEST_SECONDS

    def _is_older(self, fetched_at: int, seconds: int) -> bool:
        now = self._clock.now()
        return fetched_at <= now - seconds or was_set_back(fetched_at, now)


def is_safe_address(text: Any) -> bool:
    """Return whether what is sent to an address, and what comes from it, is safe: by TLS, or on this machine."""
    try:
        parts = urlsplit(text) if isinstance(text, str) else None
    except ValueError:
        return False
    if parts is None or not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def _read_metadata(found: Any, issuer: str) -> ProviderMetadata:
    if not isinstance(found, Mapping):
        raise ProviderFault("its metadata are no JSON object")
    # As it is written, with a slash at the end or without (OpenID Connect Discovery 1.0, 4.3).
    if found.get("issuer") != issuer:
        raise ProviderFault(
            "its metadata name another issuer than OIDC_ISSUER, which must be the same letter by letter"
        )
    needed = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    missing = [name for name in needed if not is_safe_address(found.get(name))]
    if missing:
        raise ProviderFault(f"its metadata hold no https:// address as {', '.join(missing)}")
    signs = found.get("id_token_signing_alg_values_supported")
    methods = found.get("token_endpoint_auth_methods_supported")
    return ProviderMetadata(
        **{name: found[name] for name in needed},
        userinfo_endpoint=_address(found, "userinfo_endpoint"),
        end_session_endpoint=_address(found, "end_session_endpoint"),
        algorithms=tuple(name for name in _ALGORITHMS if not isinstance(signs, list) or name in signs),
        posts_secret=isinstance(methods, list) and "client_secret_basic" not in methods,
        names_issuer=found.get("authorization_response_iss_parameter_supported") is True,
    )


def _address(found: Mapping[str, Any], name: str) -> str | None:
    address = found.get(name)
    return address if is_safe_address(address) else None


def _read_keys(found: Any) -> KeySet:
    """Read the keys that are of a kind which is known here."""
    entries = found.get("keys") if isinstance(found, Mapping) else None
    keys = []
    for entry in entries if isinstance(entries, list) else []:
        try:
            # The library takes any text for a shared secret.
            keys += [import_key(entry)] if isinstance(entry, dict) else []
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            continue
    if not keys:
        raise ProviderFault("it publishes no key that is known here")
    return KeySet(keys)
