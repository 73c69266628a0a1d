"""Operators: who may sign in to the dashboard, and what each may do there."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select, update

from storage.base.errors import InvalidRecord
from storage.sql.accounts.audit import NewAuditEntry, write_entry
from storage.sql.core.engine import Database
from storage.sql.core.schema import operator_identities, operators

__all__ = ["Operator", "Operators", "Role", "operator_of", "select_operators"]

_NAME = re.compile(r"[\w.@+-]{1,64}")


class Role(StrEnum):
    """What an operator may do. Each role may do what those before it may."""

    #: Look.
    VIEWER = "viewer"
    #: Act on users.
    OPERATOR = "operator"
    #: Manage operators, API keys and accounts.
    OWNER = "owner"

    def covers(self, needed: "Role") -> bool:
        """Return whether this role may do what `needed` may."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator as lists show them: without the hash of the password.

    Attributes:
        issuer: The identity provider that vouches for them; None for an operator with a password here.
        subject: Who they are there.
    """

    id: int
    name: str
    role: Role
    created_at: int
    password_changed_at: int
    last_signed_in_at: int | None
    disabled_at: int | None
    issuer: str | None = None
    subject: str | None = None


class Operators:
    """Keeps operators. Passwords come here as hashes only.

    There is always an owner who can sign in, once there was one: the last one can neither be disabled nor given a
    lesser role: otherwise none could be added any more.

    What the audit log is to say of a change is written in the same transaction, where it is given as `entry`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, password_hash: str, role: Role, at: int, *, entry: NewAuditEntry | None = None) -> None:
        """Add an operator.

        Raises:
            InvalidRecord: There is one of this name, or the name is not 1 to 64 letters, digits and `. _ @ + -`.
        """
        if not _NAME.fullmatch(name):
            raise InvalidRecord("The name of an operator has 1 to 64 letters, digits and . _ @ + -")
        values = {
            "name": name,
            "password_hash": password_hash,
            "role": role,
            "created_at": at,
            "password_changed_at": at,
        }

        def work(connection: Connection) -> bool:
            if connection.execute(select(operators.c.id).where(operators.c.name == name)).first() is not None:
                return False
            connection.execute(insert(operators), values)
            write_entry(connection, entry)
            return True

        if not self._database.write(work):
            raise InvalidRecord(f"There is an operator named {name!r} already.")

    def find(self, name: str) -> tuple[Operator, str] | None:
        """Return an operator, disabled ones too, and the hash of their password; None when there is none.

        The hash is empty for an operator of an identity provider: no password is theirs.
        """
        wanted = select_operators().where(operators.c.name == name)
        row = self._database.read(lambda connection: connection.execute(wanted).first())
        return None if row is None else (operator_of(row), row.password_hash)

    def has_any(self) -> bool:
        """Return whether there is an operator at all, disabled ones too."""
        wanted = select(operators.c.id).limit(1)
        return self._database.read(lambda connection: connection.execute(wanted).first()) is not None

    def list(self) -> list[Operator]:
        """Return all operators, disabled ones too, by name."""
        wanted = select_operators().order_by(operators.c.name)
        return [operator_of(row) for row in self._database.read(lambda connection: connection.execute(wanted).all())]

    def set_password(self, name: str, password_hash: str, at: int, *, entry: NewAuditEntry | None = None) -> bool:
        """Replace the hash of a password. False when there is no such operator.

        Raises:
            InvalidRecord: An identity provider vouches for the operator: no password of ours does.
        """
        found = self.find(name)
        if found is not None and found[0].issuer is not None:
            raise InvalidRecord(f"{name} signs in at an identity provider and has no password here.")
        return self._change(name, entry, password_hash=password_hash, password_changed_at=at)

    def renew_hash(self, name: str, old_hash: str, new_hash: str) -> None:
        """Replace the hash of a password by another of the same password, unless the password was changed meanwhile."""
        row = operators.c
        renewed = (
            update(operators).where(row.name == name, row.password_hash == old_hash).values(password_hash=new_hash)
        )
        self._database.write(lambda connection: connection.execute(renewed))

    def note_sign_in(self, name: str, at: int) -> None:
        """Note that an operator has signed in."""
        self._change(name, None, last_signed_in_at=at)

    def set_role(self, name: str, role: Role, *, entry: NewAuditEntry | None = None) -> bool:
        """Change an operator's role. False when there is no such operator.

        Raises:
            InvalidRecord: It is the last owner.
        """
        return self._change(name, entry, role=role)

    def disable(self, name: str, at: int, *, entry: NewAuditEntry | None = None) -> bool:
        """Refuse an operator from now on. False when there is no such operator.

        Raises:
            InvalidRecord: It is the last owner.
        """
        return self._change(name, entry, disabled_at=at)

    def enable(self, name: str, *, entry: NewAuditEntry | None = None) -> bool:
        """Let a disabled operator sign in again. False when there is no such operator."""
        return self._change(name, entry, disabled_at=None)

    def _change(self, name: str, entry: NewAuditEntry | None, **values: str | int | None) -> bool:
        changed = update(operators).where(operators.c.name == name).values(**values)
        # Locked, so that two owners who demote one another at once do not both succeed.
        owners = (
            select(operators.c.name)
            .where(operators.c.role == Role.OWNER, operators.c.disabled_at.is_(None))
            .order_by(operators.c.id)
            .with_for_update()
        )
        demotes = values.get("role", Role.OWNER) != Role.OWNER or values.get("disabled_at") is not None

        def work(connection: Connection) -> bool | None:
            if demotes and list(connection.execute(owners).scalars()) == [name]:
                return None
            if connection.execute(changed).rowcount != 1:
                return False
            write_entry(connection, entry)
            return True

        done = self._database.write(work)
        if done is None:
            raise InvalidRecord(f"{name} is the last owner; make another one first.")
        return done


def select_operators() -> Select[Any]:
    """Return the question for operators; each row of its answer is what `operator_of` reads."""
    identity = operator_identities.c
    return select(operators, identity.issuer, identity.subject).outerjoin(
        operator_identities, identity.operator_id == operators.c.id
    )


def operator_of(row: Row[Any]) -> Operator:
    """Read an operator of a row."""
    return Operator(
        id=row.id,
        name=row.name,
        role=Role(row.role),
        created_at=row.created_at,
        password_changed_at=row.password_changed_at,
        last_signed_in_at=row.last_signed_in_at,
        disabled_at=row.disabled_at,
        issuer=row.issuer,
        subject=row.subject,
    )
