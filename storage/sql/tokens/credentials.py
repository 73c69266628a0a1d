"""Accounts' own credentials in a relational database."""

from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, literal_column, or_, select, update

from storage.credentials.contract import CredentialStore
from storage.credentials.records import Credential, CredentialKind, CredentialLease, CredentialOutcome
from storage.leases import LONGEST_LEASE_SECONDS
from storage.sql.core.engine import Database
from storage.sql.core.schema import account_credentials

__all__ = ["SqlCredentials"]

_ROW = account_credentials.c
_COLUMNS = [_ROW[one.name] for one in fields(Credential)]

_is_credential = and_(_ROW.appid == bindparam("the_appid"), _ROW.kind == bindparam("the_kind"))
_is_held = and_(_is_credential, _ROW.version == bindparam("the_version"), _ROW.lease_owner == bindparam("the_owner"))
_used_at = bindparam("the_used_at", type_=_ROW.last_used_at.type)
_ALL = select(*_COLUMNS).order_by(_ROW.appid, _ROW.kind)
_GET = select(*_COLUMNS).where(_is_credential)
_TOUCH = (
    update(account_credentials)
    .where(_is_credential)
    .values(last_used_at=case((_ROW.last_used_at < _used_at, _used_at), else_=_ROW.last_used_at))
)
_LOCK = _GET.with_for_update()


class SqlCredentials(CredentialStore):
    """Keeps them in a table. Leases are counted in whole seconds of the database's clock."""

    def __init__(self, database: Database) -> None:
        self._credentials_database = database
        now = database.dialect.now()
        # As for users' rows: not <=, as a lease begun late in a second would end early; and one of more time than
        # any is given was given before the database's clock was set back.
        is_void = _ROW.lease_until > now + literal_column(str(LONGEST_LEASE_SECONDS))
        is_free = or_(_ROW.lease_until.is_(None), _ROW.lease_until < now, is_void)
        self._make = database.dialect.upsert(
            account_credentials, tuple(account_credentials.primary_key), lambda _: [(_ROW.version, _ROW.version)]
        )
        self._claim = (
            update(account_credentials)
            .where(_is_credential, is_free)
            .values(
                lease_owner=bindparam("the_owner"),
                lease_until=now + bindparam("the_ttl", type_=_ROW.lease_until.type),
                version=_ROW.version + 1,
            )
        )

    def credentials(self, appid: str | None = None) -> list[Credential]:
        """See `CredentialStore.credentials`."""
        wanted = _ALL if appid is None else _ALL.where(_ROW.appid == appid)
        rows = self._credentials_database.read(lambda connection: connection.execute(wanted).mappings().all())
        return [_read(row) for row in rows]

    def claim_credential(self, appid: str, kind: CredentialKind, owner: str, ttl: int) -> CredentialLease | None:
        """See `CredentialStore.claim_credential`."""
        which = {"the_appid": appid, "the_kind": kind.value}

        def work(connection: Connection) -> CredentialLease | None:
            if connection.execute(_GET, which).first() is None:
                connection.execute(self._make, _first(appid, kind))
            claimed = connection.execute(self._claim, {**which, "the_owner": owner, "the_ttl": ttl})
            if claimed.rowcount != 1:
                return None
            return CredentialLease(_read(connection.execute(_GET, which).mappings().one()), owner)

        return self._credentials_database.write(work)

    def settle_credential(self, outcome: CredentialOutcome) -> bool:
        """See `CredentialStore.settle_credential`."""
        held = outcome.lease.credential
        which = {
            "the_appid": held.appid,
            "the_kind": held.kind.value,
            "the_version": held.version,
            "the_owner": outcome.lease.owner,
        }
        changes: dict[str, Any] = dict(outcome.changes)
        if outcome.ends_lease:
            changes |= {"lease_owner": None, "lease_until": None}
        settled = update(account_credentials).where(_is_held).values(changes)

        def work(connection: Connection) -> bool:
            return connection.execute(settled, which).rowcount == 1

        return self._credentials_database.write(work)

    def touch_credential(self, appid: str, kind: CredentialKind, used_at: int) -> None:
        """See `CredentialStore.touch_credential`."""
        values = {"the_appid": appid, "the_kind": kind.value, "the_used_at": used_at}
        self._credentials_database.write(lambda connection: connection.execute(_TOUCH, values))

    def reseal_credential(self, read: Credential, sealed: bytes) -> bool:
        """See `CredentialStore.reseal_credential`."""
        which = {"the_appid": read.appid, "the_kind": read.kind.value}
        resealed = update(account_credentials).where(_is_credential).values(sealed=sealed)

        def work(connection: Connection) -> bool:
            # Compared here: databases differ in how they compare long binary values.
            row = connection.execute(_LOCK, which).mappings().one_or_none()
            if row is None or _read(row).sealed != read.sealed:
                return False
            connection.execute(resealed, which)
            return True

        return self._credentials_database.write(work)


def _first(appid: str, kind: CredentialKind) -> dict[str, Any]:
    """Return the row of a credential that nobody has fetched yet."""
    first = Credential(appid, kind)
    return {one.name: getattr(first, one.name) for one in fields(first)} | {"kind": kind.value}


def _read(row: Any) -> Credential:
    values = {one.name: row[one.name] for one in fields(Credential)}
    return Credential(**{**values, "kind": CredentialKind(row["kind"]), "sealed": bytes(row["sealed"])})
