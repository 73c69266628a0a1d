"""A newer, narrower grant that is held beside a wide one: when it is, when it takes over, and when it is forgotten."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from storage.activity import ActivityKind
from storage.grants import FallbackGrant, Resealing, SealedTokens
from storage.leases import Lease, Outcome
from storage.store import Capability, TokenStore
from storage.testing.base import Contract
from storage.testing.samples import (
    APPID,
    BASE,
    HOUR,
    LONG_TTL,
    NEW_TOKENS,
    NOW,
    USER,
    WIDE,
    a_grant,
    all_sealed,
    claimed,
    refreshed,
    skip_without,
    stored,
)
from storage.users import Authorization, Status

__all__ = ["FallbackContract"]

NARROW_TOKENS = SealedTokens(b"access o-user 1800000100", b"refresh o-user 1800000100")
#: What a refresh under way may end in without any effect on the grant that is held.
HARMLESS: list[Callable[[Lease], Outcome]] = [
    refreshed,
    lambda lease: lease.failed(error_code=-1, error_kind="retry", at=NOW + 200, next_refresh_at=None),
    lambda lease: lease.deferred(next_refresh_at=None),
    Lease.released,
]


def _rejected(lease: Lease, at: int = NOW + 200) -> Outcome:
    return lease.rejected(error_code=40030, error_kind="reauthorize", at=at)


def _hold(store: TokenStore, **narrow: Any) -> Authorization:
    """Save a wide grant and a narrow one a hundred seconds later, and return what is stored then."""
    store.save([a_grant(scope=WIDE, next_refresh_at=NOW + 6000, unionid="u-1")])
    store.save([a_grant(at=NOW + 100, **narrow)])
    return stored(store)


class FallbackContract(Contract):
    """`save` of a grant that is narrower than a live one, and what the other methods make of it."""

    def test_narrow_grant_is_held_beside_a_live_wide_one(self, store: TokenStore) -> None:
        """All of it, and nothing of the wide one changes but the times of the user's last visit."""
        store.save([a_grant(scope=WIDE, next_refresh_at=NOW + 6000, unionid="u-1")])
        before = stored(store)
        assert before.fallback is None
        store.save([a_grant(at=NOW + 100, next_refresh_at=NOW + 6100, unionid="u-2", is_snapshotuser=True)])
        fallback = FallbackGrant(
            scope=BASE,
            tokens=NARROW_TOKENS,
            expires_at=NOW + 7300,
            refresh_expires_at=NOW + 100 + 30 * 86400,
            unionid="u-2",
            is_snapshotuser=True,
        )
        assert stored(store) == replace(before, authorized_at=NOW + 100, last_used_at=NOW + 100, fallback=fallback)

    def test_of_several_narrow_grants_the_newest_is_held(self, store: TokenStore) -> None:
        """In one call too."""
        _hold(store)
        store.save([a_grant(at=NOW + 200), a_grant(at=NOW + 300)])
        held = stored(store).fallback
        assert held is not None
        assert held.tokens.access_token == b"access o-user 1800000300"

    def test_when_the_wide_grant_is_rejected_the_narrow_one_takes_over(self, store: TokenStore) -> None:
        """The user stays active, and of the failures of the grant before nothing is left."""
        _hold(store)
        store.settle(
            [claimed(store).failed(error_code=-1, error_kind="retry", at=NOW + 150, next_refresh_at=NOW + 160)]
        )
        lease = claimed(store)
        assert store.settle([_rejected(lease)]) == [True]
        after = stored(store)
        assert (after.status, after.scope, after.tokens, after.fallback) == (Status.ACTIVE, BASE, NARROW_TOKENS, None)
        assert (after.expires_at, after.refresh_expires_at) == (NOW + 7300, NOW + 100 + 30 * 86400)
        assert (after.refresh_failures, after.last_error_code, after.last_error_kind) == (0, None, None)
        assert (after.last_error_at, after.refreshed_at) == (None, None)
        assert (after.first_authorized_at, after.authorized_at) == (NOW, NOW + 100)
        assert store.settle([_rejected(lease)]) == [False]
        assert store.settle([refreshed(claimed(store))]) == [True]

    def test_grant_that_took_over_is_rejected_like_any_other(self, store: TokenStore) -> None:
        """There is nothing behind it."""
        _hold(store)
        store.settle([_rejected(claimed(store))])
        store.settle([_rejected(claimed(store), NOW + 300)])
        after = stored(store)
        assert (after.status, after.last_error_code, after.fallback) == (Status.REAUTHORIZATION_REQUIRED, 40030, None)

    def test_grant_that_took_over_is_due_at_once_if_the_one_before_was_scheduled(self, store: TokenStore) -> None:
        """Its access token may have ended long ago."""
        skip_without(store, Capability.SCHEDULING)
        _hold(store)
        store.save([a_grant("o-2", scope=WIDE)])
        store.save([a_grant("o-2", at=NOW + 100)])
        store.settle([_rejected(claimed(store)), _rejected(claimed(store, openid="o-2"))])
        assert (stored(store).next_refresh_at, stored(store, "o-2").next_refresh_at) == (NOW + 200, None)
        (due,) = store.claim_due(APPID, "first", 10, LONG_TTL, NOW + 200)
        assert due.authorization.tokens == NARROW_TOKENS

    def test_grant_that_arrives_while_the_wide_one_is_refreshed_takes_over_too(self, store: TokenStore) -> None:
        """It does not disturb the refresh, and is not lost by how that ends."""
        store.save([a_grant(scope=WIDE)])
        lease = claimed(store)
        store.save([a_grant(at=NOW + 100)])
        assert store.claim(APPID, USER, "second", LONG_TTL) is None
        assert store.settle([_rejected(lease)]) == [True]
        assert (stored(store).status, stored(store).tokens) == (Status.ACTIVE, NARROW_TOKENS)

    @pytest.mark.parametrize("end", HARMLESS)
    def test_grant_that_is_held_outlasts_whatever_else_a_refresh_ends_in(
        self, store: TokenStore, end: Callable[[Lease], Outcome]
    ) -> None:
        """Only a rejection calls for it."""
        held = _hold(store).fallback
        assert store.settle([end(claimed(store))]) == [True]
        assert (stored(store).fallback, stored(store).scope) == (held, WIDE)

    def test_grant_whose_own_refresh_token_has_ended_does_not_take_over(self, store: TokenStore) -> None:
        """It could give no token; it is forgotten."""
        _hold(store, refresh_expires_at=NOW + 200)
        store.settle([_rejected(claimed(store))])
        after = stored(store)
        assert (after.status, after.scope, after.fallback) == (Status.REAUTHORIZATION_REQUIRED, WIDE, None)

    def test_unionid_is_that_of_the_grant_that_took_over_or_stays(self, store: TokenStore) -> None:
        """Unless one of them is of a snapshot page: then the unionid is the virtual one of nobody."""
        store.save([a_grant(f"o-{number}", scope=WIDE, unionid="u-1") for number in (1, 2)])
        store.save([a_grant("o-3", scope=WIDE, unionid="u-virtual", is_snapshotuser=True)])
        store.save([a_grant("o-1", at=NOW + 100, unionid="u-2"), *(a_grant(f"o-{n}", at=NOW + 100) for n in (2, 3))])
        openids = ["o-1", "o-2", "o-3"]
        assert [stored(store, one).unionid for one in openids] == ["u-1", "u-1", "u-virtual"]
        store.settle([_rejected(claimed(store, openid=one)) for one in openids])
        after = [stored(store, one) for one in openids]
        assert [(one.unionid, one.is_snapshotuser) for one in after] == [("u-2", False), ("u-1", False), (None, False)]

    def test_wide_grant_removes_the_narrow_one_that_is_held(self, store: TokenStore) -> None:
        """What is older and narrower is worth nothing beside it."""
        _hold(store)
        store.save([a_grant(at=NOW + 200, scope=WIDE)])
        assert stored(store).fallback is None
        store.settle([_rejected(claimed(store), NOW + 300)])
        assert stored(store).status is Status.REAUTHORIZATION_REQUIRED

    def test_grant_that_replaces_an_ended_wide_one_removes_the_one_that_is_held(self, store: TokenStore) -> None:
        """It is the newest, and what counts."""
        store.save([a_grant(scope=WIDE, refresh_expires_at=NOW + 150)])
        store.save([a_grant(at=NOW + 100)])
        store.save([a_grant(at=NOW + 200)])
        after = stored(store)
        assert (after.tokens.access_token, after.fallback) == (b"access o-user 1800000200", None)

    def test_revoking_forgets_both_grants(self, store: TokenStore) -> None:
        """Nor does the one that was held come back with a new authorization."""
        _hold(store)
        assert store.revoke(APPID, USER) is True
        assert (stored(store).tokens, stored(store).fallback) == (SealedTokens(b"", b""), None)
        store.save([a_grant(at=NOW + 200, scope=WIDE)])
        assert stored(store).fallback is None

    def test_erasing_forgets_both_grants(self, store: TokenStore) -> None:
        """A user who returns is somebody new."""
        _hold(store)
        assert store.erase(APPID, USER) is True
        store.save([a_grant(at=NOW + 200)])
        assert (stored(store).scope, stored(store).fallback) == (BASE, None)

    def test_sealed_pages_give_the_tokens_of_both_grants(self, store: TokenStore) -> None:
        """Rotation of keys leaves nothing behind."""
        skip_without(store, Capability.RESEALING)
        held = _hold(store)
        store.save([a_grant("o-2")])
        first, second = all_sealed(store)
        assert (first.tokens, first.fallback) == (held.tokens, NARROW_TOKENS)
        assert second.fallback is None

    def test_resealing_replaces_the_tokens_of_both_grants_and_nothing_else(self, store: TokenStore) -> None:
        """Each in its place."""
        skip_without(store, Capability.RESEALING)
        before = _hold(store)
        assert before.fallback is not None
        (row,) = all_sealed(store)
        anew = SealedTokens(b"access, another key", b"refresh, another key")
        assert store.reseal([Resealing(row, NEW_TOKENS, anew)]) == [True]
        assert stored(store) == replace(before, tokens=NEW_TOKENS, fallback=replace(before.fallback, tokens=anew))

    def test_resealing_never_replaces_a_grant_that_came_meanwhile(self, store: TokenStore) -> None:
        """Whether it is held where none was, or in the place of another."""
        skip_without(store, Capability.RESEALING)
        store.save([a_grant(scope=WIDE)])
        (without,) = all_sealed(store)
        store.save([a_grant(at=NOW + 100)])
        (with_one,) = all_sealed(store)
        store.save([a_grant(at=NOW + 200)])
        before = stored(store)
        changes = [Resealing(without, NEW_TOKENS), Resealing(with_one, NEW_TOKENS, NEW_TOKENS)]
        assert store.reseal(changes) == [False, False]
        assert stored(store) == before

    def test_rejection_after_which_a_grant_took_over_is_counted_as_a_failed_refresh(self, store: TokenStore) -> None:
        """No authorization ended."""
        skip_without(store, Capability.ACTIVITY)
        _hold(store)
        store.save([a_grant("o-2")])
        store.settle([_rejected(claimed(store)), _rejected(claimed(store, openid="o-2"))])
        counted = {(one.kind, one.errcode): one.count for one in store.activity(NOW - HOUR)}
        assert counted[ActivityKind.REFRESH_FAILED, 40030] == 1
        assert counted[ActivityKind.REAUTHORIZATION_REQUIRED, 40030] == 1

    @pytest.mark.parametrize("scope", [f"{BASE},{WIDE},", f"{WIDE},", f"{BASE} {WIDE}", f"{BASE}, {WIDE}"])
    def test_scope_in_whatever_spelling_of_a_list_is_wide(self, store: TokenStore, scope: str) -> None:
        """A scope is a set of names."""
        store.save([a_grant(scope=scope)])
        store.save([a_grant(at=NOW + 100)])
        after = stored(store)
        assert (after.scope, after.tokens.access_token) == (scope, b"access o-user 1800000000")
        assert after.fallback is not None
