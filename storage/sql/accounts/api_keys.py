"""API keys of the internal interface: shown once when made, stored as a hash, each with what it is good for."""

import hashlib
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from storage.base.errors import InvalidRecord, StoreUnavailable
from storage.sql.accounts.audit import NewAuditEntry, write_entry
from storage.sql.core.engine import Database
from storage.sql.core.schema import api_keys

__all__ = ["ApiKey", "ApiKeys", "KeyLimits", "KeyRight"]

PREFIX = "wok_"
KEY_BYTES = 32
NAME_LENGTH = 64
#: How exactly the last use is known, in seconds: a busy key is not written at every request.
USE_PRECISION_SECONDS = 60


class KeyRight(StrEnum):
    """What a key may do."""

    READ_TOKEN = "read-token"  # noqa: S105 - the name of a right
    READ_USERS = "read-users"
    SET_EXTERNAL_ID = "set-external-id"
    ACCOUNT_TOKEN = "account-token"  # noqa: S105 - the name of a right


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """What a key is good for.

    Attributes:
        appids: The accounts; None for all.
        rights: What it may do.
        expires_at: When it ends; None for never.
        per_minute: How many requests a minute; None for any number.
    """

    appids: frozenset[str] | None = None
    rights: frozenset[KeyRight] = frozenset({KeyRight.READ_TOKEN})
    expires_at: int | None = None
    per_minute: int | None = None

    def admit(self, appid: str, right: KeyRight) -> bool:
        """Return whether the key may do something about an account."""
        return right in self.rights and (self.appids is None or appid in self.appids)

    def described(self) -> dict[str, Any]:
        """Return what the audit log says of it."""
        words = {
            "accounts": None if self.appids is None else " ".join(sorted(self.appids)),
            "rights": " ".join(sorted(self.rights)),
            "expires": None if self.expires_at is None else f"{datetime.fromtimestamp(self.expires_at, UTC):%Y-%m-%d}",
            "per_minute": self.per_minute,
        }
        return {name: value for name, value in words.items() if value is not None}

    def is_over(self, at: int) -> bool:
        """Return whether the key has ended by itself."""
        return self.expires_at is not None and self.expires_at <= at


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as lists show it. The key itself is not kept."""

    name: str
    created_at: int
    last_used_at: int | None
    revoked_at: int | None
    limits: KeyLimits = field(default_factory=KeyLimits)

    def is_active(self, at: int) -> bool:
        """Return whether the key is taken."""
        return self.revoked_at is None and not self.limits.is_over(at)


class ApiKeys:
    """Makes, checks and revokes API keys.

    A key is 32 random bytes, so a plain SHA-256 of it cannot be turned back by trying, as that of a password could.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, at: int, limits: KeyLimits | None = None, entry: NewAuditEntry | None = None) -> str:
        """Make a key and return it: the only time it can be seen.

        Args:
            name: Whose it is.
            at: The time now.
            limits: What it is good for, if not the tokens of all accounts, for ever.
            entry: What the audit log is to say of it, in the same transaction.

        Raises:
            InvalidRecord: There was a key of this name before, the name is empty or longer than 64 characters, or the
                key would be good for nothing.
        """
        limits = limits or KeyLimits()
        if not name.strip() or len(name) > NAME_LENGTH:
            raise InvalidRecord(f"The name of an API key has 1 to {NAME_LENGTH} characters.")
        if not limits.rights or limits.appids == frozenset() or limits.is_over(at) or limits.per_minute == 0:
            raise InvalidRecord("The API key would be good for nothing.")
        key = PREFIX + secrets.token_urlsafe(KEY_BYTES)
        values = {"name": name, "key_hash": _hash(key), "created_at": at, **_values(limits)}

        def work(connection: Connection) -> bool:
            if connection.execute(select(api_keys.c.id).where(api_keys.c.name == name)).first() is not None:
                return False
            connection.execute(insert(api_keys), values)
            write_entry(connection, entry)
            return True

        if not self._database.write(work):
            raise InvalidRecord(f"There is an API key named {name!r} already, or there was; choose another name.")
        return key

    def verify(self, key: str, at: int) -> ApiKey | None:
        """Return a valid key by its text; None for any other text, at the same cost.

        Notes the use of a valid key, to the minute.
        """
        # Time tells nothing: what is looked up is a hash, which nobody can bring nearer to a stored one step by step.
        wanted = select(api_keys).where(api_keys.c.key_hash == _hash(key), api_keys.c.revoked_at.is_(None))
        row = self._database.read(lambda connection: connection.execute(wanted).first())
        found = None if row is None else _api_key(row)
        if row is None or found is None or not found.is_active(at):
            return None
        if found.last_used_at is None or found.last_used_at <= at - USE_PRECISION_SECONDS:
            used = update(api_keys).where(api_keys.c.id == row.id).values(last_used_at=at)
            # That the use could not be noted is no reason to refuse a good key.
            with suppress(StoreUnavailable):
                self._database.write(lambda connection: connection.execute(used))
        return found

    def list(self) -> list[ApiKey]:
        """Return all keys, revoked ones too, in the order they were made."""
        wanted = select(api_keys).order_by(api_keys.c.id)
        return [_api_key(row) for row in self._database.read(lambda connection: connection.execute(wanted).all())]

    def revoke(self, name: str, at: int, entry: NewAuditEntry | None = None) -> bool:
        """End a key for good. False when there is none of this name, or it is revoked already.

        Args:
            name: Whose it is.
            at: The time now.
            entry: What the audit log is to say of it, in the same transaction.
        """
        revoked = update(api_keys).where(api_keys.c.name == name, api_keys.c.revoked_at.is_(None)).values(revoked_at=at)

        def work(connection: Connection) -> bool:
            if connection.execute(revoked).rowcount != 1:
                return False
            write_entry(connection, entry)
            return True

        return self._database.write(work)


def _values(limits: KeyLimits) -> dict[str, Any]:
    return {
        "appids": None if limits.appids is None else _joined(limits.appids),
        "rights": _joined(limits.rights),
        "expires_at": limits.expires_at,
        "per_minute": limits.per_minute,
    }


def _joined(words: Iterable[str]) -> str:
    return ",".join(sorted(words))


def _api_key(row: Row[Any]) -> ApiKey:
    """Read a row. Keys that were made before there were rights have the one that there was."""
    known = {right.value for right in KeyRight}
    limits = KeyLimits(
        appids=None if row.appids is None else frozenset(row.appids.split(",")),
        rights=frozenset(
            KeyRight(word) for word in (row.rights or KeyRight.READ_TOKEN.value).split(",") if word in known
        ),
        expires_at=row.expires_at,
        per_minute=row.per_minute,
    )
    return ApiKey(row.name, row.created_at, row.last_used_at, row.revoked_at, limits)


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
