"""`Row`: one authorization as a whole, and what becomes of it. For stores that keep rows as they are.

A store that can read a row, replace it and exclude other writers meanwhile has all that
`storage.store.TokenStore` asks of it: the rules are here.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

from storage.grants import FallbackGrant, Grant, RedeemedCode, Resealing, SealedTokens, grant_fields, is_wide
from storage.leases import LONGEST_LEASE_SECONDS, Deferred, Failed, Lease, Outcome, Refreshed, Rejected, Released
from storage.users import USER_FIELDS, Authorization, AuthorizedUser, Profile, Status, Use

__all__ = ["Row"]

_NO_FAILURE: dict[str, Any] = {
    "refresh_failures": 0,
    "last_error_code": None,
    "last_error_kind": None,
    "last_error_at": None,
}


@dataclass(frozen=True, slots=True)
class Row:
    """An authorization, the code last exchanged for it, and the holder and end of its lease.

    Rows are values: a method returns the row that takes this one's place, or None where nothing may change.
    """

    authorization: Authorization
    code_digest: bytes | None
    code_binding: bytes | None
    code_scope: str
    code_unionid: str | None
    code_is_snapshotuser: bool
    lease_owner: str | None = None
    lease_until: float = 0.0

    @classmethod
    def first(cls, grant: Grant, row_id: int) -> Self:
        """Return the row of a user who was not known.

        Args:
            grant: What the exchange gave.
            row_id: A number above that of every row there ever was.
        """
        return cls(_from_grant(grant, row_id), **_code_of(grant))

    def granted(self, grant: Grant) -> "Row":
        """Take a new grant; hold one that is narrower than a live authorization beside that, as its fallback."""
        old = self.authorization
        if _outlives(old, grant):
            kept = replace(
                old,
                authorized_at=grant.authorized_at,
                last_used_at=grant.authorized_at,
                fallback=FallbackGrant.of(grant),
            )
            return replace(self, authorization=kept, **_code_of(grant))
        new = replace(
            _from_grant(grant, old.id),
            version=old.version + 1,
            unionid=grant.unionid or _unionid_for(old, is_snapshotuser=grant.is_snapshotuser),
            first_authorized_at=old.first_authorized_at,
            nickname=old.nickname,
            avatar_url=old.avatar_url,
            profile_at=old.profile_at,
            external_id=old.external_id,
        )
        return replace(self, authorization=new, lease_owner=None, **_code_of(grant))

    def redeemed(self, digest: bytes, since: int) -> RedeemedCode | None:
        """Return what the code of a digest gave, if it is this row's and was exchanged at `since` or later."""
        found = self.authorization
        if self.code_digest != digest or found.authorized_at < since:
            return None
        return RedeemedCode(
            appid=found.appid,
            openid=found.openid,
            scope=self.code_scope,
            is_snapshotuser=self.code_is_snapshotuser,
            unionid=self.code_unionid,
            binding=self.code_binding,
            authorized_at=found.authorized_at,
        )

    def is_claimable(self, now: float) -> bool:
        """Return whether the row is active and not leased."""
        is_held = self.lease_owner is not None and now < self.lease_until <= now + LONGEST_LEASE_SECONDS
        return not is_held and self.authorization.status is Status.ACTIVE

    def claimed(self, owner: str, now: float, ttl: float) -> "Row | None":
        """Lease the row until `now + ttl`, if it is active and free."""
        if not self.is_claimable(now):
            return None
        raised = replace(self.authorization, version=self.authorization.version + 1)
        return replace(self, authorization=raised, lease_owner=owner, lease_until=now + ttl)

    def settled(self, outcome: Outcome) -> "Row | None":
        """Write an outcome and end the lease, if the lease is still the row's last one."""
        held = outcome.lease.authorization
        now = self.authorization
        if (outcome.lease.owner, held.id, held.version) != (self.lease_owner, now.id, now.version):
            return None
        return replace(self, authorization=_settled(now, outcome), lease_owner=None)

    def used(self, use: Use) -> "Row":
        """Note a use; give the row a schedule if it is active and has none."""
        old = self.authorization
        scheduled = old.next_refresh_at is not None or old.status is not Status.ACTIVE
        new = replace(
            old,
            last_used_at=max(old.last_used_at, use.used_at),
            next_refresh_at=old.next_refresh_at if scheduled else use.next_refresh_at,
        )
        return replace(self, authorization=new)

    def with_profile(self, profile: Profile) -> "Row":
        """Take a profile over."""
        new = replace(
            self.authorization,
            nickname=profile.nickname,
            avatar_url=profile.avatar_url,
            profile_at=profile.profile_at,
            unionid=profile.unionid or self.authorization.unionid,
        )
        return replace(self, authorization=new)

    def with_external_id(self, external_id: str | None) -> "Row":
        """Take over by what a backend knows the user."""
        return replace(self, authorization=replace(self.authorization, external_id=external_id))

    def revoked(self) -> "Row":
        """Forget the tokens and the code, and end any lease."""
        old = self.authorization
        ended = replace(
            old,
            status=Status.REVOKED,
            tokens=SealedTokens(b"", b""),
            fallback=None,
            next_refresh_at=None,
            version=old.version + 1,
        )
        return replace(
            self, authorization=ended, code_digest=None, code_binding=None, code_unionid=None, lease_owner=None
        )

    def erasable(self, authorized_before: int | None) -> "Row | None":
        """Return the row itself if the user authorized before a moment; None as a moment stands for any time."""
        is_earlier = authorized_before is None or self.authorization.authorized_at < authorized_before
        return self if is_earlier else None

    def resealed(self, change: Resealing) -> "Row | None":
        """Take tokens over that are sealed anew, if the row still holds those that were read."""
        if self.authorization.sealed_row() != change.row:
            return None
        fallback = self.authorization.fallback
        if fallback is not None and change.fallback is not None:
            fallback = replace(fallback, tokens=change.fallback)
        return replace(self, authorization=replace(self.authorization, tokens=change.tokens, fallback=fallback))

    def lease(self) -> Lease:
        """Return the lease that `claimed` made."""
        assert self.lease_owner is not None
        return Lease(self.authorization, self.lease_owner)

    def user(self) -> AuthorizedUser:
        """Return the authorization as lists show it."""
        return AuthorizedUser(**{name: getattr(self.authorization, name) for name in USER_FIELDS})


def _outlives(stored: Authorization, grant: Grant) -> bool:
    """Return whether a stored authorization is wider than the grant, and alive."""
    alive = stored.status is Status.ACTIVE and stored.refresh_expires_at > grant.authorized_at
    return alive and is_wide(stored.scope) and not is_wide(grant.scope)


def _unionid_for(stored: Authorization, *, is_snapshotuser: bool) -> str | None:
    """Return the unionid that a grant without one leaves: a person's is not that of a snapshot page's virtual user."""
    return stored.unionid if stored.is_snapshotuser == is_snapshotuser else None


def _code_of(grant: Grant) -> dict[str, Any]:
    return {name: value for name, value in grant_fields(grant).items() if name.startswith("code_")}


def _from_grant(grant: Grant, row_id: int) -> Authorization:
    known = {name: value for name, value in grant_fields(grant).items() if name in USER_FIELDS}
    return Authorization(id=row_id, tokens=grant.tokens, status=Status.ACTIVE, version=1, **known)


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
                **_NO_FAILURE,
            )
        case Rejected():
            successor = old.successor(outcome.at)
            if successor is not None:
                return _succeeded(old, successor, outcome.at)
            rejected = _failed(old, outcome)
            return replace(rejected, status=Status.REAUTHORIZATION_REQUIRED, next_refresh_at=None, fallback=None)
        case Failed():
            return replace(_failed(old, outcome), next_refresh_at=outcome.next_refresh_at)
        case Deferred():
            return replace(old, next_refresh_at=outcome.next_refresh_at)
        case Released():
            return old


def _succeeded(old: Authorization, fallback: FallbackGrant, at: int) -> Authorization:
    """Let a fallback take the place of the grant that WeChat refuses; what is refreshed by schedule is due at once."""
    return replace(
        old,
        scope=fallback.scope,
        tokens=fallback.tokens,
        expires_at=fallback.expires_at,
        refresh_expires_at=fallback.refresh_expires_at,
        unionid=fallback.unionid or _unionid_for(old, is_snapshotuser=fallback.is_snapshotuser),
        is_snapshotuser=fallback.is_snapshotuser,
        fallback=None,
        next_refresh_at=None if old.next_refresh_at is None else at,
        refreshed_at=None,
        **_NO_FAILURE,
    )


def _failed(old: Authorization, outcome: Rejected | Failed) -> Authorization:
    return replace(
        old,
        refresh_failures=old.refresh_failures + 1,
        last_error_code=outcome.error_code,
        last_error_kind=outcome.error_kind,
        last_error_at=outcome.at,
    )
