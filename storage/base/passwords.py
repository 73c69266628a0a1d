"""Passwords of operators: argon2id hashes, and the bounds of their length."""

import secrets
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from storage.base.errors import InvalidRecord

__all__ = ["LONGEST_PASSWORD", "SHORTEST_PASSWORD", "PasswordHashes", "generate_password"]

SHORTEST_PASSWORD = 12
#: A limit, so that no client makes the server hash megabytes.
LONGEST_PASSWORD = 256
_GENERATED_BYTES = 15


class PasswordHashes:
    """Makes and checks hashes, with argon2id by the parameters of RFC 9106 for limited memory unless told otherwise.

    Blocking: each call takes tens of milliseconds by design.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()

    @cached_property
    def _nobodys_hash(self) -> str:
        return self._hasher.hash(generate_password())

    def hash(self, password: str) -> str:
        """Return the hash to store, with its own salt and parameters in it.

        Raises:
            InvalidRecord: The password has fewer than 12 or more than 256 characters.
        """
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            raise InvalidRecord(f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters.")
        return self._hasher.hash(password.encode("utf-8", "surrogatepass"))

    def is_outdated(self, password_hash: str) -> bool:
        """Return whether a hash was made with other parameters than new hashes are."""
        return self._hasher.check_needs_rehash(password_hash)

    def verify(self, password_hash: str | None, password: str) -> bool:
        """Return whether a password is the one of a hash.

        None stands for an operator that does not exist: it is False at the cost of a wrong password, so that the
        time taken does not tell which names exist.
        """
        try:
            self._hasher.verify(
                password_hash or self._nobodys_hash, password[:LONGEST_PASSWORD].encode("utf-8", "surrogatepass")
            )
        except (VerificationError, InvalidHashError):
            return False
        return password_hash is not None and len(password) <= LONGEST_PASSWORD


def generate_password() -> str:
    """Return a password of 120 random bits."""
    return secrets.token_urlsafe(_GENERATED_BYTES)
