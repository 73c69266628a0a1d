"""Recovery codes: each lets an operator in once who has lost an app or a passkey. Shown once, stored as hashes."""

import hashlib
import re
import secrets

from sqlalchemy import Connection, delete, func, insert, or_, select

from storage.sql.accounts.audit import NewAuditEntry, write_entry
from storage.sql.core.engine import Database
from storage.sql.core.schema import operator_passkeys, operator_recovery_codes, operator_totp

__all__ = ["RecoveryCodes", "drop_codes_without_factor", "looks_like_code"]

HOW_MANY = 10
#: Without letters and digits that are taken for one another. 16 of these 31 are 79 bits, so a plain SHA-256 of a code
#: cannot be turned back by trying.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_LETTERS_OF_CODE = 16
_GROUP = 4
_SPACING = re.compile(r"[\s-]+")

_ROW = operator_recovery_codes.c


class RecoveryCodes:
    """Makes, takes and counts recovery codes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def renew(self, operator_id: int, entry: NewAuditEntry | None = None) -> list[str]:
        """Make ten codes, in place of those that there were, and return them: the only time they can be seen."""
        codes = [_new_code() for _ in range(HOW_MANY)]
        values = [{"operator_id": operator_id, "code_hash": _hash(code)} for code in codes]

        def work(connection: Connection) -> None:
            connection.execute(delete(operator_recovery_codes).where(_ROW.operator_id == operator_id))
            connection.execute(insert(operator_recovery_codes), values)
            write_entry(connection, entry)

        self._database.write(work)
        return codes

    def use(self, operator_id: int, code: str) -> bool:
        """Return whether a text is one of an operator's codes, which is none any more then. Spacing and case are free.

        Of any number of callers at once, one gets True.
        """
        used = delete(operator_recovery_codes).where(_ROW.operator_id == operator_id, _ROW.code_hash == _hash(code))
        return self._database.write(lambda connection: connection.execute(used).rowcount == 1)

    def count(self, operator_id: int) -> int:
        """Return how many codes an operator has left."""
        wanted = select(func.count()).select_from(operator_recovery_codes).where(_ROW.operator_id == operator_id)
        return int(self._database.read(lambda connection: connection.execute(wanted).scalar_one()))


def looks_like_code(text: str) -> bool:
    """Return whether a text has the length of a recovery code, as opposed to that of an app's code."""
    return len(_bare(text)) == _LETTERS_OF_CODE


def drop_codes_without_factor(connection: Connection, operator_id: int) -> None:
    """Delete an operator's codes if there is nothing any more that they could stand for."""
    has_factor = or_(
        select(operator_totp.c.operator_id)
        .where(operator_totp.c.operator_id == operator_id, operator_totp.c.set_up_at.is_not(None))
        .exists(),
        select(operator_passkeys.c.id).where(operator_passkeys.c.operator_id == operator_id).exists(),
    )
    if not connection.execute(select(has_factor)).scalar_one():
        connection.execute(delete(operator_recovery_codes).where(_ROW.operator_id == operator_id))


def _new_code() -> str:
    letters = "".join(secrets.choice(_LETTERS) for _ in range(_LETTERS_OF_CODE))
    return "-".join(letters[at : at + _GROUP] for at in range(0, _LETTERS_OF_CODE, _GROUP))


def _bare(text: str) -> str:
    return _SPACING.sub("", text).lower()


def _hash(code: str) -> bytes:
    return hashlib.sha256(_bare(code).encode("utf-8", "surrogatepass")).digest()
