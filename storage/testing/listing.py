"""What operators see: profiles, pages of users, counts, and what happened by the hour."""

from collections import Counter

import pytest

from storage.activity import Activity, ActivityKind
from storage.base.errors import InvalidRecord, UnsupportedSearch
from storage.store import Capability, TokenStore
from storage.testing.base import Contract
from storage.testing.samples import (
    APPID,
    BASE,
    HOUR,
    NOW,
    OTHER_APPID,
    USER,
    WIDE,
    a_grant,
    all_pages,
    claimed,
    refreshed,
    search_of,
    skip_without,
    stored,
)
from storage.user_search import CappedCount, Filter, SearchField, TextMatch, TimeRange, UserFilter, UserQuery, UserSort
from storage.users import USER_FIELDS, AuthorizedUser, Profile, Status

__all__ = ["ListingContract"]


#: What users of all kinds, as `save_users_of_all_kinds` makes them, a filter finds: appid and openid.
FILTERED = [
    (UserFilter(), {f"{APPID} o-1", f"{APPID} o-2", f"{APPID} o-3", f"{APPID} x-4", f"{OTHER_APPID} o-1"}),
    (UserFilter(appid=OTHER_APPID), {f"{OTHER_APPID} o-1"}),
    (UserFilter(status=Status.REVOKED), {f"{APPID} o-3"}),
    (UserFilter(status=Status.REAUTHORIZATION_REQUIRED), {f"{APPID} o-2"}),
    (UserFilter(status=Status.ACTIVE, appid=APPID), {f"{APPID} o-1", f"{APPID} x-4"}),
    (UserFilter(scope=WIDE), {f"{APPID} o-2"}),
    (UserFilter(is_snapshotuser=True), {f"{APPID} x-4"}),
    (UserFilter(is_snapshotuser=False, appid=OTHER_APPID), {f"{OTHER_APPID} o-1"}),
    (UserFilter(last_error_code=42002), {f"{APPID} o-2"}),
    (UserFilter(authorized=TimeRange(NOW + 200, NOW + 300)), {f"{APPID} o-2"}),
    (UserFilter(used=TimeRange(since=NOW + 300)), {f"{APPID} o-3", f"{APPID} x-4"}),
    (UserFilter(ending=TimeRange(until=NOW + 200 + 30 * 24 * HOUR)), {f"{APPID} o-1", f"{OTHER_APPID} o-1"}),
    (UserFilter(searched=TextMatch(SearchField.OPENID, "o-1")), {f"{APPID} o-1", f"{OTHER_APPID} o-1"}),
    (UserFilter(searched=TextMatch(SearchField.OPENID, "o-1"), appid=APPID), {f"{APPID} o-1"}),
    (UserFilter(searched=TextMatch(SearchField.OPENID, "O-1")), set()),
    # Virtual unionids collide: a snapshot user is found by none.
    (UserFilter(searched=TextMatch(SearchField.UNIONID, "u-1")), {f"{APPID} o-1", f"{OTHER_APPID} o-1"}),
    (UserFilter(searched=TextMatch(SearchField.UNIONID, "u-1"), status=Status.REVOKED), set()),
    (UserFilter(searched=TextMatch(SearchField.UNIONID, "u-", exact=False)), {f"{APPID} o-1", f"{OTHER_APPID} o-1"}),
    (UserFilter(searched=TextMatch(SearchField.OPENID, "x", exact=False)), {f"{APPID} x-4"}),
    (UserFilter(searched=TextMatch(SearchField.NICKNAME, "小明")), {f"{APPID} o-1"}),
    (UserFilter(searched=TextMatch(SearchField.NICKNAME, "小", exact=False)), {f"{APPID} o-1", f"{APPID} o-3"}),
    (UserFilter(searched=TextMatch(SearchField.NICKNAME, "小%", exact=False)), set()),
    (UserFilter(searched=TextMatch(SearchField.EXTERNAL_ID, "m-1")), {f"{APPID} o-1", f"{OTHER_APPID} o-1"}),
    (UserFilter(searched=TextMatch(SearchField.EXTERNAL_ID, "M-1")), set()),
    (
        UserFilter(searched=TextMatch(SearchField.EXTERNAL_ID, "m-1", exact=False), appid=APPID),
        {f"{APPID} o-1", f"{APPID} o-3"},
    ),
]


def save_users_of_all_kinds(store: TokenStore) -> None:
    """Store five users of which each way of filtering finds some."""
    store.save(
        [
            a_grant("o-1", at=NOW + 100, unionid="u-1"),
            a_grant("o-2", at=NOW + 200, scope=WIDE),
            a_grant("o-3", at=NOW + 300),
            a_grant("x-4", at=NOW + 400, unionid="u-1", is_snapshotuser=True),
            a_grant("o-1", at=NOW + 100, appid=OTHER_APPID, unionid="u-1"),
        ]
    )
    store.settle([claimed(store, openid="o-2").rejected(error_code=42002, error_kind="reauthorize", at=NOW)])
    store.revoke(APPID, "o-3")
    if Capability.PROFILES in store.capabilities:
        for openid, nickname in (("o-1", "小明"), ("o-3", "小红")):
            store.save_profile(Profile(APPID, openid, nickname, "", NOW))
    if Capability.EXTERNAL_IDS in store.capabilities:
        for appid, openid, external_id in ((APPID, "o-1", "m-1"), (OTHER_APPID, "o-1", "m-1"), (APPID, "o-3", "m-10")):
            store.set_external_id(appid, openid, external_id)


class ListingContract(Contract):
    """`save_profile`, `user_search`, `counts`, `activity` and `record`."""

    @pytest.mark.parametrize(("field", "text"), [(SearchField.OPENID, "o-1 "), (SearchField.UNIONID, "u-1 ")])
    def test_exact_search_counts_a_space_at_the_end(self, store: TokenStore, field: SearchField, text: str) -> None:
        """Collations that pad take a text with spaces at its end for the text without."""
        skip_without(store, Capability.USERS)
        save_users_of_all_kinds(store)
        wanted = UserFilter(searched=TextMatch(field, text))
        if not wanted.filters <= search_of(store).filters:
            pytest.skip(f"the store does not search by {field.value}")
        assert all_pages(store, filter=wanted) == []

    def test_profile_keeps_every_character(self, store: TokenStore) -> None:
        """Names hold Chinese and emoji, beyond the first plane of Unicode."""
        skip_without(store, Capability.PROFILES)
        store.save([a_grant()])
        name = "某某😀 𠮷 'quoted\" %s \\"
        assert store.save_profile(Profile(APPID, USER, name, "https://thirdwx.qlogo.cn/mmopen/1/132", NOW, "u-1"))
        after = stored(store)
        assert (after.nickname, after.avatar_url) == (name, "https://thirdwx.qlogo.cn/mmopen/1/132")
        assert (after.profile_at, after.unionid) == (NOW, "u-1")

    def test_profile_without_unionid_keeps_the_known_one(self, store: TokenStore) -> None:
        """An avatar may be empty; a unionid is not forgotten."""
        skip_without(store, Capability.PROFILES)
        store.save([a_grant(unionid="u-1")])
        assert store.save_profile(Profile(APPID, USER, "", "", NOW))
        assert (stored(store).unionid, stored(store).avatar_url) == ("u-1", "")

    def test_profile_outlives_a_new_grant(self, store: TokenStore) -> None:
        """A grant says nothing about the user's name."""
        skip_without(store, Capability.PROFILES)
        store.save([a_grant()])
        store.save_profile(Profile(APPID, USER, "某某", "", NOW))
        store.save([a_grant(at=NOW + 100)])
        assert stored(store).nickname == "某某"

    def test_profile_of_an_unknown_user_is_refused(self, store: TokenStore) -> None:
        """It makes no row of its own."""
        skip_without(store, Capability.PROFILES)
        assert store.save_profile(Profile(APPID, USER, "某某", "", NOW)) is False
        assert store.get(APPID, USER) is None

    def test_external_id_outlives_all_but_an_erasure(self, store: TokenStore) -> None:
        """WeChat says nothing about it; what a backend has set, it can take back."""
        skip_without(store, Capability.EXTERNAL_IDS)
        store.save([a_grant(scope=WIDE)])
        assert store.set_external_id(APPID, USER, "会员 1") is True
        store.settle([refreshed(claimed(store))])
        for grant in (a_grant(at=NOW + 100), a_grant(at=NOW + 200, scope=WIDE)):
            store.save([grant])
            assert stored(store).external_id == "会员 1"
        store.revoke(APPID, USER)
        assert stored(store).external_id == "会员 1"
        assert store.set_external_id(APPID, USER, None) is True
        assert stored(store).external_id is None
        store.set_external_id(APPID, USER, "会员 1")
        store.erase(APPID, USER)
        store.save([a_grant()])
        assert stored(store).external_id is None

    def test_external_id_of_an_unknown_user_or_none_of_unicode_is_refused(self, store: TokenStore) -> None:
        """It makes no row of its own."""
        skip_without(store, Capability.EXTERNAL_IDS)
        assert store.set_external_id(APPID, USER, "m-1") is False
        assert store.get(APPID, USER) is None
        with pytest.raises(InvalidRecord):
            store.set_external_id(APPID, USER, "\ud800")

    @pytest.mark.parametrize(
        ("name", "openids"),
        [
            (BASE, ["o-1", "o-3", "o-4", "o-6"]),
            (WIDE, ["o-2", "o-3", "o-4"]),
            ("snsapi_login", ["o-5", "o-6"]),
            ("snsapi", []),
            (f"{BASE},{WIDE}", []),
        ],
    )
    def test_scope_is_filtered_by_a_name_in_it(self, store: TokenStore, name: str, openids: list[str]) -> None:
        """A scope is a set, and a user of a set is found under each of its names."""
        skip_without(store, Capability.USERS)
        if Filter.SCOPE not in search_of(store).filters:
            pytest.skip("the store does not filter by scope")
        scopes = [BASE, WIDE, f"{BASE},{WIDE}", f"{BASE},{WIDE},", "snsapi_login", f"{BASE},snsapi_login"]
        store.save([a_grant(f"o-{number}", scope=scope) for number, scope in enumerate(scopes, 1)])
        found = all_pages(store, filter=UserFilter(scope=name), descending=False, limit=2)
        assert [user.openid for user in found] == openids
        assert search_of(store).count(UserFilter(scope=name)) == CappedCount(len(openids))

    @pytest.mark.parametrize("sort", list(UserSort))
    @pytest.mark.parametrize("descending", [True, False])
    def test_pages_list_each_user_once_and_in_order(self, store: TokenStore, sort: UserSort, descending: bool) -> None:
        """Users of the same second are told apart by their ids."""
        skip_without(store, Capability.USERS)
        if sort not in search_of(store).sorts:
            pytest.skip(f"the store does not sort by {sort.value}")
        openids = [f"o-{number}" for number in range(11)]
        store.save([a_grant(openid, at=NOW + number * 7 % 3) for number, openid in enumerate(openids)])
        users = all_pages(store, sort=sort, descending=descending, limit=2)
        places = [(getattr(user, sort.value), user.id) for user in users]
        assert Counter(user.openid for user in users) == Counter(openids)
        assert places == sorted(places, reverse=descending)

    @pytest.mark.parametrize(("count", "is_last"), [(0, True), (2, True), (3, False)])
    def test_cursor_is_none_on_the_last_page(self, store: TokenStore, count: int, is_last: bool) -> None:
        """A page that is full by chance leads to no empty one."""
        skip_without(store, Capability.USERS)
        store.save([a_grant(f"o-{number}") for number in range(count)])
        page = search_of(store).page(UserQuery(limit=2))
        assert len(page.users) == min(count, 2)
        assert (page.next_cursor is None) == is_last

    def test_lists_show_everything_but_tokens(self, store: TokenStore) -> None:
        """A listed user is the authorization without its sealed columns."""
        skip_without(store, Capability.USERS)
        store.save([a_grant(unionid="u-1", next_refresh_at=NOW)])
        (user,) = search_of(store).page(UserQuery()).users
        found = stored(store)
        assert type(user) is AuthorizedUser
        assert user == AuthorizedUser(**{name: getattr(found, name) for name in USER_FIELDS})

    @pytest.mark.parametrize(("wanted", "openids"), FILTERED)
    def test_filters_that_are_declared_narrow_lists_and_counts(
        self, store: TokenStore, wanted: UserFilter, openids: set[str]
    ) -> None:
        """On every page. What is not declared is refused, so that nobody takes a list for a narrower one."""
        skip_without(store, Capability.USERS)
        if wanted.searched is not None and wanted.searched.field is SearchField.NICKNAME:
            skip_without(store, Capability.PROFILES)
        if wanted.searched is not None and wanted.searched.field is SearchField.EXTERNAL_ID:
            skip_without(store, Capability.EXTERNAL_IDS)
        save_users_of_all_kinds(store)
        search = search_of(store)
        if wanted.filters <= search.filters:
            users = all_pages(store, filter=wanted, limit=1)
            assert sorted(f"{user.appid} {user.openid}" for user in users) == sorted(openids)
            assert search.count(wanted) == CappedCount(len(openids))
            return
        for ask in (lambda: search.page(UserQuery(filter=wanted)), lambda: search.count(wanted)):
            with pytest.raises(UnsupportedSearch):
                ask()

    def test_orders_that_are_not_declared_are_refused(self, store: TokenStore) -> None:
        """A list in another order would be taken for the right one."""
        skip_without(store, Capability.USERS)
        search = search_of(store)
        for sort in frozenset(UserSort) - search.sorts:
            with pytest.raises(UnsupportedSearch):
                search.page(UserQuery(sort=sort))

    def test_counts_of_a_filter_stop_at_the_cap(self, store: TokenStore) -> None:
        """As many as the cap are not more than the cap."""
        skip_without(store, Capability.USERS)
        store.save([a_grant(f"o-{number}") for number in range(3)])
        search = search_of(store)
        assert search.count(UserFilter(), cap=3) == CappedCount(3)
        assert search.count(UserFilter(), cap=2) == CappedCount(2, capped=True)

    def test_last_id_is_that_of_the_newest_user(self, store: TokenStore) -> None:
        """Nobody has none."""
        skip_without(store, Capability.USERS)
        assert search_of(store).last_id() == 0
        store.save([a_grant("o-1")])
        store.save([a_grant("o-2", appid=OTHER_APPID)])
        assert search_of(store).last_id() == stored(store, "o-2", OTHER_APPID).id

    def test_counts_go_by_appid_and_status(self, store: TokenStore) -> None:
        """What is none is left out."""
        skip_without(store, Capability.USERS)
        assert store.counts().by_status == {}
        store.save([a_grant("o-1"), a_grant("o-2"), a_grant("o-1", appid=OTHER_APPID)])
        store.revoke(APPID, "o-2")
        assert store.counts().by_status == {
            (APPID, Status.ACTIVE): 1,
            (APPID, Status.REVOKED): 1,
            (OTHER_APPID, Status.ACTIVE): 1,
        }

    def test_grants_are_counted_by_the_hour(self, store: TokenStore) -> None:
        """Each grant counts, the second of a user too."""
        skip_without(store, Capability.ACTIVITY)
        store.save([a_grant(), a_grant(at=NOW + HOUR - 1), a_grant("o-2", at=NOW + HOUR)])
        store.save([a_grant("o-3", at=NOW + 5)])
        assert store.activity(NOW) == [
            Activity(NOW, APPID, ActivityKind.AUTHORIZED, 0, 3),
            Activity(NOW + HOUR, APPID, ActivityKind.AUTHORIZED, 0, 1),
        ]

    def test_written_outcomes_are_counted(self, store: TokenStore) -> None:
        """An outcome that came too late, or nothing that happened, is not."""
        skip_without(store, Capability.ACTIVITY)
        store.save([a_grant()])
        lease = claimed(store)
        store.settle([refreshed(lease)])
        store.settle([refreshed(lease)])
        store.settle([claimed(store).released()])
        store.settle([claimed(store).failed(error_code=None, error_kind="retry", at=NOW, next_refresh_at=None)])
        store.settle([claimed(store).rejected(error_code=42002, error_kind="reauthorize", at=NOW)])
        assert set(store.activity(NOW)) == {
            Activity(NOW, APPID, ActivityKind.AUTHORIZED, 0, 1),
            Activity(NOW, APPID, ActivityKind.REFRESH_FAILED, 0, 1),
            Activity(NOW, APPID, ActivityKind.REAUTHORIZATION_REQUIRED, 42002, 1),
            Activity(NOW + 2 * HOUR, APPID, ActivityKind.REFRESHED, 0, 1),
        }

    def test_refused_grants_are_not_counted(self, store: TokenStore) -> None:
        """A count belongs to the transaction it counts."""
        skip_without(store, Capability.ACTIVITY)
        with pytest.raises(InvalidRecord):
            store.save([a_grant(), a_grant("o-2", expires_at=2**63)])
        assert store.activity(NOW) == []

    def test_recorded_events_add_up(self, store: TokenStore) -> None:
        """Times within an hour are brought to its start."""
        skip_without(store, Capability.ACTIVITY)
        failed = ActivityKind.EXCHANGE_FAILED
        store.record([Activity(NOW, APPID, failed, 40163, 2), Activity(NOW + 60, APPID, failed, 40163, 3)])
        store.record([Activity(NOW, APPID, failed, 40163, 1), Activity(NOW, APPID, failed, 40029, 1)])
        assert store.activity(NOW) == [
            Activity(NOW, APPID, failed, 40029, 1),
            Activity(NOW, APPID, failed, 40163, 6),
        ]

    def test_activity_begins_with_the_hour_of_the_time_given(self, store: TokenStore) -> None:
        """Half an hour is not told apart."""
        skip_without(store, Capability.ACTIVITY)
        store.record([Activity(NOW + hour * HOUR, APPID, ActivityKind.AUTHORIZED, 0, 1) for hour in (0, 1, 2)])
        assert [one.hour for one in store.activity(NOW + HOUR + 1800)] == [NOW + HOUR, NOW + 2 * HOUR]
