"""What operators see: profiles, pages of users, counts, and what happened by the hour."""

from collections import Counter
from dataclasses import fields
from typing import Any

import pytest

from storage.activity import Activity, ActivityKind
from storage.base.errors import InvalidRecord
from storage.store import Capability, TokenStore
from storage.testing.base import Contract
from storage.testing.samples import (
    APPID,
    HOUR,
    NOW,
    OTHER_APPID,
    USER,
    a_grant,
    all_pages,
    claimed,
    refreshed,
    skip_without,
    stored,
)
from storage.users import AuthorizedUser, Profile, SortKey, Status, UserQuery

__all__ = ["ListingContract"]


class ListingContract(Contract):
    """`save_profile`, `page`, `counts`, `activity` and `record`."""

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

    @pytest.mark.parametrize("sort", list(SortKey))
    @pytest.mark.parametrize("descending", [True, False])
    def test_pages_list_each_user_once_and_in_order(self, store: TokenStore, sort: SortKey, descending: bool) -> None:
        """Users who authorized in the same second are told apart by their ids."""
        skip_without(store, Capability.LISTING)
        openids = [f"o-{number}" for number in range(11)]
        store.save([a_grant(openid, at=NOW + number * 7 % 3) for number, openid in enumerate(openids)])
        users = all_pages(store, sort=sort, descending=descending, limit=2)
        places = [(getattr(user, sort.value), user.id) for user in users]
        assert Counter(user.openid for user in users) == Counter(openids)
        assert places == sorted(places, reverse=descending)

    @pytest.mark.parametrize(("count", "is_last"), [(0, True), (2, True), (3, False)])
    def test_cursor_is_none_on_the_last_page(self, store: TokenStore, count: int, is_last: bool) -> None:
        """A page that is full by chance leads to no empty one."""
        skip_without(store, Capability.LISTING)
        store.save([a_grant(f"o-{number}") for number in range(count)])
        page = store.page(UserQuery(limit=2))
        assert len(page.users) == min(count, 2)
        assert (page.next_cursor is None) == is_last

    def test_lists_show_everything_but_tokens(self, store: TokenStore) -> None:
        """A listed user is the authorization without its sealed columns."""
        skip_without(store, Capability.LISTING)
        store.save([a_grant(unionid="u-1", next_refresh_at=NOW)])
        (user,) = store.page(UserQuery()).users
        found = stored(store)
        assert type(user) is AuthorizedUser
        assert user == AuthorizedUser(**{one.name: getattr(found, one.name) for one in fields(AuthorizedUser)})

    def test_lists_can_be_narrowed(self, store: TokenStore) -> None:
        """Filters hold together, and on every page."""
        skip_without(store, Capability.LISTING)
        store.save([a_grant(f"o-{number}", unionid=f"u-{number % 2}") for number in range(4)])
        store.save([a_grant("o-0", appid=OTHER_APPID, unionid="u-0")])
        store.revoke(APPID, "o-3")

        def listed(**query: Any) -> set[tuple[str, str]]:
            return {(user.appid, user.openid) for user in all_pages(store, limit=1, **query)}

        assert listed(appid=OTHER_APPID) == {(OTHER_APPID, "o-0")}
        assert listed(openid="o-0") == {(APPID, "o-0"), (OTHER_APPID, "o-0")}
        assert listed(appid=APPID, unionid="u-1", status=Status.ACTIVE) == {(APPID, "o-1")}
        assert listed(status=Status.REVOKED) == {(APPID, "o-3")}
        assert listed(status=Status.NEEDS_REAUTHORIZATION) == set()

    def test_counts_go_by_appid_and_status(self, store: TokenStore) -> None:
        """What is none is left out."""
        skip_without(store, Capability.LISTING)
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
            Activity(NOW, APPID, ActivityKind.REAUTHORIZATION_NEEDED, 42002, 1),
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
