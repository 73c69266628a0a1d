"""The end of an authorization, and a new key for all."""

from collections import Counter
from dataclasses import replace

from storage.grants import Resealing, SealedRow, SealedTokens
from storage.store import Capability, TokenStore
from storage.testing.base import Contract
from storage.testing.samples import (
    APPID,
    BASE,
    HOUR,
    LONG_TTL,
    NEW_TOKENS,
    NOW,
    OTHER_APPID,
    THREADS,
    USER,
    WIDE,
    a_grant,
    all_sealed,
    at_once,
    claimed,
    refreshed,
    skip_without,
    stored,
)
from storage.users import Status

__all__ = ["EndingContract"]


class EndingContract(Contract):
    """`revoke`, `erase`, `sealed_page` and `reseal`."""

    def test_revoked_user_has_no_tokens_and_no_code(self, store: TokenStore) -> None:
        """What is shown of the user stays."""
        store.save([a_grant(next_refresh_at=NOW, code_digest=b"d" * 32, unionid="u-1")])
        before = stored(store)
        assert store.revoke(APPID, USER) is True
        after = stored(store)
        assert (after.status, after.tokens) == (Status.REVOKED, SealedTokens(b"", b""))
        assert (after.next_refresh_at, after.unionid) == (None, "u-1")
        assert after.version > before.version
        assert store.find_by_code(b"d" * 32, NOW) is None

    def test_revoked_user_may_authorize_again(self, store: TokenStore) -> None:
        """A narrower grant opens the authorization too, for nothing of the wide one is alive."""
        store.save([a_grant(scope=WIDE)])
        store.revoke(APPID, USER)
        store.save([a_grant(at=NOW + 100)])
        after = stored(store)
        assert (after.status, after.scope) == (Status.ACTIVE, BASE)
        assert after.tokens.access_token == b"access o-user 1800000100"

    def test_erased_user_is_gone(self, store: TokenStore) -> None:
        """Neither the pair nor the code finds anything, and other users stay."""
        store.save([a_grant(code_digest=b"d" * 32), a_grant("o-2")])
        assert store.erase(APPID, USER) is True
        assert store.get(APPID, USER) is None
        assert store.find_by_code(b"d" * 32, NOW) is None
        assert store.get(APPID, "o-2") is not None

    def test_user_who_authorized_at_a_moment_or_later_is_not_erased_as_of_before_it(self, store: TokenStore) -> None:
        """What was told late must not reach an authorization that is newer."""
        store.save([a_grant(code_digest=b"d" * 32), a_grant("o-2", at=NOW - 1)])
        before = stored(store)
        assert store.erase(APPID, USER, authorized_before=NOW) is False
        assert store.erase(APPID, USER, authorized_before=NOW - HOUR) is False
        assert stored(store) == before
        assert store.find_by_code(b"d" * 32, NOW) is not None
        assert store.erase(APPID, "o-2", authorized_before=NOW) is True
        assert store.erase(APPID, USER, authorized_before=NOW + 1) is True
        assert store.get(APPID, USER) is None
        assert store.erase(APPID, USER, authorized_before=NOW + 1) is False

    def test_authorization_saved_during_an_erasure_of_earlier_ones_stays(self, store: TokenStore) -> None:
        """Whichever comes first: the erasure compares what it deletes."""
        store.save([a_grant()])
        newer = a_grant(at=NOW + HOUR)

        def act(number: int) -> bool:
            if number == 0:
                store.save([newer])
            return store.erase(APPID, USER, authorized_before=NOW + 1)

        assert Counter(at_once(act))[True] <= 1
        assert stored(store).authorized_at == newer.authorized_at

    def test_unknown_user_can_be_neither_revoked_nor_erased(self, store: TokenStore) -> None:
        """The answer tells."""
        assert store.revoke(APPID, USER) is False
        assert store.erase(APPID, USER) is False

    def test_sealed_pages_give_every_user_that_holds_tokens(self, store: TokenStore) -> None:
        """By rising id, of all accounts; who is rejected still holds tokens, who is revoked does not."""
        skip_without(store, Capability.RESEALING)
        store.save([a_grant(f"o-{number}") for number in range(6)])
        store.save([a_grant("o-0", appid=OTHER_APPID)])
        lease = store.claim(APPID, "o-1", "first", LONG_TTL)
        assert lease is not None
        store.settle([lease.rejected(error_code=42002, error_kind="reauthorize", at=NOW)])
        store.revoke(APPID, "o-2")
        users = [(APPID, f"o-{number}") for number in (0, 1, 3, 4, 5)] + [(OTHER_APPID, "o-0")]
        holding = [stored(store, openid, appid) for appid, openid in users]
        rows = all_sealed(store, limit=2)
        assert rows == sorted(
            (SealedRow(one.id, one.appid, one.openid, one.tokens) for one in holding), key=lambda row: row.id
        )
        assert store.sealed_page(rows[-1].id, 2) == []

    def test_resealing_changes_nothing_but_the_tokens(self, store: TokenStore) -> None:
        """It is not an event of the authorization."""
        skip_without(store, Capability.RESEALING)
        store.save([a_grant("o-1", next_refresh_at=NOW), a_grant("o-2")])
        before = stored(store, "o-1")
        first, second = all_sealed(store)
        assert store.reseal([Resealing(first, NEW_TOKENS)]) == [True]
        assert stored(store, "o-1") == replace(before, tokens=NEW_TOKENS)
        assert stored(store, "o-2").tokens == second.tokens
        assert store.reseal([]) == []

    def test_resealing_never_replaces_tokens_that_are_newer(self, store: TokenStore) -> None:
        """Neither those of a refresh, nor those of an exchange; nor do revoked and erased ones come back."""
        skip_without(store, Capability.RESEALING)
        users = ["o-1", "o-2", "o-3", "o-4", "o-5"]
        store.save([a_grant(openid) for openid in users])
        rows = all_sealed(store)
        lease = store.claim(APPID, "o-1", "first", LONG_TTL)
        assert lease is not None
        store.settle([refreshed(lease)])
        store.save([a_grant("o-2", at=NOW + 100)])
        store.revoke(APPID, "o-3")
        store.erase(APPID, "o-4")
        after = [store.get(APPID, openid) for openid in users[:4]]
        resealed = SealedTokens(b"access, another key", b"refresh, another key")
        assert store.reseal([Resealing(row, resealed) for row in rows]) == [False] * 4 + [True]
        assert [store.get(APPID, openid) for openid in users[:4]] == after
        assert stored(store, "o-5").tokens == resealed

    def test_refresh_under_way_settles_after_a_resealing(self, store: TokenStore) -> None:
        """Rotating keys must not cost anybody a refreshed token."""
        skip_without(store, Capability.RESEALING)
        store.save([a_grant()])
        lease = claimed(store)
        (row,) = all_sealed(store)
        assert store.reseal([Resealing(row, SealedTokens(b"a", b"r"))]) == [True]
        assert store.claim(APPID, USER, "second", LONG_TTL) is None
        assert store.settle([refreshed(lease)]) == [True]
        assert stored(store).tokens == NEW_TOKENS

    def test_of_many_resealings_at_once_one_is_written(self, store: TokenStore) -> None:
        """Each is fenced by what it read."""
        skip_without(store, Capability.RESEALING)
        store.save([a_grant()])
        (row,) = all_sealed(store)
        sealed = [SealedTokens(f"access {number}".encode(), b"refresh") for number in range(THREADS)]
        written = at_once(lambda number: store.reseal([Resealing(row, sealed[number])]))
        assert Counter(done for (done,) in written) == {True: 1, False: THREADS - 1}
        assert stored(store).tokens == sealed[written.index([True])]
