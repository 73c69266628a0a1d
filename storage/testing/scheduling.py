"""What is due is claimed, and what is used is kept warm."""

from collections import Counter

import pytest

from storage.leases import Lease
from storage.store import Capability, TokenStore
from storage.testing.base import Contract
from storage.testing.samples import (
    APPID,
    HOUR,
    LONG_TTL,
    NOW,
    OTHER_APPID,
    SHORT_TTL,
    THREADS,
    USER,
    a_grant,
    at_once,
    claimed,
    refreshed,
    skip_without,
    stored,
)
from storage.users import Use

__all__ = ["SchedulingContract"]


class SchedulingContract(Contract):
    """`claim_due` and `touch`."""

    def test_due_users_are_claimed_longest_due_first(self, store: TokenStore) -> None:
        """No more than asked for, and of one account only."""
        skip_without(store, Capability.SCHEDULING)
        due = {"o-1": NOW + 30, "o-2": NOW + 10, "o-3": NOW + 20, "o-4": NOW + 31, "o-5": None}
        store.save([a_grant(openid, next_refresh_at=at) for openid, at in due.items()])
        store.save([a_grant("o-6", appid=OTHER_APPID, next_refresh_at=NOW)])
        first = store.claim_due(APPID, "first", 2, LONG_TTL, NOW + 30)
        assert [lease.authorization.openid for lease in first] == ["o-2", "o-3"]
        second = store.claim_due(APPID, "second", 10, LONG_TTL, NOW + 30)
        assert [lease.authorization.openid for lease in second] == ["o-1"]
        assert store.claim_due(APPID, "third", 10, LONG_TTL, NOW + 30) == []

    def test_refreshes_of_tokens_from_after_a_moment_are_made_due(self, store: TokenStore) -> None:
        """Nothing else is: neither what was obtained before, nor what is not scheduled."""
        skip_without(store, Capability.SCHEDULING)
        if type(store).reschedule is TokenStore.reschedule:
            pytest.skip("this store leaves such tokens to their use")
        later = NOW + 6 * HOUR
        store.save(
            [
                a_grant("o-before", authorized_at=NOW, next_refresh_at=later),
                a_grant("o-after", authorized_at=NOW + 1, next_refresh_at=later),
                a_grant("o-due", authorized_at=NOW + 1, next_refresh_at=NOW - 1),
                a_grant("o-on-use", authorized_at=NOW + 1, next_refresh_at=None),
            ]
        )
        assert store.reschedule(NOW, NOW + 2) == 1
        due = store.claim_due(APPID, "first", 10, LONG_TTL, NOW + 2)
        assert [lease.authorization.openid for lease in due] == ["o-due", "o-after"]

    def test_due_claim_is_a_claim_like_any_other(self, store: TokenStore) -> None:
        """It raises the version, keeps others out, and can be settled."""
        skip_without(store, Capability.SCHEDULING)
        store.save([a_grant(next_refresh_at=NOW)])
        before = stored(store)
        (lease,) = store.claim_due(APPID, "first", 10, LONG_TTL, NOW)
        assert lease == Lease(stored(store), "first")
        assert lease.authorization.version == before.version + 1
        assert store.claim(APPID, USER, "second", LONG_TTL) is None
        assert store.settle([refreshed(lease)]) == [True]

    def test_only_active_users_are_due(self, store: TokenStore) -> None:
        """Rejected and revoked users are never refreshed."""
        skip_without(store, Capability.SCHEDULING)
        store.save([a_grant(next_refresh_at=NOW), a_grant("o-2", next_refresh_at=NOW)])
        store.settle([claimed(store).rejected(error_code=42002, error_kind="reauthorize", at=NOW)])
        store.revoke(APPID, "o-2")
        assert store.claim_due(APPID, "first", 10, LONG_TTL, NOW + HOUR) == []

    def test_due_users_are_claimed_again_when_their_lease_ended(self, store: TokenStore) -> None:
        """Work of a process that died is taken up."""
        skip_without(store, Capability.SCHEDULING)
        store.save([a_grant(next_refresh_at=NOW)])
        assert len(store.claim_due(APPID, "first", 1, SHORT_TTL, NOW)) == 1
        self.let_pass(SHORT_TTL + 1.1)
        assert len(store.claim_due(APPID, "second", 1, LONG_TTL, NOW)) == 1

    def test_many_threads_claim_each_due_user_once(self, store: TokenStore) -> None:
        """All are claimed, none twice."""
        skip_without(store, Capability.SCHEDULING)
        users = [f"o-{number:03}" for number in range(200)]
        store.save([a_grant(openid, next_refresh_at=NOW) for openid in users])

        def claim_until_none_is_left(number: int) -> list[str]:
            claimed: list[str] = []
            while leases := store.claim_due(APPID, f"owner-{number}", 7, LONG_TTL, NOW):
                claimed += (lease.authorization.openid for lease in leases)
            return claimed

        claimed = Counter(openid for batch in at_once(claim_until_none_is_left) for openid in batch)
        # Who meets rows that others are about to lease may find none for a moment, and stop early.
        claimed.update(claim_until_none_is_left(THREADS))
        assert claimed == Counter(users)

    def test_last_use_never_moves_back(self, store: TokenStore) -> None:
        """Notes of uses may arrive late and out of order."""
        store.save([a_grant()])
        store.touch([Use(APPID, USER, NOW + 50, None), Use(APPID, USER, NOW + 20, None)])
        assert stored(store).last_used_at == NOW + 50
        store.touch([Use(APPID, USER, NOW - 1, None)])
        assert stored(store).last_used_at == NOW + 50

    def test_use_sets_a_schedule_only_where_none_is(self, store: TokenStore) -> None:
        """A user who comes back is kept warm again; a schedule there is stays."""
        store.save([a_grant("o-1"), a_grant("o-2", next_refresh_at=NOW + 10)])
        store.touch([Use(APPID, "o-1", NOW, NOW + 99), Use(APPID, "o-2", NOW, NOW + 99)])
        assert stored(store, "o-1").next_refresh_at == NOW + 99
        assert stored(store, "o-2").next_refresh_at == NOW + 10

    def test_use_of_a_user_that_is_not_active_schedules_nothing(self, store: TokenStore) -> None:
        """Nor does the use of an unknown one."""
        store.save([a_grant()])
        store.revoke(APPID, USER)
        store.touch([Use(APPID, USER, NOW + 5, NOW + 99), Use(APPID, "o-unknown", NOW, NOW)])
        assert stored(store).next_refresh_at is None
        assert store.get(APPID, "o-unknown") is None
