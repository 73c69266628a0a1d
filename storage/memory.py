"""A token store in memory, for tests and for a first look. It forgets everything when the process ends."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from threading import Lock
from typing import Self

from storage.activity import added_up, hour_of, of_grants, of_outcomes
from storage.errors import InvalidRecord
from storage.records import (
    Activity,
    ActivityKind,
    Authorization,
    AuthorizedUser,
    Counts,
    Deferred,
    Failed,
    Grant,
    Lease,
    Outcome,
    Profile,
    RedeemedCode,
    Refreshed,
    Rejected,
    Released,
    Resealing,
    SchemaReport,
    SchemaState,
    SealedRow,
    SealedTokens,
    Status,
    Use,
    UserPage,
    UserQuery,
    is_wide,
)
from storage.store import TokenStore

__all__ = ["MemoryTokenStore"]

#: The largest time and number that databases keep.
LARGEST = 2**63 - 1

Key = tuple[str, str]


@dataclass(slots=True)
class _Row:
    """An authorization, who has leased it until when, and the code last exchanged for it."""

    authorization: Authorization
    code: Grant | None
    lease_owner: str | None = None
    lease_until: float = 0.0

    def is_claimable(self, now: float) -> bool:
        active = self.authorization.status is Status.ACTIVE
        return active and (self.lease_owner is None or self.lease_until <= now)


class MemoryTokenStore(TokenStore):
    """Keeps everything in dictionaries under one lock. **Nothing survives the process**, and no other one sees it.

    Args:
        clock: What tells the time to leases, in seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = Lock()
        self._rows: dict[Key, _Row] = {}
        self._codes: dict[bytes, Key] = {}
        self._activity: Counter[tuple[int, str, ActivityKind, int]] = Counter()
        self._last_id = 0

    @classmethod
    def open(cls, url: str) -> Self:  # noqa: ARG003 - there is no database to name
        """Make an empty store, whatever the URL."""
        return cls()

    def save(self, grants: Sequence[Grant]) -> None:
        """See `TokenStore.save`; here nothing survives the process."""
        for grant in grants:
            _require_storable(grant)
        with self._lock:
            for grant in grants:
                self._save_one(grant)
            self._count(of_grants(grants))

    def get(self, appid: str, openid: str) -> Authorization | None:
        """See `TokenStore.get`."""
        with self._lock:
            row = self._rows.get((appid, openid))
            return None if row is None else row.authorization

    def find_by_code(self, digest: bytes, since: int) -> RedeemedCode | None:
        """See `TokenStore.find_by_code`."""
        with self._lock:
            row = self._rows.get(self._codes.get(digest, ("", "")))
            if row is None or row.code is None or row.code.code_digest != digest:
                return None
            if row.code.authorized_at < since:
                return None
            found = row.authorization
            return RedeemedCode(
                appid=found.appid,
                openid=found.openid,
                scope=row.code.scope,
                is_snapshotuser=found.is_snapshotuser,
                unionid=found.unionid,
                binding=row.code.code_binding,
                authorized_at=row.code.authorized_at,
            )

    def claim(self, appid: str, openid: str, owner: str, ttl: int) -> Lease | None:
        """See `TokenStore.claim`."""
        with self._lock:
            row = self._rows.get((appid, openid))
            now = self._clock()
            return _leased(row, owner, now + ttl) if row is not None and row.is_claimable(now) else None

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
            return [_leased(self._rows[key], owner, now + ttl) for _, _, key in due[:limit]]

    def settle(self, outcomes: Sequence[Outcome]) -> list[bool]:
        """See `TokenStore.settle`."""
        for outcome in outcomes:
            _require_storable(outcome)
        with self._lock:
            written = [self._settle_one(outcome) for outcome in outcomes]
            self._count(of_outcomes(outcome for outcome, done in zip(outcomes, written, strict=True) if done))
            return written

    def touch(self, uses: Sequence[Use]) -> None:
        """See `TokenStore.touch`."""
        with self._lock:
            for use in uses:
                row = self._rows.get((use.appid, use.openid))
                if row is None:
                    continue
                old = row.authorization
                scheduled = old.next_refresh_at is not None or old.status is not Status.ACTIVE
                row.authorization = replace(
                    old,
                    last_used_at=max(old.last_used_at, use.used_at),
                    next_refresh_at=old.next_refresh_at if scheduled else use.next_refresh_at,
                )

    def save_profile(self, profile: Profile) -> bool:
        """See `TokenStore.save_profile`."""
        _require_storable(profile)
        with self._lock:
            row = self._rows.get((profile.appid, profile.openid))
            if row is None:
                return False
            row.authorization = replace(
                row.authorization,
                nickname=profile.nickname,
                avatar_url=profile.avatar_url,
                profile_at=profile.profile_at,
                unionid=profile.unionid or row.authorization.unionid,
            )
            return True

    def page(self, query: UserQuery) -> UserPage:
        """See `TokenStore.page`."""
        wanted = {name: getattr(query, name) for name in ("appid", "status", "openid", "unionid")}
        filters = {name: value for name, value in wanted.items() if value is not None}

        def place(user: AuthorizedUser) -> tuple[int, int]:
            return getattr(user, query.sort.value), user.id

        with self._lock:
            found = [
                row.authorization
                for row in self._rows.values()
                if all(getattr(row.authorization, name) == value for name, value in filters.items())
            ]
        if query.after is not None:
            after = query.after
            found = [user for user in found if (place(user) < after if query.descending else place(user) > after)]
        found.sort(key=place, reverse=query.descending)
        users = tuple(_without_tokens(user) for user in found[: query.limit])
        return UserPage(users, place(users[-1]) if len(found) > query.limit else None)

    def counts(self) -> Counts:
        """See `TokenStore.counts`."""
        counted: dict[tuple[str, Status], int] = {}
        with self._lock:
            for row in self._rows.values():
                key = row.authorization.appid, row.authorization.status
                counted[key] = counted.get(key, 0) + 1
        return Counts(counted)

    def activity(self, since: int) -> list[Activity]:
        """See `TokenStore.activity`."""
        with self._lock:
            found = [(key, count) for key, count in self._activity.items() if key[0] >= hour_of(since)]
        return [Activity(*key, count) for key, count in sorted(found)]

    def record(self, activities: Sequence[Activity]) -> None:
        """See `TokenStore.record`."""
        with self._lock:
            self._count(added_up(activities))

    def revoke(self, appid: str, openid: str) -> bool:
        """See `TokenStore.revoke`."""
        with self._lock:
            row = self._rows.get((appid, openid))
            if row is None:
                return False
            old = row.authorization
            row.authorization = replace(
                old,
                status=Status.REVOKED,
                tokens=SealedTokens(b"", b""),
                next_refresh_at=None,
                version=old.version + 1,
            )
            self._forget_code(row)
            row.lease_owner = None
            return True

    def erase(self, appid: str, openid: str) -> bool:
        """See `TokenStore.erase`."""
        with self._lock:
            row = self._rows.pop((appid, openid), None)
            if row is None:
                return False
            self._forget_code(row)
            return True

    def sealed_page(self, after: int, limit: int) -> list[SealedRow]:
        """See `TokenStore.sealed_page`."""
        with self._lock:
            found = [row.authorization for row in self._rows.values()]
        later = [one for one in found if one.id > after and one.status is not Status.REVOKED]
        later.sort(key=lambda one: one.id)
        return [SealedRow(one.id, one.appid, one.openid, one.tokens) for one in later[:limit]]

    def reseal(self, changes: Sequence[Resealing]) -> list[bool]:
        """See `TokenStore.reseal`."""
        with self._lock:
            return [self._reseal_one(change) for change in changes]

    def check_schema(self) -> SchemaReport:
        """Report a schema that fits: there is none."""
        return SchemaReport(SchemaState.CURRENT, None, None)

    def close(self) -> None:
        """Do nothing: what is kept goes with the process."""

    def _save_one(self, grant: Grant) -> None:
        key = grant.appid, grant.openid
        row = self._rows.get(key)
        if row is None:
            self._last_id += 1
            row = _Row(_from_grant(grant, self._last_id), grant)
            self._rows[key] = row
        elif _outlives(row.authorization, grant):
            self._forget_code(row)
            row.authorization = replace(
                row.authorization, authorized_at=grant.authorized_at, last_used_at=grant.authorized_at
            )
        else:
            self._forget_code(row)
            row.authorization = _replaced(row.authorization, grant)
            row.lease_owner = None
        row.code = grant
        if grant.code_digest is not None:
            self._codes[grant.code_digest] = key

    def _settle_one(self, outcome: Outcome) -> bool:
        lease = outcome.lease
        row = self._rows.get((lease.authorization.appid, lease.authorization.openid))
        if row is None or row.lease_owner != lease.owner:
            return False
        held, now = lease.authorization, row.authorization
        if (held.id, held.version) != (now.id, now.version):
            return False
        row.authorization = _settled(now, outcome)
        row.lease_owner = None
        return True

    def _reseal_one(self, change: Resealing) -> bool:
        row = self._rows.get((change.row.appid, change.row.openid))
        if row is None or (row.authorization.id, row.authorization.tokens) != (change.row.id, change.row.tokens):
            return False
        row.authorization = replace(row.authorization, tokens=change.tokens)
        return True

    def _forget_code(self, row: _Row) -> None:
        if row.code is not None and row.code.code_digest is not None:
            self._codes.pop(row.code.code_digest, None)
        row.code = None

    def _count(self, activities: Iterable[Activity]) -> None:
        for one in activities:
            self._activity[one.hour, one.appid, one.kind, one.errcode] += one.count


def _leased(row: _Row, owner: str, until: float) -> Lease:
    row.authorization = replace(row.authorization, version=row.authorization.version + 1)
    row.lease_owner, row.lease_until = owner, until
    return Lease(row.authorization, owner)


def _outlives(stored: Authorization, grant: Grant) -> bool:
    """Tell whether a stored authorization is wider than the grant, and alive."""
    alive = stored.status is Status.ACTIVE and stored.refresh_expires_at > grant.authorized_at
    return alive and is_wide(stored.scope) and not is_wide(grant.scope)


def _from_grant(grant: Grant, row_id: int) -> Authorization:
    return Authorization(
        id=row_id,
        appid=grant.appid,
        openid=grant.openid,
        unionid=grant.unionid,
        scope=grant.scope,
        is_snapshotuser=grant.is_snapshotuser,
        tokens=grant.tokens,
        status=Status.ACTIVE,
        version=1,
        expires_at=grant.expires_at,
        refresh_expires_at=grant.refresh_expires_at,
        next_refresh_at=grant.next_refresh_at,
        first_authorized_at=grant.authorized_at,
        authorized_at=grant.authorized_at,
        last_used_at=grant.authorized_at,
    )


def _replaced(old: Authorization, grant: Grant) -> Authorization:
    """Return a new authorization that keeps only what a grant does not bring."""
    return replace(
        _from_grant(grant, old.id),
        version=old.version + 1,
        unionid=grant.unionid or old.unionid,
        first_authorized_at=old.first_authorized_at,
        nickname=old.nickname,
        avatar_url=old.avatar_url,
        profile_at=old.profile_at,
    )


def _settled(old: Authorization, outcome: Outcome) -> Authorization:
    match outcome:
        case Refreshed():
            return replace(
                old,
                tokens=outcome.tokens,
                scope=outcome.scope,
                refreshed_at=outcome.refreshed_at,
                expires_at=outcome.expires_at,
                refresh_expires_at=outcome.refresh_expires_at,
                next_refresh_at=outcome.next_refresh_at,
                refresh_failures=0,
                last_error_code=None,
                last_error_kind=None,
                last_error_at=None,
            )
        case Rejected() | Failed():
            failed = replace(
                old,
                refresh_failures=old.refresh_failures + 1,
                last_error_code=outcome.error_code,
                last_error_kind=outcome.error_kind,
                last_error_at=outcome.at,
            )
            if isinstance(outcome, Failed):
                return replace(failed, next_refresh_at=outcome.next_refresh_at)
            return replace(failed, status=Status.NEEDS_REAUTHORIZATION, next_refresh_at=None)
        case Deferred():
            return replace(old, next_refresh_at=outcome.next_refresh_at)
        case Released():
            return old


def _without_tokens(authorization: Authorization) -> AuthorizedUser:
    return AuthorizedUser(**{one.name: getattr(authorization, one.name) for one in fields(AuthorizedUser)})


def _require_storable(record: Grant | Outcome | Profile) -> None:
    """Refuse what no database keeps: text that is not Unicode, and numbers beyond 64 bits."""
    for name in (one.name for one in fields(record)):
        value = getattr(record, name)
        if isinstance(value, str):
            try:
                value.encode()
            except UnicodeEncodeError:
                raise InvalidRecord(f"{name} is not valid Unicode.") from None
        elif isinstance(value, int) and abs(value) > LARGEST:
            raise InvalidRecord(f"{name} is out of range.")
