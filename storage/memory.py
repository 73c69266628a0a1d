"""A token store in memory, for tests and trials. It loses everything when the process ends."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from threading import RLock
from typing import ClassVar, Self

from storage.activity import Activity, ActivityKind, count_grants, count_outcomes, hour_of, sum_by_hour
from storage.base.schema_report import SchemaReport, SchemaState
from storage.credentials.memory import MemoryCredentials
from storage.grants import Grant, RedeemedCode, Resealing, SealedRow
from storage.leases import Lease, Outcome
from storage.row import Row
from storage.store import Capability, TokenStore
from storage.user_search import COUNT_CAP, CappedCount, UserFilter, UserPage, UserQuery, UserSearch, count_of, page_of
from storage.users import Authorization, AuthorizedUser, Counts, Profile, Status, Use
from storage.validation import require_storable, require_unicode

__all__ = ["MemoryTokenStore"]

Key = tuple[str, str]


class MemoryTokenStore(MemoryCredentials, TokenStore):
    """Keeps everything in dictionaries under one lock. **Nothing survives the process**, and no other one sees it.

    Args:
        clock: The time that leases are measured by, in seconds.
    """

    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability) - {Capability.SHARING}

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock)
        self._clock = clock
        self._lock = RLock()
        self._rows: dict[Key, Row] = {}
        self._codes: dict[bytes, Key] = {}
        self._activity: Counter[tuple[int, str, ActivityKind, int]] = Counter()
        self._last_id = 0

    @classmethod
    def open(cls, url: str) -> Self:  # noqa: ARG003 - there is no database to name
        """Make an empty store, whatever the URL."""
        return cls()

    def save(self, grants: Sequence[Grant]) -> None:
        """See `TokenStore.save`; here nothing survives the process."""
        require_storable(grants)
        with self._lock:
            for grant in grants:
                self._save_one(grant)
            self._count(count_grants(grants))

    def probe(self, grants: Sequence[Grant]) -> None:
        """See `TokenStore.probe`."""
        with self._lock:
            self.save(grants)
            for grant in grants:
                self.erase(grant.appid, grant.openid)
            for key in [key for key in self._activity if key[1] in {grant.appid for grant in grants}]:
                del self._activity[key]

    def get(self, appid: str, openid: str) -> Authorization | None:
        """See `TokenStore.get`."""
        with self._lock:
            row = self._rows.get((appid, openid))
            return None if row is None else row.authorization

    def find_by_code(self, digest: bytes, since: int) -> RedeemedCode | None:
        """See `TokenStore.find_by_code`."""
        with self._lock:
            key = self._codes.get(digest)
            return None if key is None else self._rows[key].redeemed(digest, since)

    def claim(self, appid: str, openid: str, owner: str, ttl: int) -> Lease | None:
        """See `TokenStore.claim`."""
        with self._lock:
            return self._claim_one((appid, openid), owner, ttl)

    def claim_due(self, appid: str, owner: str, limit: int, ttl: int, due_at: int) -> list[Lease]:
        """See `TokenStore.claim_due`."""
        with self._lock:
            now = self._clock()
            due = sorted(
                (row.authorization.next_refresh_at, row.authorization.id, key)
                for key, row in self._rows.items()
                if row.authorization.appid == appid
                and row.authorization.next_refresh_at is not None
                and row.authorization.next_refresh_at <= due_at
                and row.is_claimable(now)
            )
            leases = [self._claim_one(key, owner, ttl) for _, _, key in due[:limit]]
        return [lease for lease in leases if lease is not None]

    def reschedule(self, obtained_after: int, due_at: int) -> int:
        """See `TokenStore.reschedule`."""
        with self._lock:
            moved = {
                key: replace(row, authorization=replace(row.authorization, next_refresh_at=due_at))
                for key, row in self._rows.items()
                if (row.authorization.next_refresh_at or 0) > due_at and row.authorization.obtained_at > obtained_after
            }
            self._rows.update(moved)
        return len(moved)

    def settle(self, outcomes: Sequence[Outcome]) -> list[bool]:
        """See `TokenStore.settle`."""
        require_storable(outcomes)
        with self._lock:
            written = [self._settle_one(outcome) for outcome in outcomes]
            done = [outcome for outcome, is_written in zip(outcomes, written, strict=True) if is_written]
            held = [outcome.lease.authorization for outcome in done]
            active = {one.id for one in held if self._rows[one.appid, one.openid].authorization.status is Status.ACTIVE}
            self._count(count_outcomes(done, active))
            return written

    def touch(self, uses: Sequence[Use]) -> None:
        """See `TokenStore.touch`."""
        with self._lock:
            for use in uses:
                key = use.appid, use.openid
                if key in self._rows:
                    self._rows[key] = self._rows[key].used(use)

    def save_profile(self, profile: Profile) -> bool:
        """See `TokenStore.save_profile`."""
        require_storable([profile])
        with self._lock:
            key = profile.appid, profile.openid
            return self._replace(key, self._rows[key].with_profile(profile) if key in self._rows else None)

    def set_external_id(self, appid: str, openid: str, external_id: str | None) -> bool:
        """See `TokenStore.set_external_id`."""
        require_unicode("external_id", external_id)
        with self._lock:
            key = appid, openid
            return self._replace(key, self._rows[key].with_external_id(external_id) if key in self._rows else None)

    def user_search(self, limit_seconds: float) -> UserSearch:  # noqa: ARG002 - there are not so many
        """See `TokenStore.user_search`; it filters and sorts by everything."""
        return _MemoryUserSearch(self._users)

    def counts(self) -> Counts:
        """See `TokenStore.counts`."""
        with self._lock:
            return Counts(
                dict(Counter((row.authorization.appid, row.authorization.status) for row in self._rows.values()))
            )

    def activity(self, since: int) -> list[Activity]:
        """See `TokenStore.activity`."""
        with self._lock:
            found = [(key, count) for key, count in self._activity.items() if key[0] >= hour_of(since)]
        return [Activity(*key, count) for key, count in sorted(found)]

    def record(self, activities: Sequence[Activity]) -> None:
        """See `TokenStore.record`."""
        with self._lock:
            self._count(sum_by_hour(activities))

    def revoke(self, appid: str, openid: str) -> bool:
        """See `TokenStore.revoke`."""
        with self._lock:
            key = appid, openid
            return self._replace(key, self._rows[key].revoked() if key in self._rows else None)

    def erase(self, appid: str, openid: str, *, authorized_before: int | None = None) -> bool:
        """See `TokenStore.erase`."""
        key = appid, openid
        with self._lock:
            row = self._rows[key].erasable(authorized_before) if key in self._rows else None
            if row is None:
                return False
            del self._rows[key]
            if row.code_digest is not None:
                self._codes.pop(row.code_digest, None)
            return True

    def sealed_page(self, after: int, limit: int) -> list[SealedRow]:
        """See `TokenStore.sealed_page`."""
        with self._lock:
            found = [row.authorization for row in self._rows.values()]
        later = [one for one in found if one.id > after and one.status is not Status.REVOKED]
        later.sort(key=lambda one: one.id)
        return [one.sealed_row() for one in later[:limit]]

    def reseal(self, changes: Sequence[Resealing]) -> list[bool]:
        """See `TokenStore.reseal`."""
        with self._lock:
            return [self._reseal_one(change) for change in changes]

    def check_schema(self) -> SchemaReport:
        """Report a schema that fits: there is none."""
        return SchemaReport(SchemaState.CURRENT, None, None)

    def close(self) -> None:
        """Do nothing: what is kept goes with the process."""

    def _users(self) -> list[AuthorizedUser]:
        with self._lock:
            return [row.user() for row in self._rows.values()]

    def _save_one(self, grant: Grant) -> None:
        key = grant.appid, grant.openid
        if key in self._rows:
            self._replace(key, self._rows[key].granted(grant))
        else:
            self._last_id += 1
            self._replace(key, Row.first(grant, self._last_id))

    def _claim_one(self, key: Key, owner: str, ttl: int) -> Lease | None:
        row = self._rows.get(key)
        claimed = None if row is None else row.claimed(owner, self._clock(), ttl)
        if claimed is None:
            return None
        self._rows[key] = claimed
        return claimed.lease()

    def _settle_one(self, outcome: Outcome) -> bool:
        key = outcome.lease.authorization.appid, outcome.lease.authorization.openid
        return self._replace(key, self._rows[key].settled(outcome) if key in self._rows else None)

    def _reseal_one(self, change: Resealing) -> bool:
        key = change.row.appid, change.row.openid
        return self._replace(key, self._rows[key].resealed(change) if key in self._rows else None)

    def _replace(self, key: Key, new: Row | None) -> bool:
        """Put a row in its place, and its code where codes are looked up; return whether there was one to put."""
        if new is None:
            return False
        old = self._rows.get(key)
        if old is not None and old.code_digest is not None:
            self._codes.pop(old.code_digest, None)
        if new.code_digest is not None:
            self._codes[new.code_digest] = key
        self._rows[key] = new
        return True

    def _count(self, activities: Iterable[Activity]) -> None:
        for one in activities:
            self._activity[one.hour, one.appid, one.kind, one.errcode] += one.count


class _MemoryUserSearch(UserSearch):
    """Looks at all users there are."""

    def __init__(self, users: Callable[[], list[AuthorizedUser]]) -> None:
        self._users = users

    def page(self, query: UserQuery) -> UserPage:
        """See `UserSearch.page`."""
        return page_of(self._users(), query)

    def count(self, wanted: UserFilter, cap: int = COUNT_CAP) -> CappedCount:
        """See `UserSearch.count`."""
        return count_of(self._users(), wanted, cap)
