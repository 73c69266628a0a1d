"""Leases: one holder at a time, and nobody else's outcome is written."""

from collections.abc import Callable, Sequence

import pytest

from storage.base.errors import InvalidRecord
from storage.grants import SealedTokens
from storage.leases import LONGEST_LEASE_SECONDS, Lease, Outcome
from storage.store import TokenStore
from storage.testing.base import Contract
from storage.testing.samples import (
    APPID,
    HOUR,
    LONG_TTL,
    NEW_TOKENS,
    NOW,
    SHORT_TTL,
    USER,
    WIDE,
    a_grant,
    at_once,
    claimed,
    refreshed,
    stored,
)
from storage.users import Status

__all__ = ["LeasingContract"]

Ending = Callable[[Lease], Outcome]


def _rejected(lease: Lease) -> Outcome:
    return lease.rejected(error_code=42002, error_kind="reauthorize", at=NOW)


def _failed(lease: Lease) -> Outcome:
    return lease.failed(error_code=-1, error_kind="retry", at=NOW, next_refresh_at=NOW + 50)


def _deferred(lease: Lease) -> Outcome:
    return lease.deferred(next_refresh_at=NOW + 77)


ENDINGS: Sequence[Ending] = (refreshed, _rejected, _failed, _deferred, Lease.released)


class LeasingContract(Contract):
    """`claim` and `settle`."""

    def test_a_lease_from_before_the_clock_was_set_back_holds_nobody_up(self, store: TokenStore) -> None:
        """It seems to have more time left than any lease is given."""
        store.save([a_grant()])
        claimed(store, ttl=LONGEST_LEASE_SECONDS + 6 * HOUR)
        assert claimed(store, owner="after").owner == "after"

    def test_claim_raises_the_version_and_gives_what_is_stored(self, store: TokenStore) -> None:
        """The lease holds the row as it is now."""
        store.save([a_grant()])
        before = stored(store)
        lease = claimed(store)
        assert lease.authorization == stored(store)
        assert lease.authorization.version == before.version + 1
        assert lease.owner == "first"

    def test_claimed_user_cannot_be_claimed_again(self, store: TokenStore) -> None:
        """Not by another owner, nor by the same."""
        store.save([a_grant()])
        claimed(store)
        assert store.claim(APPID, USER, "second", LONG_TTL) is None
        assert store.claim(APPID, USER, "first", LONG_TTL) is None

    def test_of_many_claims_at_once_one_succeeds(self, store: TokenStore) -> None:
        """Two refreshes of one token at a time are what a lease is there to prevent."""
        store.save([a_grant()])
        leases = at_once(lambda number: store.claim(APPID, USER, f"owner-{number}", LONG_TTL))
        assert len([lease for lease in leases if lease is not None]) == 1

    def test_only_active_users_can_be_claimed(self, store: TokenStore) -> None:
        """What is unknown, rejected or revoked has nothing to refresh."""
        assert store.claim(APPID, USER, "first", LONG_TTL) is None
        store.save([a_grant()])
        store.settle([claimed(store).rejected(error_code=42002, error_kind="reauthorize", at=NOW)])
        assert store.claim(APPID, USER, "first", LONG_TTL) is None
        store.revoke(APPID, USER)
        assert store.claim(APPID, USER, "first", LONG_TTL) is None

    def test_lease_ends_by_itself(self, store: TokenStore) -> None:
        """A process that died must not hold a user for good."""
        store.save([a_grant()])
        first = claimed(store, ttl=SHORT_TTL)
        second = self.claimed_when_free(store, "second")
        assert second.authorization.version == first.authorization.version + 1

    def test_refreshed_tokens_are_stored_and_failures_cleared(self, store: TokenStore) -> None:
        """A success is all that is left of earlier failures."""
        store.save([a_grant()])
        failed = claimed(store).failed(error_code=-1, error_kind="retry", at=NOW + 1, next_refresh_at=NOW + 2)
        store.settle([failed])
        assert store.settle([refreshed(claimed(store), scope=WIDE, refresh_expires_at=NOW + 99)]) == [True]
        after = stored(store)
        assert (after.tokens, after.scope, after.refreshed_at) == (NEW_TOKENS, WIDE, NOW + 7200)
        assert (after.expires_at, after.refresh_expires_at) == (NOW + 14400, NOW + 99)
        assert after.next_refresh_at == NOW + 14000
        assert (after.refresh_failures, after.last_error_code, after.last_error_kind) == (0, None, None)
        assert after.last_error_at is None

    def test_failure_is_counted_and_put_off(self, store: TokenStore) -> None:
        """The tokens stay, and the lease ends."""
        store.save([a_grant()])
        for number in (1, 2):
            lease = claimed(store)
            outcome = lease.failed(error_code=-1, error_kind="retry", at=NOW + number, next_refresh_at=NOW + 50)
            assert store.settle([outcome]) == [True]
        after = stored(store)
        assert (after.refresh_failures, after.last_error_code, after.last_error_kind) == (2, -1, "retry")
        assert (after.last_error_at, after.next_refresh_at) == (NOW + 2, NOW + 50)
        assert (after.status, after.tokens) == (Status.ACTIVE, a_grant().tokens)

    def test_failure_without_an_errcode_is_stored(self, store: TokenStore) -> None:
        """A fault of the network has no number."""
        store.save([a_grant()])
        store.settle([claimed(store).failed(error_code=None, error_kind="retry", at=NOW, next_refresh_at=None)])
        after = stored(store)
        assert (after.last_error_code, after.last_error_kind, after.next_refresh_at) == (None, "retry", None)

    def test_rejection_marks_the_user(self, store: TokenStore) -> None:
        """Only the user can mend it, so nothing is scheduled any more."""
        store.save([a_grant(next_refresh_at=NOW)])
        assert store.settle([claimed(store).rejected(error_code=42002, error_kind="reauthorize", at=NOW)]) == [True]
        after = stored(store)
        assert (after.status, after.last_error_code) == (Status.REAUTHORIZATION_REQUIRED, 42002)
        assert after.next_refresh_at is None

    def test_released_lease_is_free_again_and_nothing_else_changed(self, store: TokenStore) -> None:
        """Giving a lease back needs no waiting for its end."""
        store.save([a_grant(next_refresh_at=NOW)])
        lease = claimed(store)
        assert store.settle([lease.released()]) == [True]
        assert stored(store) == lease.authorization
        assert store.claim(APPID, USER, "second", LONG_TTL) is not None

    def test_deferring_moves_the_schedule_alone(self, store: TokenStore) -> None:
        """A refresh that was not tried is no failure."""
        store.save([a_grant(next_refresh_at=NOW)])
        assert store.settle([claimed(store).deferred(next_refresh_at=NOW + 77)]) == [True]
        assert (stored(store).next_refresh_at, stored(store).refresh_failures) == (NOW + 77, 0)
        assert store.settle([claimed(store).deferred(next_refresh_at=None)]) == [True]
        assert stored(store).next_refresh_at is None

    def test_lease_can_be_settled_once(self, store: TokenStore) -> None:
        """Neither a second call nor a second outcome in one call is written."""
        store.save([a_grant()])
        lease = claimed(store)
        late = lease.failed(error_code=-1, error_kind="retry", at=NOW, next_refresh_at=None)
        assert store.settle([refreshed(lease), late]) == [True, False]
        assert store.settle([late]) == [False]
        assert (stored(store).tokens, stored(store).refresh_failures) == (NEW_TOKENS, 0)

    def test_late_outcome_is_written_while_nobody_else_came(self, store: TokenStore) -> None:
        """New tokens are worth more than a lease's punctuality."""
        store.save([a_grant()])
        lease = claimed(store, ttl=SHORT_TTL)
        self.let_pass(SHORT_TTL + 1.1)
        assert store.settle([refreshed(lease)]) == [True]

    def test_late_outcome_is_refused_after_another_claim(self, store: TokenStore) -> None:
        """The one who came later is the one who may write, even under the same name."""
        store.save([a_grant()])
        late = claimed(store, ttl=SHORT_TTL)
        current = self.claimed_when_free(store, "first")
        assert store.settle([refreshed(late)]) == [False]
        assert store.settle([refreshed(current)]) == [True]

    @pytest.mark.parametrize("end", ENDINGS)
    def test_outcome_of_a_foreign_owner_changes_nothing(self, store: TokenStore, end: Ending) -> None:
        """Version and owner must both match; not even a release is taken from somebody else."""
        store.save([a_grant(next_refresh_at=NOW)])
        lease = claimed(store)
        assert store.settle([end(Lease(lease.authorization, "second"))]) == [False]
        assert stored(store) == lease.authorization
        assert store.claim(APPID, USER, "second", LONG_TTL) is None
        assert store.settle([lease.released()]) == [True]

    @pytest.mark.parametrize("end", ENDINGS)
    def test_outcome_of_an_earlier_lease_changes_nothing(self, store: TokenStore, end: Ending) -> None:
        """An owner's name may be used again; the version tells one lease from the other."""
        store.save([a_grant(next_refresh_at=NOW)])
        earlier = claimed(store)
        store.settle([earlier.released()])
        current = claimed(store)
        assert store.settle([end(earlier)]) == [False]
        assert stored(store) == current.authorization
        assert store.claim(APPID, USER, "second", LONG_TTL) is None
        assert store.settle([current.released()]) == [True]

    def test_new_exchange_wins_over_a_refresh_under_way(self, store: TokenStore) -> None:
        """The user's own authorization is newer than anything a refresh brings, and ends the lease."""
        store.save([a_grant()])
        lease = claimed(store)
        store.save([a_grant(at=NOW + 100)])
        assert store.settle([refreshed(lease)]) == [False]
        assert stored(store).tokens.access_token == b"access o-user 1800000100"
        assert store.claim(APPID, USER, "second", LONG_TTL) is not None

    def test_narrow_exchange_does_not_disturb_the_refresh_of_a_wide_one(self, store: TokenStore) -> None:
        """The tokens under refresh are still those that count."""
        store.save([a_grant(scope=WIDE)])
        lease = claimed(store)
        store.save([a_grant(at=NOW + 100)])
        assert store.claim(APPID, USER, "second", LONG_TTL) is None
        assert store.settle([refreshed(lease)]) == [True]

    def test_revocation_wins_over_a_refresh_under_way(self, store: TokenStore) -> None:
        """Tokens of a revoked user must not come back."""
        store.save([a_grant()])
        lease = claimed(store)
        assert store.revoke(APPID, USER) is True
        assert store.settle([refreshed(lease)]) == [False]
        assert stored(store).tokens == SealedTokens(b"", b"")

    def test_erasure_wins_over_a_refresh_under_way(self, store: TokenStore) -> None:
        """Nothing brings an erased user back, and a user who returns is somebody new."""
        store.save([a_grant()])
        lease = claimed(store)
        assert store.erase(APPID, USER) is True
        assert store.settle([refreshed(lease)]) == [False]
        assert store.get(APPID, USER) is None
        store.save([a_grant(at=NOW + 100)])
        claimed(store)
        assert store.settle([refreshed(lease)]) == [False]

    def test_batch_settles_each_by_itself(self, store: TokenStore) -> None:
        """The answers stand in the order of the outcomes."""
        users = ["o-1", "o-2", "o-3", "o-4"]
        store.save([a_grant(openid) for openid in users])
        leases = [store.claim(APPID, openid, "first", LONG_TTL) for openid in users]
        first, second, third, fourth = (lease for lease in leases if lease is not None)
        store.erase(APPID, "o-2")
        outcomes: list[Outcome] = [
            refreshed(fourth),
            refreshed(second),
            first.rejected(error_code=42002, error_kind="reauthorize", at=NOW),
            third.released(),
        ]
        assert store.settle(outcomes) == [True, False, True, True]
        assert stored(store, "o-1").status is Status.REAUTHORIZATION_REQUIRED
        assert stored(store, "o-4").tokens == NEW_TOKENS

    def test_settle_stores_all_or_nothing(self, store: TokenStore) -> None:
        """One outcome that cannot be stored keeps all of its batch out."""
        store.save([a_grant("o-1"), a_grant("o-2")])
        leases = [store.claim(APPID, openid, "first", LONG_TTL) for openid in ("o-1", "o-2")]
        good, bad = (lease for lease in leases if lease is not None)
        with pytest.raises(InvalidRecord):
            store.settle([refreshed(good), refreshed(bad, expires_at=2**63)])
        assert stored(store, "o-1").tokens == a_grant("o-1").tokens
        assert store.settle([refreshed(good)]) == [True]
