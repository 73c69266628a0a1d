"""Credentials in memory, for `storage.memory`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock

from storage.credentials.contract import CredentialStore
from storage.credentials.records import Credential, CredentialKind, CredentialLease, CredentialOutcome
from storage.leases import LONGEST_LEASE_SECONDS

__all__ = ["MemoryCredentials"]

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Row:
    credential: Credential
    lease_owner: str | None = None
    lease_until: float = 0.0

    def is_held(self, now: float) -> bool:
        return self.lease_owner is not None and now < self.lease_until <= now + LONGEST_LEASE_SECONDS


class MemoryCredentials(CredentialStore):
    """Keeps them in a dictionary under a lock.

    Args:
        clock: The time that leases are measured by, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._lease_clock = clock
        self._credentials_lock = Lock()
        self._credentials: dict[Key, _Row] = {}

    def credentials(self, appid: str | None = None) -> list[Credential]:
        """See `CredentialStore.credentials`."""
        with self._credentials_lock:
            rows = sorted(self._credentials.items())
        return [row.credential for (owner, _), row in rows if appid in (None, owner)]

    def claim_credential(self, appid: str, kind: CredentialKind, owner: str, ttl: int) -> CredentialLease | None:
        """See `CredentialStore.claim_credential`."""
        with self._credentials_lock:
            now = self._lease_clock()
            row = self._credentials.get((appid, kind)) or _Row(Credential(appid, kind))
            if row.is_held(now):
                return None
            raised = replace(row.credential, version=row.credential.version + 1)
            self._credentials[appid, kind] = _Row(raised, owner, now + ttl)
        return CredentialLease(raised, owner)

    def settle_credential(self, outcome: CredentialOutcome) -> bool:
        """See `CredentialStore.settle_credential`."""
        held = outcome.lease.credential
        with self._credentials_lock:
            row = self._credentials.get((held.appid, held.kind))
            if row is None or (row.lease_owner, row.credential.version) != (outcome.lease.owner, held.version):
                return False
            changed = replace(row, credential=replace(row.credential, **outcome.changes))
            self._credentials[held.appid, held.kind] = (
                replace(changed, lease_owner=None) if outcome.ends_lease else changed
            )
        return True

    def touch_credential(self, appid: str, kind: CredentialKind, used_at: int) -> None:
        """See `CredentialStore.touch_credential`."""
        with self._credentials_lock:
            row = self._credentials.get((appid, kind))
            if row is not None:
                used = replace(row.credential, last_used_at=max(row.credential.last_used_at, used_at))
                self._credentials[appid, kind] = replace(row, credential=used)

    def reseal_credential(self, read: Credential, sealed: bytes) -> bool:
        """See `CredentialStore.reseal_credential`."""
        with self._credentials_lock:
            row = self._credentials.get((read.appid, read.kind))
            if row is None or row.credential.sealed != read.sealed:
                return False
            self._credentials[read.appid, read.kind] = replace(row, credential=replace(row.credential, sealed=sealed))
        return True
