"""Operators whom an identity provider vouches for: each a row of its own, known by the provider's subject alone."""

import hashlib
import re
from dataclasses import dataclass, replace

from sqlalchemy import Connection, insert, select, update

from storage.base.errors import InvalidRecord
from storage.sql.accounts.audit import NewAuditEntry, write_entry
from storage.sql.accounts.operators import Operator, Role, operator_of, select_operators
from storage.sql.core.engine import Database
from storage.sql.core.schema import operator_identities, operators

__all__ = ["LONGEST_SUBJECT", "ProviderIdentity", "ProviderOperators", "is_provider_name"]

#: What an issuer and a subject may have, in characters; the specification allows a subject 255 of ASCII.
LONGEST_SUBJECT = 255
#: How their names begin. No name of an operator with a password holds a colon, so none is taken for another.
_NAME_PREFIX = "sso:"
_NAME_LENGTH = 64
_DIGEST_LETTERS = 8
_NOT_IN_A_NAME = re.compile(r"[^\w.@+-]+")


@dataclass(frozen=True, slots=True)
class ProviderIdentity:
    """Whom a provider vouches for.

    Attributes:
        issuer: The provider.
        subject: The person, at this provider and for ever (OpenID Connect Core 1.0, 5.7).
        name: What the provider calls the person now: it may change, and be given to somebody else.
    """

    issuer: str
    subject: str
    name: str


class ProviderOperators:
    """Finds and adds operators by what their provider says.

    What the audit log is to say is written in the same transaction; the subject of an entry is filled in here.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, identity: ProviderIdentity) -> Operator | None:
        """Return the operator of an identity, disabled ones too; None when there is none."""
        return self._database.read(lambda connection: _find(connection, identity))

    def admit(
        self, identity: ProviderIdentity, role: Role, at: int, *, added: NewAuditEntry, changed: NewAuditEntry
    ) -> Operator:
        """Return the operator of an identity, with this role from now on; add one who is not there yet.

        Nobody is matched by a name: a person whom the provider calls as another operator is called gets a row of
        their own, under another name. An operator who is disabled stays so, and as they are. A role may be taken from
        the last owner, since the provider has the last word.

        Args:
            identity: The person.
            role: What they may do.
            at: The time now.
            added: What to write down of one who is added.
            changed: What to write down of a change of the role.

        Raises:
            InvalidRecord: The same person is being added at the same moment; ask again.
        """

        def work(connection: Connection) -> Operator:
            found = _find(connection, identity)
            if found is None:
                name = _free_name(connection, identity)
                values = {
                    "name": name,
                    # No password has this hash: see `PasswordHashes.verify`.
                    "password_hash": "",
                    "role": role,
                    "created_at": at,
                    "password_changed_at": at,
                }
                connection.execute(insert(operators), values)
                operator_id = select(operators.c.id).where(operators.c.name == name).scalar_subquery()
                connection.execute(
                    insert(operator_identities).values(
                        issuer=identity.issuer, subject=identity.subject, operator_id=operator_id
                    )
                )
                write_entry(connection, replace(added, subject=name, details={"role": role}))
            elif found.role != role and found.disabled_at is None:
                connection.execute(update(operators).where(operators.c.id == found.id).values(role=role))
                details = {"before": found.role, "after": role}
                write_entry(connection, replace(changed, subject=found.name, details=details))
            now_there = _find(connection, identity)
            assert now_there is not None, "it was added in this transaction"
            return now_there

        return self._database.write(work)


def is_provider_name(name: str) -> bool:
    """Return whether an operator of this name is one of a provider's."""
    return name.startswith(_NAME_PREFIX)


def _find(connection: Connection, identity: ProviderIdentity) -> Operator | None:
    row = connection.execute(
        select_operators().where(
            operator_identities.c.issuer == identity.issuer, operator_identities.c.subject == identity.subject
        )
    ).first()
    return None if row is None else operator_of(row)


def _free_name(connection: Connection, identity: ProviderIdentity) -> str:
    """Return a name that nobody has.

    Raises:
        InvalidRecord: There is none.
    """
    plain = _NAME_PREFIX + (_NOT_IN_A_NAME.sub("-", identity.name).strip("-") or "user")
    digest = hashlib.sha256(f"{identity.issuer}|{identity.subject}".encode()).hexdigest()[:_DIGEST_LETTERS]
    for name in (plain[:_NAME_LENGTH], f"{plain[: _NAME_LENGTH - _DIGEST_LETTERS - 1]}-{digest}"):
        if connection.execute(select(operators.c.id).where(operators.c.name == name)).first() is None:
            return name
    raise InvalidRecord("There is no free name for this operator.")
