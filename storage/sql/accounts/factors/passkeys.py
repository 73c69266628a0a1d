"""Operators' passkeys: public keys, and how often each has signed."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from storage.base.errors import InvalidRecord
from storage.sql.accounts.audit import NewAuditEntry, write_entry
from storage.sql.accounts.factors.recovery_codes import drop_codes_without_factor
from storage.sql.core.engine import Database
from storage.sql.core.schema import operator_passkeys, operators

__all__ = ["MOST_PASSKEYS", "NewPasskey", "Passkey", "Passkeys"]

MOST_PASSKEYS = 20
_NAME_LENGTH = 64

_ROW = operator_passkeys.c


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """A passkey to add; see `Passkey`."""

    credential_id: bytes = field(repr=False)
    credential: bytes = field(repr=False)
    sign_count: int
    name: str


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey, and whose it is.

    Attributes:
        operator: The operator's name.
        credential: Attested credential data: the credential's id and public key (WebAuthn Level 2, 6.5.1).
        name: What its owner calls it.
    """

    id: int
    operator_id: int
    operator: str
    credential: bytes = field(repr=False)
    name: str
    created_at: int
    last_used_at: int | None


class Passkeys:
    """Keeps any operator's passkeys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, operator_id: int, passkey: NewPasskey, at: int, entry: NewAuditEntry | None = None) -> None:
        """Add a passkey.

        Raises:
            InvalidRecord: It is somebody's already, or the operator has 20.
        """
        values = {
            "operator_id": operator_id,
            "digest": _digest(passkey.credential_id),
            "credential": passkey.credential,
            "sign_count": passkey.sign_count,
            "name": passkey.name[:_NAME_LENGTH],
            "created_at": at,
        }
        own = select(func.count()).select_from(operator_passkeys).where(_ROW.operator_id == operator_id)

        def work(connection: Connection) -> bool:
            if connection.execute(own).scalar_one() >= MOST_PASSKEYS:
                return False
            connection.execute(insert(operator_passkeys), values)
            write_entry(connection, entry)
            return True

        if not self._database.write(work):
            raise InvalidRecord(f"An operator has {MOST_PASSKEYS} passkeys at most.")

    def find(self, credential_id: bytes) -> Passkey | None:
        """Return a passkey by the credential's id; None for one that nobody has."""
        wanted = _selected().where(_ROW.digest == _digest(credential_id))
        row = self._database.read(lambda connection: connection.execute(wanted).first())
        return None if row is None else _passkey(row)

    def list(self, operator_id: int) -> list[Passkey]:
        """Return an operator's passkeys, the oldest first."""
        wanted = _selected().where(_ROW.operator_id == operator_id).order_by(_ROW.id)
        return [_passkey(row) for row in self._database.read(lambda connection: connection.execute(wanted).all())]

    def use(self, passkey_id: int, sign_count: int, at: int) -> bool:
        """Note that a passkey has signed.

        False when it is gone, or its count did not rise: then there is a copy of it (WebAuthn Level 2, 6.1.1). Those
        that are kept by a service of their maker do not count, and say 0 each time.
        """
        rises = _ROW.sign_count < sign_count if sign_count else _ROW.sign_count == 0
        used = (
            update(operator_passkeys).where(_ROW.id == passkey_id, rises).values(sign_count=sign_count, last_used_at=at)
        )
        # MySQL counts a row only if something in it changes, which a second use in the same second does not.
        still_there = select(_ROW.id).where(_ROW.id == passkey_id, _ROW.sign_count == sign_count)

        def work(connection: Connection) -> bool:
            if connection.execute(used).rowcount == 1:
                return True
            return sign_count == 0 and connection.execute(still_there).first() is not None

        return self._database.write(work)

    def remove(self, operator_id: int, passkey_id: int, entry: NewAuditEntry | None = None) -> bool:
        """Remove one of an operator's passkeys. False when they have no such one."""
        removed = delete(operator_passkeys).where(_ROW.id == passkey_id, _ROW.operator_id == operator_id)

        def work(connection: Connection) -> bool:
            if connection.execute(removed).rowcount != 1:
                return False
            drop_codes_without_factor(connection, operator_id)
            write_entry(connection, entry)
            return True

        return self._database.write(work)


def _selected() -> Any:
    return select(operator_passkeys, operators.c.name.label("operator")).join(
        operators, operators.c.id == _ROW.operator_id
    )


def _passkey(row: Row[Any]) -> Passkey:
    return Passkey(
        id=row.id,
        operator_id=row.operator_id,
        operator=row.operator,
        credential=bytes(row.credential),
        name=row.name,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
    )


def _digest(credential_id: bytes) -> bytes:
    return hashlib.sha256(credential_id).digest()
