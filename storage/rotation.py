"""`KeyRotation`: seals all that is stored sealed anew with the newest key, while the service runs."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from storage.base.errors import SealError
from storage.credentials.records import Credential
from storage.grants import Resealing, SealedRow, SealedTokens
from storage.sealing import KeyRing
from storage.store import Capability, TokenStore
from storage.users import Status

__all__ = ["KeyRotation", "RotationReport"]

#: How often a row is tried that another process writes at the same moment.
_ATTEMPTS = 5
#: How many of the rows that do not open are reported.
_EXAMPLES = 5


@dataclass(slots=True)
class RotationReport:
    """What a rotation has done so far.

    Attributes:
        rows_by_key: How many rows each key seals, of users and of accounts' own credentials, by its id, as they were
            left; every key of the ring is there.
        last_id: The row that the rotation has come to.
        stale: Rows that were not sealed with the newest key when they were read.
        resealed: Rows that are now.
        unopened: Rows that no key of the ring opens. They were left as they are.
        examples: What is wrong with the first of these.
    """

    rows_by_key: Counter[str]
    last_id: int = 0
    stale: int = 0
    resealed: int = 0
    unopened: int = 0
    examples: list[str] = field(default_factory=list)


class KeyRotation:
    """Walks the rows by their ids and seals those anew that are not sealed with the newest key.

    It never undoes what other processes write: each row is replaced only where it still holds what was read. It may be
    ended at any moment and begun again: a row that is done needs only to be read.

    Args:
        store: A store that can reseal.
        keys: The newest key first; those that sealed the rows behind it.
        page_size: Rows that are read, and written, at a time.
    """

    def __init__(self, store: TokenStore, keys: KeyRing, *, page_size: int = 500) -> None:
        self._store = store
        self._keys = keys
        self._page_size = page_size
        self._newest = frozenset(keys.key_ids[:1])

    def run(self, *, dry_run: bool = False) -> Iterator[RotationReport]:
        """Rotate; give the report after each page, always the same one.

        Args:
            dry_run: Change nothing, but open what would be sealed anew.

        Raises:
            StoreUnavailable: The store does not answer. What was done is done.
        """
        report = RotationReport(Counter(dict.fromkeys(self._keys.key_ids, 0)))
        while page := self._store.sealed_page(report.last_id, self._page_size):
            stale = self._stale(page, report)
            report.stale += len(stale)
            changes = self._openable(stale, report)
            if dry_run:
                self._count((change.row for change in changes), report)
            else:
                self._write(changes, report)
            report.last_id = page[-1].id
            yield report
        if self._rotate_credentials(report, dry_run=dry_run):
            yield report

    def _rotate_credentials(self, report: RotationReport, *, dry_run: bool) -> bool:
        """Do the same for accounts' own credentials, of which there are a few; return whether there are any."""
        if Capability.ACCOUNT_CREDENTIALS not in self._store.capabilities:
            return False
        found = [one for one in self._store.credentials() if one.sealed]
        for credential in found:
            self._rotate_credential(credential, report, dry_run=dry_run)
        return bool(found)

    def _rotate_credential(self, credential: Credential, report: RotationReport, *, dry_run: bool) -> None:
        try:
            key_id = self._keys.credential_sealed_with(credential)
            if key_id not in self._newest:
                report.stale += 1
                value = self._keys.open_credential(credential)
                sealed = self._keys.seal_credential(credential.appid, credential.kind, value)
                # One that is not written was renewed meanwhile, which seals it with the newest key.
                if not dry_run and self._store.reseal_credential(credential, sealed):
                    report.resealed += 1
                    key_id = self._keys.key_ids[0]
            report.rows_by_key[key_id] += 1
        except SealError as error:
            self._note_unopened(error, report)

    def _stale(self, rows: Iterable[SealedRow], report: RotationReport) -> list[SealedRow]:
        """Return the rows that are not sealed with the newest key alone; count the others."""
        stale = []
        for row in rows:
            if self._keys_of(row) == self._newest:
                self._count([row], report)
            else:
                stale.append(row)
        return stale

    def _openable(self, rows: Iterable[SealedRow], report: RotationReport) -> list[Resealing]:
        """Return what becomes of rows; count and tell those that do not open."""
        changes = []
        for row in rows:
            try:
                tokens = self._sealed_anew(row, row.tokens)
                fallback = None if row.fallback is None else self._sealed_anew(row, row.fallback)
            except SealError as error:
                self._note_unopened(error, report)
                self._count([row], report)
            else:
                changes.append(Resealing(row, tokens, fallback))
        return changes

    def _note_unopened(self, error: SealError, report: RotationReport) -> None:
        report.unopened += 1
        if len(report.examples) < _EXAMPLES:
            report.examples.append(str(error))

    def _write(self, changes: Sequence[Resealing], report: RotationReport) -> None:
        """Write changes; rows that were written meanwhile are read and checked again."""
        for _ in range(_ATTEMPTS):
            if not changes:
                return
            written = self._store.reseal(changes)
            report.resealed += sum(written)
            report.rows_by_key.update({self._keys.key_ids[0]: sum(written)})
            refused = [change.row for change, done in zip(changes, written, strict=True) if not done]
            changes = self._openable(self._stale(self._read_again(refused), report), report)
        self._count((change.row for change in changes), report)

    def _read_again(self, rows: Iterable[SealedRow]) -> Iterator[SealedRow]:
        """Yield rows as they are now; those that hold no tokens any more are left out."""
        for row in rows:
            found = self._store.get(row.appid, row.openid)
            if found is not None and found.status is not Status.REVOKED:
                yield found.sealed_row()

    def _sealed_anew(self, row: SealedRow, tokens: SealedTokens) -> SealedTokens:
        return self._keys.seal(row.appid, row.openid, self._keys.open_tokens(row.appid, row.openid, tokens))

    def _keys_of(self, row: SealedRow) -> frozenset[str]:
        """Return the ids of the keys that seal a row; none where that cannot be told."""
        try:
            return frozenset().union(
                *(self._keys.sealed_with(tokens) for tokens in (row.tokens, row.fallback) if tokens is not None)
            )
        except SealError:
            return frozenset()

    def _count(self, rows: Iterable[SealedRow], report: RotationReport) -> None:
        for row in rows:
            report.rows_by_key.update(self._keys_of(row))
