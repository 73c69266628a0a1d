"""API keys of the internal interface: shown once when made, stored as a hash."""

import hashlib
import secrets
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from storage.base.errors import InvalidRecord, StoreUnavailable
from storage.sql.core.engine import Database
from storage.sql.core.schema import api_keys

__all__ = ["ApiKey", "ApiKeys"]

PREFIX = "wok_"
KEY_BYTES = 32
NAME_LENGTH = 64
#: How exactly the last use is known, in seconds: a busy key is not written at every request.
USE_PRECISION_SECONDS = 60


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as lists show it. The key itself is not kept."""

    name: str
    created_at: int
    last_used_at: int | None
    revoked_at: int | None


class ApiKeys:
    """Makes, checks and revokes API keys.

    A key is 32 random bytes, so a plain SHA-256 of it cannot be turned back by trying, as that of a password could.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, at: int) -> str:
        """Make a key and return it: the only time it can be seen.

        Raises:
            InvalidRecord: There was a key of this name before, or the name is empty or longer than 64 characters.
        """
        if not name.strip() or len(name) > NAME_LENGTH:
            raise InvalidRecord(f"The name of an API key has 1 to {NAME_LENGTH} characters.")
        key = PREFIX + secrets.token_urlsafe(KEY_BYTES)
        values = {"name": name, "key_hash": _hash(key), "created_at": at}

        def work(connection: Connection) -> bool:
            if connection.execute(select(api_keys.c.id).where(api_keys.c.name == name)).first() is not None:
                return False
            connection.execute(insert(api_keys), values)
            return True

        if not self._database.write(work):
            raise InvalidRecord(f"There is an API key named {name!r} already, or there was; choose another name.")
        return key

    def verify(self, key: str, at: int) -> str | None:
        """Return the name of a valid key; None for any other text, at the same cost.

        Notes the use of a valid key, to the minute.
        """
        # Time tells nothing: what is looked up is a hash, which cannot be brought nearer to a stored one step by step.
        wanted = select(api_keys).where(api_keys.c.key_hash == _hash(key), api_keys.c.revoked_at.is_(None))
        row = self._database.read(lambda connection: connection.execute(wanted).first())
        if row is None:
            return None
        if row.last_used_at is None or row.last_used_at <= at - USE_PRECISION_SECONDS:
            used = update(api_keys).where(api_keys.c.id == row.id).values(last_used_at=at)
            # That the use could not be noted is no reason to refuse a good key.
            with suppress(StoreUnavailable):
                self._database.write(lambda connection: connection.execute(used))
        return str(row.name)

    def list(self) -> list[ApiKey]:
        """Return all keys, revoked ones too, in the order they were made."""
        wanted = select(
            api_keys.c.name, api_keys.c.created_at, api_keys.c.last_used_at, api_keys.c.revoked_at
        ).order_by(api_keys.c.id)
        return [ApiKey(*row) for row in self._database.read(lambda connection: connection.execute(wanted).all())]

    def revoke(self, name: str, at: int) -> bool:
        """End a key for good. False when there is none of this name, or it is revoked already."""
        revoked = update(api_keys).where(api_keys.c.name == name, api_keys.c.revoked_at.is_(None)).values(revoked_at=at)
        return self._database.write(lambda connection: connection.execute(revoked).rowcount == 1)


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
