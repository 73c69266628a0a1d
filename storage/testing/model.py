"""Any sequence of calls, on a store and on the one in memory: both must answer the same."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from storage.activity import Activity, ActivityKind
from storage.base.errors import InvalidRecord
from storage.grants import Grant, Resealing, SealedRow, SealedTokens
from storage.leases import Lease, Outcome
from storage.memory import MemoryTokenStore
from storage.store import Capability, TokenStore
from storage.testing.base import Contract
from storage.testing.samples import BASE, HOUR, LONG_TTL, NOW, WIDE, all_pages, all_sealed, search_of
from storage.user_search import SearchField, TextMatch, TimeRange, UserFilter, UserSort
from storage.users import AuthorizedUser, Profile, Status, Use

__all__ = ["ModelContract"]

Result = TypeVar("Result")
Rule = TypeVar("Rule", bound=Callable[..., Any])
#: The same thing of the model and of the store.
Pair = tuple[Any, Any]

TIMES = st.integers(0, 3).map(lambda hours: NOW + hours * HOUR) | st.integers(NOW, NOW + 3 * HOUR)
SCHEDULES = st.none() | TIMES
SCOPES = st.sampled_from([BASE, WIDE, f"{BASE},{WIDE}", f"{BASE},{WIDE},"])
UNIONIDS = st.none() | st.sampled_from(["u-1", "u-2"])
#: Three users, by the number of the account and by openid. One is drawn most, so that much happens to it.
USERS = st.sampled_from([(0, "o-1")] * 6 + [(0, "O-1"), (1, "o-1")])
TOKENS = st.builds(SealedTokens, st.binary(min_size=1, max_size=20), st.binary(min_size=1, max_size=20))
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=10)
RANGES = st.just(TimeRange()) | st.builds(TimeRange, st.none() | TIMES, st.none() | TIMES)
BEYOND_ANY_DATABASE = 2**63

#: Of these a store is asked only for what it supports.
FILTERS = st.builds(
    UserFilter,
    status=st.none() | st.sampled_from(Status),
    scope=st.none() | SCOPES,
    is_snapshotuser=st.none() | st.booleans(),
    last_error_code=st.none() | st.just(42002),
    authorized=RANGES,
    used=RANGES,
    ending=RANGES,
    searched=st.none()
    | st.builds(TextMatch, st.just(SearchField.OPENID), st.sampled_from(["o-1", "O-1", "o"]), st.booleans())
    | st.builds(TextMatch, st.just(SearchField.UNIONID), st.sampled_from(["u-1", "u"]), st.booleans())
    | st.builds(TextMatch, st.just(SearchField.EXTERNAL_ID), st.sampled_from(["m-1", "m"]), st.booleans()),
)
QUERIES = st.fixed_dictionaries(
    {"filter": FILTERS, "sort": st.sampled_from(UserSort), "descending": st.booleans(), "limit": st.integers(1, 2)}
)
GRANTS = st.builds(
    Grant,
    appid=st.just(""),
    openid=st.just(""),
    scope=SCOPES,
    tokens=TOKENS,
    authorized_at=TIMES,
    expires_at=TIMES,
    refresh_expires_at=TIMES | st.just(NOW + 720 * HOUR),
    next_refresh_at=SCHEDULES,
    unionid=UNIONIDS,
    is_snapshotuser=st.booleans(),
    code_binding=st.none() | st.just(b"b" * 32),
)


@dataclass(frozen=True)
class _Ending:
    """How a refresh ends."""

    kind: str
    tokens: SealedTokens
    scope: str
    at: int
    next_refresh_at: int | None
    error_code: int | None

    def of(self, lease: Lease) -> Outcome:
        match self.kind:
            case "refreshed":
                return lease.refreshed(
                    self.tokens,
                    scope=self.scope,
                    refreshed_at=self.at,
                    expires_at=self.at + 7200,
                    refresh_expires_at=self.at + 30 * 86400,
                    next_refresh_at=self.next_refresh_at,
                )
            case "rejected":
                return lease.rejected(error_code=self.error_code, error_kind="reauthorize", at=self.at)
            case "failed":
                return lease.failed(
                    error_code=self.error_code, error_kind="retry", at=self.at, next_refresh_at=self.next_refresh_at
                )
            case "deferred":
                return lease.deferred(next_refresh_at=self.next_refresh_at)
            case _:
                return lease.released()


ENDINGS = st.builds(
    _Ending,
    st.sampled_from(["refreshed", "rejected", "failed", "deferred", "released"]),
    TOKENS,
    SCOPES,
    TIMES,
    SCHEDULES,
    st.none() | st.sampled_from([-1, 42002]),
)


def _where(capability: Capability) -> Callable[[Rule], Rule]:
    """Leave a rule out where the store leaves its methods out."""
    return precondition(lambda machine: capability in machine.store.capabilities)


class _Comparison(RuleBasedStateMachine):
    """Calls both stores alike. Each run has accounts of its own, so that it may find the store filled by others."""

    leases: Bundle[Pair] = Bundle("leases")
    sealed_rows: Bundle[Pair] = Bundle("sealed_rows")

    def __init__(self, store: TokenStore) -> None:
        super().__init__()
        self.store = store
        self.model = MemoryTokenStore()
        run = uuid.uuid4().hex[:15]
        self.appids = [f"wx{run}a", f"wx{run}b"]
        self.digests: list[bytes] = []
        self.ids: dict[int, int] = {}
        self.versions: dict[int, dict[int, int]] = {}

    @rule(drawn=st.lists(st.tuples(USERS, GRANTS, st.booleans()), max_size=3), spoilt=st.integers(0, 29))
    def save(self, drawn: list[tuple[tuple[int, str], Grant, bool]], spoilt: int) -> None:
        # In which order one call makes users who are new is left to the store, so they come sorted.
        grants = [self.grant_of(*one) for one in sorted(drawn, key=lambda one: one[0])]
        if spoilt < len(grants):
            grants[spoilt] = replace(grants[spoilt], expires_at=BEYOND_ANY_DATABASE)
            for store in (self.model, self.store):
                with pytest.raises(InvalidRecord):
                    store.save(grants)
        else:
            self.both(lambda store: store.save(grants))

    @rule(target=leases, user=USERS)
    def claim(self, user: tuple[int, str]) -> Any:
        expected, found = self.both(lambda store: store.claim(*self.named(user), "owner", LONG_TTL))
        if expected is None or found is None:
            assert expected is found
            return multiple()
        self.assert_alike(expected.authorization, found.authorization)
        return expected, found

    @_where(Capability.SCHEDULING)
    @rule(target=leases, account=st.integers(0, 1), limit=st.integers(1, 3), due_at=TIMES)
    def claim_due(self, account: int, limit: int, due_at: int) -> Any:
        appid = self.appids[account]
        # Which of the due are taken is partly the store's choice; the model follows it.
        due = {user.openid for user in all_pages(self.model, filter=UserFilter(appid=appid)) if _is_due(user, due_at)}
        pairs: list[Pair] = []
        for found in self.store.claim_due(appid, "owner", limit, LONG_TTL, due_at):
            assert found.authorization.openid in due
            expected = self.model.claim(appid, found.authorization.openid, "owner", LONG_TTL)
            assert expected is not None, "the store claimed what is leased"
            self.assert_alike(expected.authorization, found.authorization)
            pairs.append((expected, found))
        assert len(pairs) <= limit
        return multiple(*pairs)

    @rule(first=leases, second=leases, endings=st.tuples(ENDINGS, ENDINGS))
    def settle(self, first: Pair, second: Pair, endings: tuple[_Ending, _Ending]) -> None:
        outcomes = [
            [ending.of(pair[side]) for ending, pair in zip(endings, (first, second), strict=True)] for side in (0, 1)
        ]
        assert self.store.settle(outcomes[1]) == self.model.settle(outcomes[0])

    @rule(user=USERS, used_at=TIMES, next_refresh_at=SCHEDULES)
    def touch(self, user: tuple[int, str], used_at: int, next_refresh_at: int | None) -> None:
        self.both(lambda store: store.touch([Use(*self.named(user), used_at, next_refresh_at)]))

    @_where(Capability.PROFILES)
    @rule(user=USERS, nickname=TEXTS, avatar_url=TEXTS, at=TIMES, unionid=UNIONIDS)
    def save_profile(self, user: tuple[int, str], nickname: str, avatar_url: str, at: int, unionid: str | None) -> None:
        profile = Profile(*self.named(user), nickname, avatar_url, at, unionid)
        self.same(lambda store: store.save_profile(profile))

    @_where(Capability.EXTERNAL_IDS)
    @rule(user=USERS, external_id=st.none() | st.sampled_from(["m-1", "m-2"]))
    def set_external_id(self, user: tuple[int, str], external_id: str | None) -> None:
        self.same(lambda store: store.set_external_id(*self.named(user), external_id))

    @rule(user=USERS)
    def revoke(self, user: tuple[int, str]) -> None:
        self.same(lambda store: store.revoke(*self.named(user)))

    @rule(user=USERS, authorized_before=st.none() | TIMES)
    def erase(self, user: tuple[int, str], authorized_before: int | None) -> None:
        self.same(lambda store: store.erase(*self.named(user), authorized_before=authorized_before))

    @_where(Capability.ACTIVITY)
    @rule(account=st.integers(0, 1), at=TIMES, errcode=st.sampled_from([40029, 40163]), count=st.integers(1, 9))
    def record(self, account: int, at: int, errcode: int, count: int) -> None:
        happened = Activity(at, self.appids[account], ActivityKind.EXCHANGE_FAILED, errcode, count)
        self.both(lambda store: store.record([happened]))

    # One rule for all that only reads, so that most steps write.
    @rule(looks=st.data())
    def look(self, looks: st.DataObject) -> None:
        since = looks.draw(TIMES)
        digests = [*self.digests, uuid.uuid4().bytes]
        self.same(lambda store: [store.find_by_code(digest, since) for digest in digests])
        if Capability.ACTIVITY in self.store.capabilities:
            self.same(lambda store: {one for one in store.activity(since) if one.appid in self.appids})
        if Capability.USERS in self.store.capabilities:
            self.same(self.counts_of)
            query = self.supported(looks.draw(QUERIES))
            self.same(lambda store: search_of(store).count(query["filter"], cap=2))
            expected, found = self.both(lambda store: all_pages(store, **query))
            assert len(expected) == len(found)
            for pair in zip(expected, found, strict=True):
                self.assert_alike(*pair)

    @_where(Capability.RESEALING)
    @rule(target=sealed_rows)
    def sealed_page(self) -> Any:
        expected, found = self.both(lambda store: [row for row in all_sealed(store) if row.appid in self.appids])
        assert [replace(row, id=0) for row in found] == [replace(row, id=0) for row in expected]
        return multiple(*zip(expected, found, strict=True))

    @_where(Capability.RESEALING)
    @rule(rows=sealed_rows, tokens=TOKENS)
    def reseal(self, rows: tuple[SealedRow, SealedRow], tokens: SealedTokens) -> None:
        changes = [Resealing(row, tokens, row.fallback and tokens) for row in rows]
        assert self.store.reseal(changes[1:]) == self.model.reseal(changes[:1])

    @invariant()
    def holds_the_same(self) -> None:
        for user in ((0, "o-1"), (0, "O-1"), (1, "o-1")):
            expected, found = (store.get(*self.named(user)) for store in (self.model, self.store))
            if expected is None or found is None:
                assert expected is found
            else:
                self.assert_alike(expected, found)

    def counts_of(self, store: TokenStore) -> dict[tuple[str, Status], int]:
        return {key: count for key, count in store.counts().by_status.items() if key[0] in self.appids}

    def supported(self, query: dict[str, Any]) -> dict[str, Any]:
        """Leave out of a query what the store does not support; ask for the users of an account of this run."""
        search = search_of(self.store)
        wanted = replace(query["filter"], appid=self.appids[0])
        unsupported = wanted.filters - search.filters
        defaults = {one.name: one.default for one in fields(UserFilter) if one.name in unsupported}
        if wanted.searched is not None and wanted.searched.filter in unsupported:
            defaults["searched"] = None
        return {
            **query,
            "filter": replace(wanted, **defaults),
            "sort": query["sort"] if query["sort"] in search.sorts else UserSort.ID,
        }

    def named(self, user: tuple[int, str]) -> tuple[str, str]:
        account, openid = user
        return self.appids[account], openid

    def grant_of(self, user: tuple[int, str], grant: Grant, has_code: bool) -> Grant:
        appid, openid = self.named(user)
        digest = uuid.uuid4().bytes if has_code else None
        if digest is not None:
            self.digests.append(digest)
        return replace(grant, appid=appid, openid=openid, code_digest=digest)

    def both(self, call: Callable[[TokenStore], Result]) -> tuple[Result, Result]:
        return call(self.model), call(self.store)

    def same(self, call: Callable[[TokenStore], Any]) -> None:
        expected, found = self.both(call)
        assert found == expected

    def assert_alike(self, expected: AuthorizedUser, found: AuthorizedUser) -> None:
        """Compare all but ids and versions: those may be other numbers, but rise where the model's rise."""
        assert replace(found, id=expected.id, version=expected.version) == expected
        _assert_rising(self.ids, expected.id, found.id)
        _assert_rising(self.versions.setdefault(expected.id, {}), expected.version, found.version)


def _is_due(user: AuthorizedUser, due_at: int) -> bool:
    return user.status is Status.ACTIVE and user.next_refresh_at is not None and user.next_refresh_at <= due_at


def _assert_rising(known: dict[int, int], expected: int, found: int) -> None:
    assert known.setdefault(expected, found) == found
    numbers = [known[number] for number in sorted(known)]
    assert numbers == sorted(set(numbers))


class ModelContract(Contract):
    """All of the contract in any order, but for the end of leases by time.

    Attributes:
        examples: How many sequences of calls are tried.
    """

    examples = 40

    def test_answers_as_the_store_in_memory_does(self, store: TokenStore) -> None:
        """Whatever is called, in whatever order."""
        run_machine(
            lambda: _Comparison(store),  # type: ignore[arg-type] # its documentation allows any factory
            settings=settings(
                max_examples=self.examples,
                stateful_step_count=30,
                deadline=None,
                database=None,
                print_blob=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
