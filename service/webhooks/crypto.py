"""Signatures and encryption of pushed messages (消息加解密), as Tencent's pages on message push describe them.

A message is signed by SHA-1 over sorted words, which is what the protocol says; the secret is one of the words.
Encrypted ones are AES-256-CBC with the key's first 16 bytes as IV, around `16 random bytes | length | message | appid`.
"""

import base64
import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

__all__ = ["InvalidMessage", "MessageCipher", "is_signed"]

_BLOCK_BYTES = 16
_RANDOM_BYTES = 16
_LENGTH_BYTES = 4
#: Messages are padded to multiples of this, twice AES's own block.
_PADDED_TO = 32


class InvalidMessage(Exception):
    """A message that is not WeChat's, or not one at all. The text never quotes it."""


def is_signed(signature: str, token: str, *words: str) -> bool:
    """Tell whether a signature is that of the words under the account's token."""
    expected = hashlib.sha1("".join(sorted([token, *words])).encode()).hexdigest()  # noqa: S324 - the protocol's choice
    return hmac.compare_digest(expected.encode(), signature.encode())


class MessageCipher:
    """Opens the encrypted messages of one account.

    Args:
        aes_key: The EncodingAESKey: 43 characters of base64.
        appid: The account, which every message names.
    """

    def __init__(self, aes_key: str, appid: str) -> None:
        key = base64.b64decode(f"{aes_key}=")
        self._cipher = Cipher(AES(key), CBC(key[:_BLOCK_BYTES]))
        self._appid = appid.encode()

    def open(self, encrypted: str) -> bytes:
        """Return the message.

        What is wrong with one that does not open is not told apart, so that nobody learns from the answers.

        Raises:
            InvalidMessage: It was not encrypted with this key for this account.
        """
        try:
            sealed = base64.b64decode(encrypted, validate=True)
            decryptor = self._cipher.decryptor()
            padded = decryptor.update(sealed) + decryptor.finalize()
        except ValueError:
            raise InvalidMessage("the message does not open") from None
        content = _unpadded(padded)
        end = _RANDOM_BYTES + _LENGTH_BYTES
        length = int.from_bytes(content[_RANDOM_BYTES:end], "big")
        message, appid = content[end : end + length], content[end + length :]
        if len(message) != length or not hmac.compare_digest(appid, self._appid):
            raise InvalidMessage("the message does not open")
        return message


def _unpadded(padded: bytes) -> bytes:
    count = padded[-1] if padded else 0
    if not 1 <= count <= _PADDED_TO or padded[-count:] != bytes([count]) * count:
        raise InvalidMessage("the message does not open")
    return padded[:-count]
