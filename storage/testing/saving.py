"""What is saved comes back, all or nothing of it; and what a new grant replaces."""

import pytest

from storage.base.errors import InvalidRecord
from storage.base.schema_report import SchemaState
from storage.grants import RedeemedCode, SealedTokens
from storage.store import API_VERSION, Capability, TokenStore
from storage.testing.base import Contract
from storage.testing.samples import (
    APPID,
    BASE,
    LONG_TTL,
    NOW,
    OTHER_APPID,
    THREADS,
    USER,
    WIDE,
    a_grant,
    at_once,
    claimed,
    stored,
)
from storage.users import Authorization, Profile, Status, Use

__all__ = ["SavingContract"]

#: An appid that no account has.
_PROBED = "probe-0123456789abcdef"


class SavingContract(Contract):
    """`save`, `get` and `find_by_code`."""

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

    def test_unknown_user_is_none(self, store: TokenStore) -> None:
        """Neither another openid nor another appid finds a user."""
        store.save([a_grant()])
        assert store.get(APPID, "o-other") is None
        assert store.get(OTHER_APPID, USER) is None

    def test_grant_comes_back_as_it_was_given(self, store: TokenStore) -> None:
        """Every value of a grant is kept."""
        store.save([a_grant(scope=WIDE, unionid="u-1", is_snapshotuser=True, next_refresh_at=NOW + 6000)])
        found = stored(store)
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
        assert stored(store).unionid is None

    def test_long_binary_tokens_are_kept_whole(self, store: TokenStore) -> None:
        """WeChat gives no maximum for a token, and a sealed one is any bytes."""
        tokens = SealedTokens(bytes(range(256)) * 8, bytes(reversed(range(256))) * 8)
        store.save([a_grant(tokens=tokens)])
        assert stored(store).tokens == tokens

    def test_openids_are_told_apart_by_case(self, store: TokenStore) -> None:
        """An openid is a random word; upper and lower case are different users."""
        store.save([a_grant("oABC"), a_grant("oabc")])
        assert stored(store, "oABC").id != stored(store, "oabc").id

    @pytest.mark.parametrize(("appid", "openid"), [(APPID, f"{USER} "), (f"{APPID} ", USER), (APPID, f" {USER}")])
    def test_space_beside_a_name_makes_it_the_name_of_nobody(self, store: TokenStore, appid: str, openid: str) -> None:
        """Collations that pad take a text with spaces at its end for the text without."""
        store.save([a_grant()])
        before = stored(store)
        assert store.get(appid, openid) is None
        assert store.claim(appid, openid, "first", LONG_TTL) is None
        store.touch([Use(appid, openid, NOW + 100, NOW + 200)])
        assert store.revoke(appid, openid) is False
        assert store.erase(appid, openid) is False
        if Capability.PROFILES in store.capabilities:
            assert store.save_profile(Profile(appid, openid, "某某", "", NOW)) is False
        assert stored(store) == before

    @pytest.mark.parametrize(("appid", "openid"), [(APPID, f"{USER} "), (f"{APPID} ", USER)])
    def test_grant_whose_names_end_in_a_space_is_refused(self, store: TokenStore, appid: str, openid: str) -> None:
        """It would take the place of another user's where the database pads."""
        store.save([a_grant()])
        before = stored(store)
        with pytest.raises(InvalidRecord):
            store.save([a_grant(openid, appid=appid, at=NOW + 100)])
        assert stored(store) == before

    def test_same_openid_of_two_appids_is_two_users(self, store: TokenStore) -> None:
        """The pair of appid and openid is what counts."""
        store.save([a_grant(), a_grant(appid=OTHER_APPID)])
        assert stored(store).id != stored(store, appid=OTHER_APPID).id

    def test_ids_rise_and_never_come_back(self, store: TokenStore) -> None:
        """An erased user's id must not lead to another user."""
        store.save([a_grant("o-1")])
        store.save([a_grant("o-2")])
        first, second = stored(store, "o-1").id, stored(store, "o-2").id
        store.erase(APPID, "o-2")
        store.save([a_grant("o-3")])
        assert first < second < stored(store, "o-3").id

    def test_saving_nothing_is_harmless(self, store: TokenStore) -> None:
        """An empty batch is no error."""
        store.save([])
        assert store.settle([]) == []
        store.touch([])

    def test_new_grant_replaces_the_old_one(self, store: TokenStore) -> None:
        """Tokens, times, status and failures are the new grant's; what the user is known by stays."""
        store.save([a_grant(scope=WIDE, unionid="u-1", next_refresh_at=NOW + 6000)])
        before = stored(store)
        store.settle([claimed(store).rejected(error_code=42002, error_kind="reauthorize", at=NOW + 10)])
        store.save([a_grant(at=NOW + 100, scope=WIDE, next_refresh_at=NOW + 6100)])
        after = stored(store)
        assert after.tokens == SealedTokens(b"access o-user 1800000100", b"refresh o-user 1800000100")
        assert (after.status, after.refresh_failures, after.last_error_code) == (Status.ACTIVE, 0, None)
        assert (after.expires_at, after.next_refresh_at) == (NOW + 7300, NOW + 6100)
        assert (after.id, after.first_authorized_at, after.authorized_at) == (before.id, NOW, NOW + 100)
        assert after.unionid == "u-1"
        assert after.version > before.version

    def test_grants_of_one_user_in_a_call_count_in_their_order(self, store: TokenStore) -> None:
        """The last of them wins, whatever its time."""
        store.save([a_grant(at=NOW + 1), a_grant("o-other"), a_grant(at=NOW + 2), a_grant(at=NOW)])
        assert stored(store).tokens.access_token == b"access o-user 1800000000"

    def test_save_stores_all_or_nothing(self, store: TokenStore) -> None:
        """One record that cannot be stored keeps all of its batch out."""
        store.save([a_grant("o-1")])
        with pytest.raises(InvalidRecord):
            store.save([a_grant("o-1", at=NOW + 5), a_grant("o-2"), a_grant("o-3", expires_at=2**63)])
        assert stored(store, "o-1").authorized_at == NOW
        assert store.get(APPID, "o-2") is None
        assert store.get(APPID, "o-3") is None

    def test_text_that_is_not_unicode_is_refused(self, store: TokenStore) -> None:
        """Half of a surrogate pair can come out of JSON, and into no database."""
        with pytest.raises(InvalidRecord):
            store.save([a_grant("o-1"), a_grant("o-2", unionid="u-\ud83d")])
        assert store.get(APPID, "o-1") is None

    def test_openid_of_any_characters_is_kept(self, store: TokenStore) -> None:
        """WeChat gives letters, digits, hyphens and underscores, but promises nothing."""
        openids = ["o-某😀", "o-%s'\"\\", "o:|:", "o"]
        store.save([a_grant(openid) for openid in openids])
        assert [stored(store, openid).openid for openid in openids] == openids
        assert len({stored(store, openid).id for openid in openids}) == len(openids)

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
        before = stored(store).version
        at_once(lambda number: store.save([a_grant(at=NOW + number)]))
        assert stored(store).version == before + THREADS

    def test_wide_scope_is_found_in_a_list_of_scopes(self, store: TokenStore) -> None:
        """WeChat's scope is a comma separated list."""
        store.save([a_grant(scope=f"{BASE},{WIDE}")])
        store.save([a_grant(at=NOW + 100)])
        assert stored(store).scope == f"{BASE},{WIDE}"

    def test_a_scope_that_only_resembles_the_wide_one_is_narrow(self, store: TokenStore) -> None:
        """`snsapi_userinfo` must be one of the list's words."""
        store.save([a_grant(scope="snsapi-userinfo")])
        store.save([a_grant(at=NOW + 100)])
        assert stored(store).scope == BASE

    def test_narrow_grant_replaces_a_wide_one_whose_refresh_token_has_ended(self, store: TokenStore) -> None:
        """What can give no token any more is worth nothing."""
        store.save([a_grant(scope=WIDE, refresh_expires_at=NOW + 100)])
        store.save([a_grant(at=NOW + 100)])
        assert (stored(store).scope, stored(store).expires_at) == (BASE, NOW + 7300)

    def test_narrow_grant_replaces_a_wide_one_that_is_rejected(self, store: TokenStore) -> None:
        """The replacing grant takes everything, though parts of it decide whether it may."""
        store.save([a_grant(scope=WIDE)])
        store.settle([claimed(store).rejected(error_code=42002, error_kind="reauthorize", at=NOW + 10)])
        store.save([a_grant(at=NOW + 100)])
        after = stored(store)
        assert (after.scope, after.status, after.refresh_failures) == (BASE, Status.ACTIVE, 0)
        assert after.tokens.access_token == b"access o-user 1800000100"

    def test_wide_grant_replaces_a_narrow_one(self, store: TokenStore) -> None:
        """More is always taken."""
        store.save([a_grant()])
        store.save([a_grant(at=NOW + 100, scope=WIDE, unionid="u-1")])
        after = stored(store)
        assert (after.scope, after.unionid) == (WIDE, "u-1")
        assert after.tokens.access_token == b"access o-user 1800000100"

    def test_scope_rule_holds_within_a_call(self, store: TokenStore) -> None:
        """A narrow grant right after a wide one, in one batch, leaves it in place too."""
        store.save([a_grant(scope=WIDE), a_grant(at=NOW + 1)])
        assert (stored(store).scope, stored(store).authorized_at) == (WIDE, NOW + 1)

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
        assert stored(store).scope == WIDE

    def test_probe_leaves_nothing_behind(self, store: TokenStore) -> None:
        """Neither users, nor counts of them, nor counts of what happened."""
        store.save([a_grant(unionid="u-1")])
        before = _everything(store)
        store.probe([a_grant(f"o-{number}", appid=_PROBED, unionid=f"u-{number}") for number in range(20)])
        assert _everything(store) == before
        assert store.get(_PROBED, "o-1") is None

    def test_probe_can_be_repeated_and_take_place_beside_grants(self, store: TokenStore) -> None:
        """Neither a probe before nor exchanges and probes meanwhile are in its way."""

        def work(number: int) -> None:
            store.probe([a_grant(f"o-{one}", appid=f"{_PROBED}-{number}") for one in range(5)])
            store.save([a_grant(f"o-{number}")])

        for _ in range(3):
            at_once(work)
        assert all(store.get(APPID, f"o-{number}") for number in range(THREADS))

    def test_code_keeps_its_own_unionid_and_snapshot_flag(self, store: TokenStore) -> None:
        """Whatever the authorization knows from other codes."""
        store.save([a_grant(scope=WIDE, unionid="u-1", is_snapshotuser=True, code_digest=b"1" * 32)])
        own = []
        for at, unionid in ((NOW + 100, "u-2"), (NOW + 200, None)):
            store.save([a_grant(at=at, unionid=unionid, code_digest=b"2" * 32)])
            found = store.find_by_code(b"2" * 32, at)
            own.append(found and (found.unionid, found.is_snapshotuser))
        assert own == [("u-2", False), (None, False)]
        assert (stored(store).unionid, stored(store).is_snapshotuser) == ("u-1", True)


def _everything(store: TokenStore) -> list[object]:
    """Return what lists and counts show."""
    shown: list[object] = []
    if Capability.USERS in store.capabilities:
        shown.append(store.counts().by_status)
    if Capability.ACTIVITY in store.capabilities:
        shown.append(store.activity(0))
    if Capability.RESEALING in store.capabilities:
        shown.append(store.sealed_page(0, 100))
    return shown
