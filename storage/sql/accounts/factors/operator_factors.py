"""`OperatorFactors`: all that an operator may sign in with beside a password, and taking all of it away."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select, union

from storage.sealing import KeyRing
from storage.sql.accounts.audit import NewAuditEntry, write_entry
from storage.sql.accounts.factors.passkeys import Passkey, Passkeys
from storage.sql.accounts.factors.recovery_codes import RecoveryCodes
from storage.sql.accounts.factors.spent_challenges import SpentChallenges
from storage.sql.accounts.factors.totp import TotpSecrets
from storage.sql.core.engine import Database
from storage.sql.core.schema import operator_passkeys, operator_recovery_codes, operator_totp

__all__ = ["FactorsOf", "OperatorFactors", "remove_factors"]


@dataclass(frozen=True, slots=True)
class FactorsOf:
    """What an operator has.

    Attributes:
        totp_since: Since when there is an authenticator app; None for none.
        recovery_codes: How many are left.
    """

    totp_since: int | None
    passkeys: Sequence[Passkey]
    recovery_codes: int

    def __bool__(self) -> bool:
        """Return whether there is a second factor. Recovery codes are none by themselves."""
        return self.totp_since is not None or bool(self.passkeys)

    @property
    def count(self) -> int:
        """How many second factors there are."""
        return (self.totp_since is not None) + len(self.passkeys)


class OperatorFactors:
    """The stores of factors, and what concerns all of them.

    Args:
        database: Where.
        keys: What seals the secrets of apps.
    """

    def __init__(self, database: Database, keys: KeyRing) -> None:
        self._database = database
        self.totp = TotpSecrets(database, keys)
        self.passkeys = Passkeys(database)
        self.recovery_codes = RecoveryCodes(database)
        self.challenges = SpentChallenges(database)

    def of(self, operator_id: int) -> FactorsOf:
        """Return what an operator has."""
        return FactorsOf(
            self.totp.set_up_at(operator_id),
            self.passkeys.list(operator_id),
            self.recovery_codes.count(operator_id),
        )

    def operator_ids(self) -> frozenset[int]:
        """Return the ids of all operators who have a second factor."""
        totp = select(operator_totp.c.operator_id).where(operator_totp.c.set_up_at.is_not(None))
        wanted = union(totp, select(operator_passkeys.c.operator_id))
        return frozenset(self._database.read(lambda connection: connection.execute(wanted).scalars().all()))

    def remove_all(self, operator_id: int, entry: NewAuditEntry | None = None) -> None:
        """Take everything away from an operator; see `remove_factors`."""
        remove_factors(self._database, operator_id, entry)


def remove_factors(database: Database, operator_id: int, entry: NewAuditEntry | None = None) -> None:
    """Take everything away from an operator, who then signs in with the password alone. No key is needed."""

    def work(connection: Connection) -> None:
        for table in (operator_totp, operator_passkeys, operator_recovery_codes):
            connection.execute(delete(table).where(table.c.operator_id == operator_id))
        write_entry(connection, entry)

    database.write(work)
