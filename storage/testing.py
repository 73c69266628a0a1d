"""`TokenStoreContract`: the tests that every token store passes, ours and third parties'.

Subclass it in a pytest module and give it the fixture `store`::

    from storage.testing import TokenStoreContract


    class TestMyStore(TokenStoreContract):
        @pytest.fixture
        def store(self, tmp_path):
            store = MyStore.open(f"my://{tmp_path}")
            yield store
            store.close()

Each test gets an empty store. What the store's `capabilities` leave out is skipped. A store whose clock can be moved
overrides `let_pass`; any other is waited for, a few seconds in all.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from typing import Any, TypeVar

import pytest

from storage.errors import InvalidRecord
from storage.records import (
    Activity,
    ActivityKind,
    Authorization,
    AuthorizedUser,
    Grant,
    Lease,
    Outcome,
    Profile,
    RedeemedCode,
    Refreshed,
    Resealing,
    SchemaState,
    SealedRow,
    SealedTokens,
    SortKey,
    Status,
    Use,
    UserQuery,
)
from storage.store import API_VERSION, Capability, TokenStore

__all__ = ["TokenStoreContract", "a_grant"]

Result = TypeVar("Result")

APPID = "wx0123456789abcdef"
OTHER_APPID = "wxfedcba9876543210"
USER = "o-user"
#: A moment at the start of an hour.
NOW = 1_800_000_000
HOUR = 3600
BASE = "snsapi_base"
WIDE = "snsapi_userinfo"
NEW_TOKENS = SealedTokens(b"access, refreshed", b"refresh, refreshed")
#: A lease whose end a test waits for, a lease that outlasts every test, and how long a test waits at most.
SHORT_TTL = 1
LONG_TTL = 600
PATIENCE_SECONDS = 15
THREADS = 8


def a_grant(openid: str = USER, *, appid: str = APPID, at: int = NOW, **changed: Any) -> Grant:
    """Return the grant of an exchange at a time, with tokens of its own."""
    values: dict[str, Any] = {
        "appid": appid,
        "openid": openid,
        "scope": BASE,
        "tokens": SealedTokens(f"access {openid} {at}".encode(), f"refresh {openid} {at}".encode()),
        "authorized_at": at,
        "expires_at": at + 7200,
        "refresh_expires_at": at + 30 * 86400,
    }
    return Grant(**{**values, **changed})


def _refreshed(lease: Lease, **changed: Any) -> Refreshed:
    values: dict[str, Any] = {
        "scope": lease.authorization.scope,
        "refreshed_at": NOW + 7200,
        "expires_at": NOW + 14400,
        "refresh_expires_at": lease.authorization.refresh_expires_at,
        "next_refresh_at": NOW + 14000,
    }
    return lease.refreshed(NEW_TOKENS, **{**values, **changed})


def _stored(store: TokenStore, openid: str = USER, appid: str = APPID) -> Authorization:
    found = store.get(appid, openid)
    assert found is not None
    return found


def _claimed(store: TokenStore, owner: str = "first", ttl: int = LONG_TTL) -> Lease:
    lease = store.claim(APPID, USER, owner, ttl)
    assert lease is not None
    return lease


def _at_once(work: Callable[[int], Result]) -> list[Result]:
    """Run the same work in several threads; each is given its number."""
    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(work, range(THREADS)))


def _all_pages(store: TokenStore, **query: Any) -> list[AuthorizedUser]:
    users: list[AuthorizedUser] = []
    after: tuple[int, int] | None = None
    while True:
        page = store.page(UserQuery(**query, after=after))
        users += page.users
        if page.next_cursor is None:
            return users
        after = page.next_cursor


def _all_sealed(store: TokenStore, limit: int = 500) -> list[SealedRow]:
    rows: list[SealedRow] = []
    while page := store.sealed_page(rows[-1].id if rows else 0, limit):
        rows += page
    return rows


def _skip_without(store: TokenStore, capability: Capability) -> None:
    if capability not in store.capabilities:
        pytest.skip(f"the store leaves out {capability.value}")


class TokenStoreContract:
    """The promises of `storage.store.TokenStore`."""

    @pytest.fixture
    def store(self) -> Iterator[TokenStore]:
        """Give an empty store, its tables made. Override it."""
        raise NotImplementedError("give the class a fixture `store`")

    def let_pass(self, seconds: float) -> None:
        """Let the store's clock go on. Override it where the clock can be moved."""
        time.sleep(seconds)

    def claimed_when_free(self, store: TokenStore, owner: str) -> Lease:
        """Return a lease of the user as soon as an earlier one has ended."""
        waited = 0.0
        while waited < PATIENCE_SECONDS:
            lease = store.claim(APPID, USER, owner, LONG_TTL)
            if lease is not None:
                return lease
            self.let_pass(0.1)
            waited += 0.1
        pytest.fail("the lease did not end")

    # What it is

    def test_speaks_this_version_of_the_contract(self, store: TokenStore) -> None:
        """The major version is what a registry compares."""
        assert store.api_version[0] == API_VERSION[0]

    def test_schema_is_current(self, store: TokenStore) -> None:
        """The fixture's store is ready for use."""
        assert store.check_schema().state is SchemaState.CURRENT

    def test_closing_twice_is_harmless(self, store: TokenStore) -> None:
        """Shutting down may happen on more than one path."""
        store.close()
        store.close()

    # save, get

    def test_unknown_user_is_none(self, store: TokenStore) -> None:
        """Neither another openid nor another appid finds a user."""
        store.save([a_grant()])
        assert store.get(APPID, "o-other") is None
        assert store.get(OTHER_APPID, USER) is None

    def test_grant_comes_back_as_it_was_given(self, store: TokenStore) -> None:
        """Every value of a grant is kept."""
        store.save([a_grant(scope=WIDE, unionid="u-1", is_snapshotuser=True, next_refresh_at=NOW + 6000)])
        found = _stored(store)
        assert found == Authorization(
            id=found.id,
            appid=APPID,
            openid=USER,
            scope=WIDE,
            status=Status.ACTIVE,
            version=found.version,
            expires_at=NOW + 7200,
            refresh_expires_at=NOW + 30 * 86400,
            first_authorized_at=NOW,
            authorized_at=NOW,
            last_used_at=NOW,
            next_refresh_at=NOW + 6000,
            unionid="u-1",
            is_snapshotuser=True,
            tokens=SealedTokens(b"access o-user 1800000000", b"refresh o-user 1800000000"),
        )

    def test_missing_unionid_stays_missing(self, store: TokenStore) -> None:
        """WeChat gives a unionid only to accounts bound to an Open Platform."""
        store.save([a_grant(unionid=None)])
        assert _stored(store).unionid is None

    def test_long_binary_tokens_are_kept_whole(self, store: TokenStore) -> None:
        """WeChat gives no maximum for a token, and a sealed one is any bytes."""
        tokens = SealedTokens(bytes(range(256)) * 8, bytes(reversed(range(256))) * 8)
        store.save([a_grant(tokens=tokens)])
        assert _stored(store).tokens == tokens

    def test_openids_are_told_apart_by_case(self, store: TokenStore) -> None:
        """An openid is a random word; upper and lower case are different users."""
        store.save([a_grant("oABC"), a_grant("oabc")])
        assert _stored(store, "oABC").id != _stored(store, "oabc").id

    def test_same_openid_of_two_appids_is_two_users(self, store: TokenStore) -> None:
        """The pair of appid and openid is what counts."""
        store.save([a_grant(), a_grant(appid=OTHER_APPID)])
        assert _stored(store).id != _stored(store, appid=OTHER_APPID).id

    def test_ids_rise_and_never_come_back(self, store: TokenStore) -> None:
        """An erased user's id must not lead to another user."""
        store.save([a_grant("o-1")])
        store.save([a_grant("o-2")])
        first, second = _stored(store, "o-1").id, _stored(store, "o-2").id
        store.erase(APPID, "o-2")
        store.save([a_grant("o-3")])
        assert first < second < _stored(store, "o-3").id

    def test_saving_nothing_is_harmless(self, store: TokenStore) -> None:
        """An empty batch is no error."""
        store.save([])
        assert store.settle([]) == []
        store.touch([])

    def test_new_grant_replaces_the_old_one(self, store: TokenStore) -> None:
        """Tokens, times, status and failures are the new grant's; what the user is known by stays."""
        store.save([a_grant(scope=WIDE, unionid="u-1", next_refresh_at=NOW + 6000)])
        before = _stored(store)
        store.settle([_claimed(store).rejected(error_code=42002, error_kind="reauthorize", at=NOW + 10)])
        store.save([a_grant(at=NOW + 100, scope=WIDE, next_refresh_at=NOW + 6100)])
        after = _stored(store)
        assert after.tokens == SealedTokens(b"access o-user 1800000100", b"refresh o-user 1800000100")
        assert (after.status, after.refresh_failures, after.last_error_code) == (Status.ACTIVE, 0, None)
        assert (after.expires_at, after.next_refresh_at) == (NOW + 7300, NOW + 6100)
        assert (after.id, after.first_authorized_at, after.authorized_at) == (before.id, NOW, NOW + 100)
        assert after.unionid == "u-1"
        assert after.version > before.version

    def test_grants_of_one_user_in_a_call_count_in_their_order(self, store: TokenStore) -> None:
        """The last of them wins, whatever its time."""
        store.save([a_grant(at=NOW + 1), a_grant("o-other"), a_grant(at=NOW + 2), a_grant(at=NOW)])
        assert _stored(store).tokens.access_token == b"access o-user 1800000000"

    def test_save_stores_all_or_nothing(self, store: TokenStore) -> None:
        """One record that cannot be stored keeps all of its batch out."""
        store.save([a_grant("o-1")])
        with pytest.raises(InvalidRecord):
            store.save([a_grant("o-1", at=NOW + 5), a_grant("o-2"), a_grant("o-3", expires_at=2**63)])
        assert _stored(store, "o-1").authorized_at == NOW
        assert store.get(APPID, "o-2") is None
        assert store.get(APPID, "o-3") is None

    def test_refusal_does_not_tell_the_record(self, store: TokenStore) -> None:
        """An error may be logged; tokens and openids may not."""
        with pytest.raises(InvalidRecord) as refusal:
            store.save([a_grant("o-private", expires_at=2**63)])
        error: BaseException | None = refusal.value
        while error is not None:
            assert "o-private" not in f"{error} {error!r}"
            error = error.__context__

    def test_many_threads_may_save_the_same_user(self, store: TokenStore) -> None:
        """Each grant raises the version; none is lost."""
        store.save([a_grant()])
        before = _stored(store).version
        _at_once(lambda number: store.save([a_grant(at=NOW + number)]))
        assert _stored(store).version == before + THREADS

    # The scope rule

    def test_narrow_grant_leaves_a_live_wide_one_in_place(self, store: TokenStore) -> None:
        """A silent exchange must not take the profile away; it still shows that the user was here."""
        store.save([a_grant(scope=WIDE, next_refresh_at=NOW + 6000)])
        before = _stored(store)
        store.save([a_grant(at=NOW + 100, next_refresh_at=NOW + 6100)])
        after = _stored(store)
        assert (after.scope, after.tokens, after.expires_at) == (WIDE, before.tokens, before.expires_at)
        assert (after.next_refresh_at, after.version) == (NOW + 6000, before.version)
        assert (after.authorized_at, after.last_used_at) == (NOW + 100, NOW + 100)

    def test_wide_scope_is_found_in_a_list_of_scopes(self, store: TokenStore) -> None:
        """WeChat's scope is a comma separated list."""
        store.save([a_grant(scope=f"{BASE},{WIDE}")])
        store.save([a_grant(at=NOW + 100)])
        assert _stored(store).scope == f"{BASE},{WIDE}"

    def test_a_scope_that_only_resembles_the_wide_one_is_narrow(self, store: TokenStore) -> None:
        """`snsapi_userinfo` must be one of the list's words."""
        store.save([a_grant(scope="snsapi-userinfo")])
        store.save([a_grant(at=NOW + 100)])
        assert _stored(store).scope == BASE

    def test_narrow_grant_replaces_a_wide_one_whose_refresh_token_has_ended(self, store: TokenStore) -> None:
        """What can give no token any more is worth nothing."""
        store.save([a_grant(scope=WIDE, refresh_expires_at=NOW + 100)])
        store.save([a_grant(at=NOW + 100)])
        assert (_stored(store).scope, _stored(store).expires_at) == (BASE, NOW + 7300)

    def test_narrow_grant_replaces_a_wide_one_that_is_rejected(self, store: TokenStore) -> None:
        """The replacing grant takes everything, though parts of it decide whether it may."""
        store.save([a_grant(scope=WIDE)])
        store.settle([_claimed(store).rejected(error_code=42002, error_kind="reauthorize", at=NOW + 10)])
        store.save([a_grant(at=NOW + 100)])
        after = _stored(store)
        assert (after.scope, after.status, after.refresh_failures) == (BASE, Status.ACTIVE, 0)
        assert after.tokens.access_token == b"access o-user 1800000100"

    def test_wide_grant_replaces_a_narrow_one(self, store: TokenStore) -> None:
        """More is always taken."""
        store.save([a_grant()])
        store.save([a_grant(at=NOW + 100, scope=WIDE, unionid="u-1")])
        after = _stored(store)
        assert (after.scope, after.unionid) == (WIDE, "u-1")
        assert after.tokens.access_token == b"access o-user 1800000100"

    def test_scope_rule_holds_within_a_call(self, store: TokenStore) -> None:
        """A narrow grant right after a wide one, in one batch, leaves it in place too."""
        store.save([a_grant(scope=WIDE), a_grant(at=NOW + 1)])
        assert (_stored(store).scope, _stored(store).authorized_at) == (WIDE, NOW + 1)

    # The code

    def test_code_is_found_by_its_digest(self, store: TokenStore) -> None:
        """A repeated post is answered from what the code gave."""
        store.save([a_grant(code_digest=b"d" * 32, code_binding=b"b" * 32, unionid="u-1", is_snapshotuser=True)])
        assert store.find_by_code(b"d" * 32, NOW) == RedeemedCode(APPID, USER, BASE, True, "u-1", b"b" * 32, NOW)
        assert store.find_by_code(b"x" * 32, NOW) is None

    def test_code_is_not_found_when_it_is_older(self, store: TokenStore) -> None:
        """The time bound is inclusive."""
        store.save([a_grant(code_digest=b"d" * 32)])
        assert store.find_by_code(b"d" * 32, NOW) is not None
        assert store.find_by_code(b"d" * 32, NOW + 1) is None

    def test_code_keeps_its_own_scope(self, store: TokenStore) -> None:
        """Of a code that left a wider authorization in place, the narrow scope is answered."""
        store.save([a_grant(scope=WIDE, code_digest=b"1" * 32)])
        store.save([a_grant(at=NOW + 100, code_digest=b"2" * 32)])
        found = store.find_by_code(b"2" * 32, NOW + 100)
        assert found is not None
        assert (found.scope, found.authorized_at) == (BASE, NOW + 100)
        assert _stored(store).scope == WIDE

    # claim

    def test_claim_raises_the_version_and_gives_what_is_stored(self, store: TokenStore) -> None:
        """The lease holds the row as it is now."""
        store.save([a_grant()])
        before = _stored(store)
        lease = _claimed(store)
        assert lease.authorization == _stored(store)
        assert lease.authorization.version == before.version + 1
        assert lease.owner == "first"

    def test_claimed_user_cannot_be_claimed_again(self, store: TokenStore) -> None:
        """Not by another owner, nor by the same."""
        store.save([a_grant()])
        _claimed(store)
        assert store.claim(APPID, USER, "second", LONG_TTL) is None
        assert store.claim(APPID, USER, "first", LONG_TTL) is None

    def test_of_many_claims_at_once_one_succeeds(self, store: TokenStore) -> None:
        """Two refreshes of one token at a time are what a lease is there to prevent."""
        store.save([a_grant()])
        leases = _at_once(lambda number: store.claim(APPID, USER, f"owner-{number}", LONG_TTL))
        assert len([lease for lease in leases if lease is not None]) == 1

    def test_only_active_users_can_be_claimed(self, store: TokenStore) -> None:
        """What is unknown, rejected or revoked has nothing to refresh."""
        assert store.claim(APPID, USER, "first", LONG_TTL) is None
        store.save([a_grant()])
        store.settle([_claimed(store).rejected(error_code=42002, error_kind="reauthorize", at=NOW)])
        assert store.claim(APPID, USER, "first", LONG_TTL) is None
        store.revoke(APPID, USER)
        assert store.claim(APPID, USER, "first", LONG_TTL) is None

    def test_lease_ends_by_itself(self, store: TokenStore) -> None:
        """A process that died must not hold a user for good."""
        store.save([a_grant()])
        first = _claimed(store, ttl=SHORT_TTL)
        second = self.claimed_when_free(store, "second")
        assert second.authorization.version == first.authorization.version + 1

    # settle

    def test_refreshed_tokens_are_stored_and_failures_cleared(self, store: TokenStore) -> None:
        """A success is all that is left of earlier failures."""
        store.save([a_grant()])
        failed = _claimed(store).failed(error_code=-1, error_kind="retry", at=NOW + 1, next_refresh_at=NOW + 2)
        store.settle([failed])
        assert store.settle([_refreshed(_claimed(store), scope=WIDE, refresh_expires_at=NOW + 99)]) == [True]
        after = _stored(store)
        assert (after.tokens, after.scope, after.refreshed_at) == (NEW_TOKENS, WIDE, NOW + 7200)
        assert (after.expires_at, after.refresh_expires_at) == (NOW + 14400, NOW + 99)
        assert after.next_refresh_at == NOW + 14000
        assert (after.refresh_failures, after.last_error_code, after.last_error_kind) == (0, None, None)
        assert after.last_error_at is None

    def test_failure_is_counted_and_put_off(self, store: TokenStore) -> None:
        """The tokens stay, and the lease ends."""
        store.save([a_grant()])
        for number in (1, 2):
            lease = _claimed(store)
            outcome = lease.failed(error_code=-1, error_kind="retry", at=NOW + number, next_refresh_at=NOW + 50)
            assert store.settle([outcome]) == [True]
        after = _stored(store)
        assert (after.refresh_failures, after.last_error_code, after.last_error_kind) == (2, -1, "retry")
        assert (after.last_error_at, after.next_refresh_at) == (NOW + 2, NOW + 50)
        assert (after.status, after.tokens) == (Status.ACTIVE, a_grant().tokens)

    def test_failure_without_an_errcode_is_stored(self, store: TokenStore) -> None:
        """A fault of the network has no number."""
        store.save([a_grant()])
        store.settle([_claimed(store).failed(error_code=None, error_kind="retry", at=NOW, next_refresh_at=None)])
        after = _stored(store)
        assert (after.last_error_code, after.last_error_kind, after.next_refresh_at) == (None, "retry", None)

    def test_rejection_marks_the_user(self, store: TokenStore) -> None:
        """Only the user can mend it, so nothing is scheduled any more."""
        store.save([a_grant(next_refresh_at=NOW)])
        assert store.settle([_claimed(store).rejected(error_code=42002, error_kind="reauthorize", at=NOW)]) == [True]
        after = _stored(store)
        assert (after.status, after.last_error_code) == (Status.NEEDS_REAUTHORIZATION, 42002)
        assert after.next_refresh_at is None

    def test_released_lease_is_free_again_and_nothing_else_changed(self, store: TokenStore) -> None:
        """Giving a lease back needs no waiting for its end."""
        store.save([a_grant(next_refresh_at=NOW)])
        lease = _claimed(store)
        assert store.settle([lease.released()]) == [True]
        assert _stored(store) == lease.authorization
        assert store.claim(APPID, USER, "second", LONG_TTL) is not None

    def test_deferring_moves_the_schedule_alone(self, store: TokenStore) -> None:
        """A refresh that was not tried is no failure."""
        store.save([a_grant(next_refresh_at=NOW)])
        assert store.settle([_claimed(store).deferred(next_refresh_at=NOW + 77)]) == [True]
        assert (_stored(store).next_refresh_at, _stored(store).refresh_failures) == (NOW + 77, 0)
        assert store.settle([_claimed(store).deferred(next_refresh_at=None)]) == [True]
        assert _stored(store).next_refresh_at is None

    def test_lease_can_be_settled_once(self, store: TokenStore) -> None:
        """Neither a second call nor a second outcome in one call is written."""
        store.save([a_grant()])
        lease = _claimed(store)
        late = lease.failed(error_code=-1, error_kind="retry", at=NOW, next_refresh_at=None)
        assert store.settle([_refreshed(lease), late]) == [True, False]
        assert store.settle([late]) == [False]
        assert (_stored(store).tokens, _stored(store).refresh_failures) == (NEW_TOKENS, 0)

    def test_late_outcome_is_written_while_nobody_else_came(self, store: TokenStore) -> None:
        """New tokens are worth more than a lease's punctuality."""
        store.save([a_grant()])
        lease = _claimed(store, ttl=SHORT_TTL)
        self.let_pass(SHORT_TTL + 1.1)
        assert store.settle([_refreshed(lease)]) == [True]

    def test_late_outcome_is_refused_after_another_claim(self, store: TokenStore) -> None:
        """The one who came later is the one who may write, even under the same name."""
        store.save([a_grant()])
        late = _claimed(store, ttl=SHORT_TTL)
        current = self.claimed_when_free(store, "first")
        assert store.settle([_refreshed(late)]) == [False]
        assert store.settle([_refreshed(current)]) == [True]

    def test_outcome_of_a_foreign_owner_is_refused(self, store: TokenStore) -> None:
        """Version and owner must both match."""
        store.save([a_grant()])
        lease = _claimed(store)
        assert store.settle([_refreshed(Lease(lease.authorization, "second"))]) == [False]
        assert _stored(store).tokens == a_grant().tokens

    def test_new_exchange_wins_over_a_refresh_under_way(self, store: TokenStore) -> None:
        """The user's own authorization is newer than anything a refresh brings, and ends the lease."""
        store.save([a_grant()])
        lease = _claimed(store)
        store.save([a_grant(at=NOW + 100)])
        assert store.settle([_refreshed(lease)]) == [False]
        assert _stored(store).tokens.access_token == b"access o-user 1800000100"
        assert store.claim(APPID, USER, "second", LONG_TTL) is not None

    def test_narrow_exchange_does_not_disturb_the_refresh_of_a_wide_one(self, store: TokenStore) -> None:
        """The tokens under refresh are still those that count."""
        store.save([a_grant(scope=WIDE)])
        lease = _claimed(store)
        store.save([a_grant(at=NOW + 100)])
        assert store.claim(APPID, USER, "second", LONG_TTL) is None
        assert store.settle([_refreshed(lease)]) == [True]

    def test_revocation_wins_over_a_refresh_under_way(self, store: TokenStore) -> None:
        """Tokens of a revoked user must not come back."""
        store.save([a_grant()])
        lease = _claimed(store)
        assert store.revoke(APPID, USER) is True
        assert store.settle([_refreshed(lease)]) == [False]
        assert _stored(store).tokens == SealedTokens(b"", b"")

    def test_erasure_wins_over_a_refresh_under_way(self, store: TokenStore) -> None:
        """Nothing brings an erased user back, and a user who returns is somebody new."""
        store.save([a_grant()])
        lease = _claimed(store)
        assert store.erase(APPID, USER) is True
        assert store.settle([_refreshed(lease)]) == [False]
        assert store.get(APPID, USER) is None
        store.save([a_grant(at=NOW + 100)])
        _claimed(store)
        assert store.settle([_refreshed(lease)]) == [False]

    def test_batch_settles_each_by_itself(self, store: TokenStore) -> None:
        """The answers stand in the order of the outcomes."""
        users = ["o-1", "o-2", "o-3", "o-4"]
        store.save([a_grant(openid) for openid in users])
        leases = [store.claim(APPID, openid, "first", LONG_TTL) for openid in users]
        first, second, third, fourth = (lease for lease in leases if lease is not None)
        store.erase(APPID, "o-2")
        outcomes: list[Outcome] = [
            _refreshed(fourth),
            _refreshed(second),
            first.rejected(error_code=42002, error_kind="reauthorize", at=NOW),
            third.released(),
        ]
        assert store.settle(outcomes) == [True, False, True, True]
        assert _stored(store, "o-1").status is Status.NEEDS_REAUTHORIZATION
        assert _stored(store, "o-4").tokens == NEW_TOKENS

    def test_settle_stores_all_or_nothing(self, store: TokenStore) -> None:
        """One outcome that cannot be stored keeps all of its batch out."""
        store.save([a_grant("o-1"), a_grant("o-2")])
        leases = [store.claim(APPID, openid, "first", LONG_TTL) for openid in ("o-1", "o-2")]
        good, bad = (lease for lease in leases if lease is not None)
        with pytest.raises(InvalidRecord):
            store.settle([_refreshed(good), _refreshed(bad, expires_at=2**63)])
        assert _stored(store, "o-1").tokens == a_grant("o-1").tokens
        assert store.settle([_refreshed(good)]) == [True]

    # claim_due

    def test_due_users_are_claimed_longest_due_first(self, store: TokenStore) -> None:
        """No more than asked for, and of one account only."""
        _skip_without(store, Capability.SCHEDULING)
        due = {"o-1": NOW + 30, "o-2": NOW + 10, "o-3": NOW + 20, "o-4": NOW + 31, "o-5": None}
        store.save([a_grant(openid, next_refresh_at=at) for openid, at in due.items()])
        store.save([a_grant("o-6", appid=OTHER_APPID, next_refresh_at=NOW)])
        first = store.claim_due(APPID, "first", 2, LONG_TTL, NOW + 30)
        assert [lease.authorization.openid for lease in first] == ["o-2", "o-3"]
        second = store.claim_due(APPID, "second", 10, LONG_TTL, NOW + 30)
        assert [lease.authorization.openid for lease in second] == ["o-1"]
        assert store.claim_due(APPID, "third", 10, LONG_TTL, NOW + 30) == []

    def test_due_claim_is_a_claim_like_any_other(self, store: TokenStore) -> None:
        """It raises the version, keeps others out, and can be settled."""
        _skip_without(store, Capability.SCHEDULING)
        store.save([a_grant(next_refresh_at=NOW)])
        before = _stored(store)
        (lease,) = store.claim_due(APPID, "first", 10, LONG_TTL, NOW)
        assert lease == Lease(_stored(store), "first")
        assert lease.authorization.version == before.version + 1
        assert store.claim(APPID, USER, "second", LONG_TTL) is None
        assert store.settle([_refreshed(lease)]) == [True]

    def test_only_active_users_are_due(self, store: TokenStore) -> None:
        """Rejected and revoked users are never refreshed."""
        _skip_without(store, Capability.SCHEDULING)
        store.save([a_grant(next_refresh_at=NOW), a_grant("o-2", next_refresh_at=NOW)])
        store.settle([_claimed(store).rejected(error_code=42002, error_kind="reauthorize", at=NOW)])
        store.revoke(APPID, "o-2")
        assert store.claim_due(APPID, "first", 10, LONG_TTL, NOW + HOUR) == []

    def test_due_users_are_claimed_again_when_their_lease_ended(self, store: TokenStore) -> None:
        """Work of a process that died is taken up."""
        _skip_without(store, Capability.SCHEDULING)
        store.save([a_grant(next_refresh_at=NOW)])
        assert len(store.claim_due(APPID, "first", 1, SHORT_TTL, NOW)) == 1
        self.let_pass(SHORT_TTL + 1.1)
        assert len(store.claim_due(APPID, "second", 1, LONG_TTL, NOW)) == 1

    def test_many_threads_claim_each_due_user_once(self, store: TokenStore) -> None:
        """All are claimed, none twice."""
        _skip_without(store, Capability.SCHEDULING)
        users = [f"o-{number:03}" for number in range(200)]
        store.save([a_grant(openid, next_refresh_at=NOW) for openid in users])

        def claim_until_none_is_left(number: int) -> list[str]:
            claimed: list[str] = []
            while leases := store.claim_due(APPID, f"owner-{number}", 7, LONG_TTL, NOW):
                claimed += (lease.authorization.openid for lease in leases)
            return claimed

        claimed = Counter(openid for batch in _at_once(claim_until_none_is_left) for openid in batch)
        # Who meets rows that others are about to lease may find none for a moment, and stop early.
        claimed.update(claim_until_none_is_left(THREADS))
        assert claimed == Counter(users)

    # touch

    def test_last_use_never_moves_back(self, store: TokenStore) -> None:
        """Notes of uses may arrive late and out of order."""
        store.save([a_grant()])
        store.touch([Use(APPID, USER, NOW + 50, None), Use(APPID, USER, NOW + 20, None)])
        assert _stored(store).last_used_at == NOW + 50
        store.touch([Use(APPID, USER, NOW - 1, None)])
        assert _stored(store).last_used_at == NOW + 50

    def test_use_sets_a_schedule_only_where_none_is(self, store: TokenStore) -> None:
        """A user who comes back is kept warm again; a schedule there is stays."""
        store.save([a_grant("o-1"), a_grant("o-2", next_refresh_at=NOW + 10)])
        store.touch([Use(APPID, "o-1", NOW, NOW + 99), Use(APPID, "o-2", NOW, NOW + 99)])
        assert _stored(store, "o-1").next_refresh_at == NOW + 99
        assert _stored(store, "o-2").next_refresh_at == NOW + 10

    def test_use_of_a_user_that_is_not_active_schedules_nothing(self, store: TokenStore) -> None:
        """Nor does the use of an unknown one."""
        store.save([a_grant()])
        store.revoke(APPID, USER)
        store.touch([Use(APPID, USER, NOW + 5, NOW + 99), Use(APPID, "o-unknown", NOW, NOW)])
        assert _stored(store).next_refresh_at is None
        assert store.get(APPID, "o-unknown") is None

    # save_profile

    def test_profile_keeps_every_character(self, store: TokenStore) -> None:
        """Names hold Chinese and emoji, beyond the first plane of Unicode."""
        _skip_without(store, Capability.PROFILES)
        store.save([a_grant()])
        name = "某某😀 𠮷 'quoted\" %s \\"
        assert store.save_profile(Profile(APPID, USER, name, "https://thirdwx.qlogo.cn/mmopen/1/132", NOW, "u-1"))
        after = _stored(store)
        assert (after.nickname, after.avatar_url) == (name, "https://thirdwx.qlogo.cn/mmopen/1/132")
        assert (after.profile_at, after.unionid) == (NOW, "u-1")

    def test_profile_without_unionid_keeps_the_known_one(self, store: TokenStore) -> None:
        """An avatar may be empty; a unionid is not forgotten."""
        _skip_without(store, Capability.PROFILES)
        store.save([a_grant(unionid="u-1")])
        assert store.save_profile(Profile(APPID, USER, "", "", NOW))
        assert (_stored(store).unionid, _stored(store).avatar_url) == ("u-1", "")

    def test_profile_outlives_a_new_grant(self, store: TokenStore) -> None:
        """A grant says nothing about the user's name."""
        _skip_without(store, Capability.PROFILES)
        store.save([a_grant()])
        store.save_profile(Profile(APPID, USER, "某某", "", NOW))
        store.save([a_grant(at=NOW + 100)])
        assert _stored(store).nickname == "某某"

    def test_profile_of_an_unknown_user_is_refused(self, store: TokenStore) -> None:
        """It makes no row of its own."""
        _skip_without(store, Capability.PROFILES)
        assert store.save_profile(Profile(APPID, USER, "某某", "", NOW)) is False
        assert store.get(APPID, USER) is None

    # page, counts

    @pytest.mark.parametrize("sort", list(SortKey))
    @pytest.mark.parametrize("descending", [True, False])
    def test_pages_list_each_user_once_and_in_order(self, store: TokenStore, sort: SortKey, descending: bool) -> None:
        """Users who authorized in the same second are told apart by their ids."""
        _skip_without(store, Capability.LISTING)
        openids = [f"o-{number}" for number in range(11)]
        store.save([a_grant(openid, at=NOW + number * 7 % 3) for number, openid in enumerate(openids)])
        users = _all_pages(store, sort=sort, descending=descending, limit=2)
        places = [(getattr(user, sort.value), user.id) for user in users]
        assert Counter(user.openid for user in users) == Counter(openids)
        assert places == sorted(places, reverse=descending)

    @pytest.mark.parametrize(("count", "is_last"), [(0, True), (2, True), (3, False)])
    def test_cursor_is_none_on_the_last_page(self, store: TokenStore, count: int, is_last: bool) -> None:
        """A page that is full by chance leads to no empty one."""
        _skip_without(store, Capability.LISTING)
        store.save([a_grant(f"o-{number}") for number in range(count)])
        page = store.page(UserQuery(limit=2))
        assert len(page.users) == min(count, 2)
        assert (page.next_cursor is None) == is_last

    def test_lists_show_everything_but_tokens(self, store: TokenStore) -> None:
        """A listed user is the authorization without its sealed columns."""
        _skip_without(store, Capability.LISTING)
        store.save([a_grant(unionid="u-1", next_refresh_at=NOW)])
        (user,) = store.page(UserQuery()).users
        stored = _stored(store)
        assert type(user) is AuthorizedUser
        assert user == AuthorizedUser(**{one.name: getattr(stored, one.name) for one in fields(AuthorizedUser)})

    def test_lists_can_be_narrowed(self, store: TokenStore) -> None:
        """Filters hold together, and on every page."""
        _skip_without(store, Capability.LISTING)
        store.save([a_grant(f"o-{number}", unionid=f"u-{number % 2}") for number in range(4)])
        store.save([a_grant("o-0", appid=OTHER_APPID, unionid="u-0")])
        store.revoke(APPID, "o-3")

        def listed(**query: Any) -> set[tuple[str, str]]:
            return {(user.appid, user.openid) for user in _all_pages(store, limit=1, **query)}

        assert listed(appid=OTHER_APPID) == {(OTHER_APPID, "o-0")}
        assert listed(openid="o-0") == {(APPID, "o-0"), (OTHER_APPID, "o-0")}
        assert listed(appid=APPID, unionid="u-1", status=Status.ACTIVE) == {(APPID, "o-1")}
        assert listed(status=Status.REVOKED) == {(APPID, "o-3")}
        assert listed(status=Status.NEEDS_REAUTHORIZATION) == set()

    def test_counts_go_by_appid_and_status(self, store: TokenStore) -> None:
        """What is none is left out."""
        _skip_without(store, Capability.LISTING)
        assert store.counts().by_status == {}
        store.save([a_grant("o-1"), a_grant("o-2"), a_grant("o-1", appid=OTHER_APPID)])
        store.revoke(APPID, "o-2")
        assert store.counts().by_status == {
            (APPID, Status.ACTIVE): 1,
            (APPID, Status.REVOKED): 1,
            (OTHER_APPID, Status.ACTIVE): 1,
        }

    # activity, record

    def test_grants_are_counted_by_the_hour(self, store: TokenStore) -> None:
        """Each grant counts, the second of a user too."""
        _skip_without(store, Capability.ACTIVITY)
        store.save([a_grant(), a_grant(at=NOW + HOUR - 1), a_grant("o-2", at=NOW + HOUR)])
        store.save([a_grant("o-3", at=NOW + 5)])
        assert store.activity(NOW) == [
            Activity(NOW, APPID, ActivityKind.AUTHORIZED, 0, 3),
            Activity(NOW + HOUR, APPID, ActivityKind.AUTHORIZED, 0, 1),
        ]

    def test_written_outcomes_are_counted(self, store: TokenStore) -> None:
        """An outcome that came too late, or nothing that happened, is not."""
        _skip_without(store, Capability.ACTIVITY)
        store.save([a_grant()])
        lease = _claimed(store)
        store.settle([_refreshed(lease)])
        store.settle([_refreshed(lease)])
        store.settle([_claimed(store).released()])
        store.settle([_claimed(store).failed(error_code=None, error_kind="retry", at=NOW, next_refresh_at=None)])
        store.settle([_claimed(store).rejected(error_code=42002, error_kind="reauthorize", at=NOW)])
        assert set(store.activity(NOW)) == {
            Activity(NOW, APPID, ActivityKind.AUTHORIZED, 0, 1),
            Activity(NOW, APPID, ActivityKind.REFRESH_FAILED, 0, 1),
            Activity(NOW, APPID, ActivityKind.REAUTHORIZATION_NEEDED, 42002, 1),
            Activity(NOW + 2 * HOUR, APPID, ActivityKind.REFRESHED, 0, 1),
        }

    def test_refused_grants_are_not_counted(self, store: TokenStore) -> None:
        """A count belongs to the transaction it counts."""
        _skip_without(store, Capability.ACTIVITY)
        with pytest.raises(InvalidRecord):
            store.save([a_grant(), a_grant("o-2", expires_at=2**63)])
        assert store.activity(NOW) == []

    def test_recorded_events_add_up(self, store: TokenStore) -> None:
        """Times within an hour are brought to its start."""
        _skip_without(store, Capability.ACTIVITY)
        failed = ActivityKind.EXCHANGE_FAILED
        store.record([Activity(NOW, APPID, failed, 40163, 2), Activity(NOW + 60, APPID, failed, 40163, 3)])
        store.record([Activity(NOW, APPID, failed, 40163, 1), Activity(NOW, APPID, failed, 40029, 1)])
        assert store.activity(NOW) == [
            Activity(NOW, APPID, failed, 40029, 1),
            Activity(NOW, APPID, failed, 40163, 6),
        ]

    def test_activity_begins_with_the_hour_of_the_time_given(self, store: TokenStore) -> None:
        """Half an hour is not told apart."""
        _skip_without(store, Capability.ACTIVITY)
        store.record([Activity(NOW + hour * HOUR, APPID, ActivityKind.AUTHORIZED, 0, 1) for hour in (0, 1, 2)])
        assert [one.hour for one in store.activity(NOW + HOUR + 1800)] == [NOW + HOUR, NOW + 2 * HOUR]

    # revoke, erase

    def test_revoked_user_has_no_tokens_and_no_code(self, store: TokenStore) -> None:
        """What is shown of the user stays."""
        store.save([a_grant(next_refresh_at=NOW, code_digest=b"d" * 32, unionid="u-1")])
        before = _stored(store)
        assert store.revoke(APPID, USER) is True
        after = _stored(store)
        assert (after.status, after.tokens) == (Status.REVOKED, SealedTokens(b"", b""))
        assert (after.next_refresh_at, after.unionid) == (None, "u-1")
        assert after.version > before.version
        assert store.find_by_code(b"d" * 32, NOW) is None

    def test_revoked_user_may_authorize_again(self, store: TokenStore) -> None:
        """A narrower grant opens the authorization too, for nothing of the wide one is alive."""
        store.save([a_grant(scope=WIDE)])
        store.revoke(APPID, USER)
        store.save([a_grant(at=NOW + 100)])
        after = _stored(store)
        assert (after.status, after.scope) == (Status.ACTIVE, BASE)
        assert after.tokens.access_token == b"access o-user 1800000100"

    def test_erased_user_is_gone(self, store: TokenStore) -> None:
        """Neither the pair nor the code finds anything, and other users stay."""
        store.save([a_grant(code_digest=b"d" * 32), a_grant("o-2")])
        assert store.erase(APPID, USER) is True
        assert store.get(APPID, USER) is None
        assert store.find_by_code(b"d" * 32, NOW) is None
        assert store.get(APPID, "o-2") is not None

    def test_unknown_user_can_be_neither_revoked_nor_erased(self, store: TokenStore) -> None:
        """The answer tells."""
        assert store.revoke(APPID, USER) is False
        assert store.erase(APPID, USER) is False

    # sealed_page, reseal

    def test_sealed_pages_give_every_user_that_holds_tokens(self, store: TokenStore) -> None:
        """By rising id, of all accounts; who is rejected still holds tokens, who is revoked does not."""
        _skip_without(store, Capability.RESEALING)
        store.save([a_grant(f"o-{number}") for number in range(6)])
        store.save([a_grant("o-0", appid=OTHER_APPID)])
        lease = store.claim(APPID, "o-1", "first", LONG_TTL)
        assert lease is not None
        store.settle([lease.rejected(error_code=42002, error_kind="reauthorize", at=NOW)])
        store.revoke(APPID, "o-2")
        users = [(APPID, f"o-{number}") for number in (0, 1, 3, 4, 5)] + [(OTHER_APPID, "o-0")]
        stored = [_stored(store, openid, appid) for appid, openid in users]
        rows = _all_sealed(store, limit=2)
        assert rows == sorted(
            (SealedRow(one.id, one.appid, one.openid, one.tokens) for one in stored), key=lambda row: row.id
        )
        assert store.sealed_page(rows[-1].id, 2) == []

    def test_resealing_changes_nothing_but_the_tokens(self, store: TokenStore) -> None:
        """It is not an event of the authorization."""
        _skip_without(store, Capability.RESEALING)
        store.save([a_grant("o-1", next_refresh_at=NOW), a_grant("o-2")])
        before = _stored(store, "o-1")
        first, second = _all_sealed(store)
        assert store.reseal([Resealing(first, NEW_TOKENS)]) == [True]
        assert _stored(store, "o-1") == replace(before, tokens=NEW_TOKENS)
        assert _stored(store, "o-2").tokens == second.tokens
        assert store.reseal([]) == []

    def test_resealing_never_replaces_tokens_that_are_newer(self, store: TokenStore) -> None:
        """Neither those of a refresh, nor those of an exchange; nor do revoked and erased ones come back."""
        _skip_without(store, Capability.RESEALING)
        users = ["o-1", "o-2", "o-3", "o-4", "o-5"]
        store.save([a_grant(openid) for openid in users])
        rows = _all_sealed(store)
        lease = store.claim(APPID, "o-1", "first", LONG_TTL)
        assert lease is not None
        store.settle([_refreshed(lease)])
        store.save([a_grant("o-2", at=NOW + 100)])
        store.revoke(APPID, "o-3")
        store.erase(APPID, "o-4")
        after = [store.get(APPID, openid) for openid in users[:4]]
        resealed = SealedTokens(b"access, another key", b"refresh, another key")
        assert store.reseal([Resealing(row, resealed) for row in rows]) == [False] * 4 + [True]
        assert [store.get(APPID, openid) for openid in users[:4]] == after
        assert _stored(store, "o-5").tokens == resealed

    def test_refresh_under_way_settles_after_a_resealing(self, store: TokenStore) -> None:
        """Rotating keys must not cost anybody a refreshed token."""
        _skip_without(store, Capability.RESEALING)
        store.save([a_grant()])
        lease = _claimed(store)
        (row,) = _all_sealed(store)
        assert store.reseal([Resealing(row, SealedTokens(b"a", b"r"))]) == [True]
        assert store.claim(APPID, USER, "second", LONG_TTL) is None
        assert store.settle([_refreshed(lease)]) == [True]
        assert _stored(store).tokens == NEW_TOKENS

    def test_of_many_resealings_at_once_one_is_written(self, store: TokenStore) -> None:
        """Each is fenced by what it read."""
        _skip_without(store, Capability.RESEALING)
        store.save([a_grant()])
        (row,) = _all_sealed(store)
        sealed = [SealedTokens(f"access {number}".encode(), b"refresh") for number in range(THREADS)]
        written = _at_once(lambda number: store.reseal([Resealing(row, sealed[number])]))
        assert Counter(done for (done,) in written) == {True: 1, False: THREADS - 1}
        assert _stored(store).tokens == sealed[written.index([True])]
