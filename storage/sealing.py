"""Sealing of secrets at rest: AES-256-GCM under a ring of keys, each value bound to its row and column.

A sealed value is `version (1 byte) | key id (4) | nonce (12) | ciphertext and tag`. The additional authenticated data
is `appid|openid|column`, so a value that is moved to another user or to the other column does not open. The tokens of
both grants that a row may hold are sealed alike: which of the two a grant is, and when it becomes the other, the store
decides in one write, and it cannot seal. An account's own credential is bound alike, to `appid|kind|credential`.

Version 2 encrypts each row under a key of its own, derived by HKDF-Expand (RFC 5869) from `appid|openid`: random nonces
of 96 bits serve one key 2**32 times (NIST SP 800-38D, 8.3), which all rows together would reach and one row never does.
Version 1 used one key for all rows; its values still open.
"""

import base64
import binascii
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from storage.base.errors import CannotOpen, InvalidKey, NotMadeYet, UnknownKey
from storage.credentials.records import Credential, CredentialKind
from storage.grants import SealedTokens
from storage.users import Authorization

__all__ = ["KeyRing", "Tokens", "create_key_file", "generate_key", "read_key_file"]

_ONE_KEY_FOR_ALL = b"\x01"
_KEY_PER_ROW = b"\x02"
_VERSIONS = frozenset({_ONE_KEY_FOR_ALL, _KEY_PER_ROW})
_ID_BYTES = 4
_NONCE_BYTES = 12
_KEY_BYTES = 32
_HEADER_BYTES = len(_KEY_PER_ROW) + _ID_BYTES + _NONCE_BYTES
#: The column that a credential is bound to, beside its account and kind; no column of users is named so.
_CREDENTIAL = "credential"
_HOW_TO_MAKE_ONE = "make one with: wechat-openid keys generate"


@dataclass(frozen=True, slots=True)
class Tokens:
    """Both tokens of an authorization, as WeChat knows them."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


def generate_key() -> str:
    """Return a new random key in the form that `SECRET_KEYS` takes: 32 bytes, URL-safe base64."""
    return base64.urlsafe_b64encode(os.urandom(_KEY_BYTES)).decode()


def create_key_file(path: Path) -> bool:
    """Make a file with a new key that only its owner can read, unless it is there. Return whether it was made.

    Of several processes at once, one makes it.
    """
    if path.exists():
        return False
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The draft has a name of its own: in containers that share a volume, several processes are number 1.
    with tempfile.NamedTemporaryFile("w", encoding="ascii", dir=path.parent, prefix=f"{path.name}.") as draft:
        draft.write(generate_key() + "\n")
        draft.flush()
        os.fsync(draft.fileno())
        try:
            # A link appears whole or not at all, and never replaces a key that another process made meanwhile.
            os.link(draft.name, path)
        except FileExistsError:
            return False
    return True


def read_key_file(path: Path) -> str:
    """Return the content of a key file.

    Raises:
        NotMadeYet: There is none.
    """
    try:
        # What is not ASCII is not a key either; it is for the parser to say so.
        return path.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        raise NotMadeYet(
            f"there are no keys in {path.absolute()}: run this in the folder of the service, or set SECRET_KEYS; "
            "the first `wechat-openid serve` makes them"
        ) from None


class _Key:
    """One key of the ring, with what is derived from it."""

    def __init__(self, material: bytes) -> None:
        self._material = material
        self.id = self.derive(b"key id", _ID_BYTES)
        self._sealing_rows = self.derive(b"seal rows", _KEY_BYTES)
        self._of_all_rows = AESGCM(self.derive(b"seal", _KEY_BYTES))

    def cipher(self, version: bytes, row: str) -> AESGCM:
        """Return what encrypts the values of a row, in one version of the form."""
        if version == _ONE_KEY_FOR_ALL:
            return self._of_all_rows
        return AESGCM(HKDFExpand(hashes.SHA256(), _KEY_BYTES, info=row.encode()).derive(self._sealing_rows))

    def derive(self, purpose: bytes, length: int) -> bytes:
        return HKDF(hashes.SHA256(), length, salt=None, info=b"wechat-openid " + purpose).derive(self._material)


class KeyRing:
    """Seals with the newest key, opens with any.

    Args:
        keys: Keys of 32 bytes, newest first.

    Raises:
        InvalidKey: There is none, or one is of another length.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise InvalidKey(f"SECRET_KEYS is empty; {_HOW_TO_MAKE_ONE}")
        if any(len(key) != _KEY_BYTES for key in keys):
            raise InvalidKey(f"SECRET_KEYS holds a key that is not {_KEY_BYTES} bytes long; {_HOW_TO_MAKE_ONE}")
        ring = [_Key(key) for key in keys]
        self._newest = ring[0]
        self._by_id = {key.id: key for key in ring}
        self._header = _KEY_PER_ROW + self._newest.id

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read keys as `SECRET_KEYS` holds them: base64, separated by commas or white space, newest first.

        Raises:
            InvalidKey: One is not base64 of 32 bytes. The text never quotes it.
        """
        keys = []
        for number, word in enumerate(text.replace(",", " ").split(), start=1):
            try:
                # Both alphabets of base64, with the padding or without.
                keys.append(
                    base64.b64decode(word.rstrip("=") + "=" * (-len(word.rstrip("=")) % 4), b"-_", validate=True)
                )
            except (ValueError, binascii.Error):
                raise InvalidKey(f"key number {number} in SECRET_KEYS is not base64; {_HOW_TO_MAKE_ONE}") from None
        return cls(keys)

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of the keys in hexadecimal, newest first. They tell nothing about the keys."""
        return tuple(key_id.hex() for key_id in self._by_id)

    def derived_keys(self, purpose: str) -> dict[int, bytes]:
        """Return keys for another purpose, such as signing, by a number that stays with each key; newest first."""
        return {int.from_bytes(key.id, "big"): key.derive(purpose.encode(), _KEY_BYTES) for key in self._by_id.values()}

    def seal(self, appid: str, openid: str, tokens: Tokens) -> SealedTokens:
        """Seal both tokens of an authorization."""
        nonces = os.urandom(2 * _NONCE_BYTES)
        row = _row(appid, openid)
        cipher = self._newest.cipher(_KEY_PER_ROW, row)
        return SealedTokens(
            self._seal(cipher, tokens.access_token, nonces[:_NONCE_BYTES], f"{row}|access_token"),
            self._seal(cipher, tokens.refresh_token, nonces[_NONCE_BYTES:], f"{row}|refresh_token"),
        )

    def sealed_with(self, tokens: SealedTokens) -> frozenset[str]:
        """Return the ids of the keys that both tokens are sealed with, in the ring or not; mostly it is one key.

        Raises:
            CannotOpen: One of them is not a sealed value.
        """
        return frozenset(map(_key_id_of, (tokens.access_token, tokens.refresh_token)))

    def seal_value(self, row: str, column: str, text: str) -> bytes:
        """Seal a text that is no token. The row is named so that it is one in all tables, such as `operator|7`."""
        return self._seal(self._newest.cipher(_KEY_PER_ROW, row), text, os.urandom(_NONCE_BYTES), f"{row}|{column}")

    def open_value(self, row: str, column: str, sealed: bytes) -> str:
        """Open what `seal_value` sealed.

        Raises:
            UnknownKey: It was sealed with a key that is not in the ring.
            CannotOpen: It was altered, or sealed for another row or column.
        """
        return self._open(sealed, row, column)

    def is_sealed_with_newest(self, sealed: bytes) -> bool:
        """Return whether a sealed value needs no other key than the newest."""
        return sealed[: len(self._header)] == self._header

    def open(self, authorization: Authorization) -> Tokens:
        """Open both tokens of an authorization; see `open_tokens`."""
        return self.open_tokens(authorization.appid, authorization.openid, authorization.tokens)

    def open_tokens(self, appid: str, openid: str, tokens: SealedTokens) -> Tokens:
        """Open both tokens of one of a user's grants.

        Raises:
            UnknownKey: They were sealed with a key that is not in the ring.
            CannotOpen: They were altered, or sealed for another user or column.
        """
        row = _row(appid, openid)
        return Tokens(
            self._open(tokens.access_token, row, "access_token"),
            self._open(tokens.refresh_token, row, "refresh_token"),
        )

    def seal_credential(self, appid: str, kind: CredentialKind, value: str) -> bytes:
        """Seal an account's own credential."""
        row = _row(appid, kind)
        cipher = self._newest.cipher(_KEY_PER_ROW, row)
        return self._seal(cipher, value, os.urandom(_NONCE_BYTES), f"{row}|{_CREDENTIAL}")

    def open_credential(self, credential: Credential) -> str:
        """Open an account's own credential.

        Raises:
            UnknownKey: It was sealed with a key that is not in the ring.
            CannotOpen: It was altered, or sealed for another account or kind, or there is none.
        """
        return self._open(credential.sealed, _row(credential.appid, credential.kind), _CREDENTIAL)

    def credential_sealed_with(self, credential: Credential) -> str:
        """Return the id of the key that a credential is sealed with, in the ring or not.

        Raises:
            CannotOpen: It is not a sealed value.
        """
        return _key_id_of(credential.sealed)

    def _seal(self, cipher: AESGCM, token: str, nonce: bytes, bound_to: str) -> bytes:
        return self._header + nonce + cipher.encrypt(nonce, token.encode(), bound_to.encode())

    def _open(self, sealed: bytes, row: str, column: str) -> str:
        bound_to = f"{row}|{column}"
        if not _is_sealed(sealed):
            raise CannotOpen(f"the sealed value of {bound_to} is not in a form this version knows")
        key_id = sealed[1 : 1 + _ID_BYTES]
        key = self._by_id.get(key_id)
        if key is None:
            raise UnknownKey(
                f"the value of {bound_to} is sealed with key {key_id.hex()}, which is not in SECRET_KEYS "
                f"(there: {', '.join(self.key_ids)}); add that key after the newest"
            )
        nonce = sealed[1 + _ID_BYTES : _HEADER_BYTES]
        try:
            return key.cipher(sealed[:1], row).decrypt(nonce, sealed[_HEADER_BYTES:], bound_to.encode()).decode()
        except InvalidTag:
            raise CannotOpen(
                f"the sealed value of {bound_to} does not open: it was altered or moved here from another row or column"
            ) from None


def _key_id_of(value: bytes) -> str:
    if not _is_sealed(value):
        raise CannotOpen("a sealed value is not in a form this version knows")
    return value[1 : 1 + _ID_BYTES].hex()


def _is_sealed(value: bytes) -> bool:
    return len(value) > _HEADER_BYTES and value[:1] in _VERSIONS


def _row(appid: str, name: str) -> str:
    """Return what the values of a row are bound to: its account, and its user or its kind of credential."""
    return f"{appid}|{name}"
