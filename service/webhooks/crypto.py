"""Signatures and encryption of pushed messages (消息加解密), as Tencent's pages on message push describe them.

A message is signed by SHA-1 over sorted words, which is what the protocol says; the secret is one of the words.
Encrypted ones are AES-256-CBC with the key's first 16 bytes as IV, around `16 random bytes | length | message | appid`.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

__all__ = ["InvalidMessage", "decrypt", "is_signed"]

_BLOCK_BYTES = 16
_RANDOM_BYTES = 16
_LENGTH_BYTES = 4
#: Messages are padded to multiples of this, twice AES's own block.
_PADDED_TO = 32


class InvalidMessage(Exception):
    """The body is not a message of WeChat's form. The text never quotes it."""


def is_signed(signature: str, token: str, *words: str) -> bool:
    """Return whether a signature is that of the words under the account's token."""
    expected = hashlib.sha1("".join(sorted([token, *words])).encode()).hexdigest()  # noqa: S324 - the protocol's choice
    return hmac.compare_digest(expected.encode(), signature.encode())


def decrypt(encrypted: str, aes_keys: Iterable[str], appid: str) -> bytes:
    """Return the message that was encrypted with one of an account's keys.

    Args:
        encrypted: The message, in base64.
        aes_keys: EncodingAESKeys, each 43 characters of base64. While a key is changed, WeChat uses both.
        appid: The account, which every message names.

    Raises:
        InvalidMessage: It was encrypted with none of the keys for this account. Causes are not told apart, so that
            nobody learns from the answers.
    """
    for aes_key in aes_keys:
        message = _decrypted(encrypted, base64.b64decode(f"{aes_key}="), appid.encode())
        if message is not None:
            return message
    raise InvalidMessage("the message cannot be decrypted")


def _decrypted(encrypted: str, key: bytes, appid: bytes) -> bytes | None:
    try:
        sealed = base64.b64decode(encrypted, validate=True)
        decryptor = Cipher(AES(key), CBC(key[:_BLOCK_BYTES])).decryptor()
        padded = decryptor.update(sealed) + decryptor.finalize()
    except ValueError:
        return None
    content = _unpadded(padded)
    end = _RANDOM_BYTES + _LENGTH_BYTES
    length = int.from_bytes(content[_RANDOM_BYTES:end], "big")
    message, named = content[end : end + length], content[end + length :]
    return message if len(message) == length and hmac.compare_digest(named, appid) else None


def _unpadded(padded: bytes) -> bytes:
    """Remove the padding; nothing is left where it is not one."""
    count = padded[-1] if padded else 0
    is_padding = 1 <= count <= _PADDED_TO and padded[-count:] == bytes([count]) * count
    return padded[:-count] if is_padding else b""
