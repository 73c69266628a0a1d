"""Secrets of operators' authenticator apps, sealed; and the step of the last code that was taken of each."""

from collections.abc import Callable

from sqlalchemy import Connection, delete, insert, select, update

from storage.base.errors import InvalidRecord, SealError
from storage.sealing import KeyRing
from storage.sql.accounts.audit import NewAuditEntry, write_entry
from storage.sql.accounts.factors.recovery_codes import drop_codes_without_factor
from storage.sql.core.engine import Database
from storage.sql.core.schema import operator_totp

__all__ = ["TotpSecrets"]

_COLUMN = "totp_secret"

_ROW = operator_totp.c


class TotpSecrets:
    """Keeps one secret for each operator.

    Args:
        database: Where.
        keys: What seals them.
    """

    def __init__(self, database: Database, keys: KeyRing) -> None:
        self._database = database
        self._keys = keys

    def propose(self, operator_id: int, secret: str) -> None:
        """Keep a secret that is not in force before the operator has shown a code of it, in place of an earlier one.

        Raises:
            InvalidRecord: The operator has one in force; remove it first.
        """
        proposed = delete(operator_totp).where(_ROW.operator_id == operator_id, _ROW.set_up_at.is_(None))
        in_force = select(_ROW.operator_id).where(_ROW.operator_id == operator_id)
        values = {
            "operator_id": operator_id,
            "secret": self._keys.seal_value(_row(operator_id), _COLUMN, secret),
            "last_step": 0,
        }

        def work(connection: Connection) -> bool:
            connection.execute(proposed)
            if connection.execute(in_force).first() is not None:
                return False
            connection.execute(insert(operator_totp), values)
            return True

        if not self._database.write(work):
            raise InvalidRecord("This operator has an authenticator app already; remove it first.")

    def proposed(self, operator_id: int) -> str | None:
        """Return the secret that is to be set up; None where there is none.

        Raises:
            SealError: It does not open.
        """
        return self._find(operator_id, is_set_up=False)

    def find(self, operator_id: int) -> str | None:
        """Return the secret in force; None where there is none.

        Raises:
            SealError: It does not open.
        """
        return self._find(operator_id, is_set_up=True)

    def set_up_at(self, operator_id: int) -> int | None:
        """Return since when an operator has a secret in force; None for one who has none."""
        wanted = select(_ROW.set_up_at).where(_ROW.operator_id == operator_id)
        return self._database.read(lambda connection: connection.execute(wanted).scalar())

    def set_up(self, operator_id: int, step: int, at: int, entry: NewAuditEntry | None = None) -> bool:
        """Put the proposed secret in force, by a code of a step. False when there is none."""
        changed = (
            update(operator_totp)
            .where(_ROW.operator_id == operator_id, _ROW.set_up_at.is_(None))
            .values(set_up_at=at, last_step=step)
        )

        def work(connection: Connection) -> bool:
            if connection.execute(changed).rowcount != 1:
                return False
            write_entry(connection, entry)
            return True

        return self._database.write(work)

    def use(self, operator_id: int, step: int) -> bool:
        """Take a code of a step. False when one of that step or a later one was taken before (RFC 6238, 5.2).

        Of any number of callers at once, one gets True.
        """
        used = (
            update(operator_totp)
            .where(_ROW.operator_id == operator_id, _ROW.set_up_at.is_not(None), _ROW.last_step < step)
            .values(last_step=step)
        )
        return self._database.write(lambda connection: connection.execute(used).rowcount == 1)

    def remove(self, operator_id: int, entry: NewAuditEntry | None = None) -> bool:
        """Remove an operator's secret. False when there is none in force."""
        removed = delete(operator_totp).where(_ROW.operator_id == operator_id, _ROW.set_up_at.is_not(None))

        def work(connection: Connection) -> bool:
            if connection.execute(removed).rowcount != 1:
                return False
            drop_codes_without_factor(connection, operator_id)
            write_entry(connection, entry)
            return True

        return self._database.write(work)

    def reseal(self, *, dry_run: bool = False, unopened: Callable[[str], None] = lambda _: None) -> int:
        """Seal with the newest key what an older one seals; return how many secrets that were.

        Args:
            dry_run: Change nothing, but open what would be sealed anew.
            unopened: Told of each secret that no key of the ring opens. It is left as it is.
        """
        rows = self._database.read(lambda connection: connection.execute(select(_ROW.operator_id, _ROW.secret)).all())
        done = 0
        for operator_id, sealed in rows:
            if self._keys.is_sealed_with_newest(sealed):
                continue
            row = _row(operator_id)
            try:
                secret = self._keys.open_value(row, _COLUMN, sealed)
            except SealError as error:
                unopened(str(error))
                continue
            done += dry_run or self._replace(operator_id, sealed, self._keys.seal_value(row, _COLUMN, secret))
        return done

    def _replace(self, operator_id: int, sealed: bytes, anew: bytes) -> bool:
        replaced = (
            update(operator_totp).where(_ROW.operator_id == operator_id, _ROW.secret == sealed).values(secret=anew)
        )
        return self._database.write(lambda connection: connection.execute(replaced).rowcount == 1)

    def _find(self, operator_id: int, *, is_set_up: bool) -> str | None:
        wanted = select(_ROW.secret).where(
            _ROW.operator_id == operator_id, _ROW.set_up_at.is_not(None) if is_set_up else _ROW.set_up_at.is_(None)
        )
        sealed = self._database.read(lambda connection: connection.execute(wanted).scalar())
        return None if sealed is None else self._keys.open_value(_row(operator_id), _COLUMN, sealed)


def _row(operator_id: int) -> str:
    return f"operator|{operator_id}"
