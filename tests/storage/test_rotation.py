from dataclasses import replace

import pytest

from storage.credentials.records import CredentialKind
from storage.grants import SealedTokens
from storage.memory import MemoryTokenStore
from storage.rotation import KeyRotation
from storage.sealing import KeyRing, Tokens, generate_key
from storage.testing import a_grant

APPID = a_grant().appid
OLD, NEW = generate_key(), generate_key()
OLD_RING, NEW_RING, BOTH = KeyRing.parse(OLD), KeyRing.parse(NEW), KeyRing.parse(f"{NEW},{OLD}")
OLD_ID, NEW_ID = OLD_RING.key_ids[0], NEW_RING.key_ids[0]


def sealed_grant(openid, ring=OLD_RING, **changed):
    return a_grant(openid, tokens=ring.seal(APPID, openid, Tokens(f"access {openid}", f"refresh {openid}")), **changed)


def tokens_of(store, openid, ring):
    return ring.open(store.get(APPID, openid))


@pytest.fixture
def store():
    store = MemoryTokenStore()
    store.save([sealed_grant(f"o-{number}") for number in range(7)])
    return store


def rotate(store, ring=BOTH, **options):
    reports = list(KeyRotation(store, ring, page_size=3).run(**options))
    return reports[-1]


def test_every_row_opens_with_the_new_key_alone(store):
    report = rotate(store)
    assert (report.stale, report.resealed, report.unopened) == (7, 7, 0)
    assert dict(report.rows_by_key) == {NEW_ID: 7, OLD_ID: 0}
    for number in range(7):
        assert tokens_of(store, f"o-{number}", NEW_RING) == Tokens(f"access o-{number}", f"refresh o-{number}")


def test_both_grants_of_a_row_open_with_the_new_key_alone(store):
    narrow = OLD_RING.seal(APPID, "o-0", Tokens("newer access", "newer refresh"))
    store.save([sealed_grant("o-0", scope="snsapi_userinfo"), replace(sealed_grant("o-0"), tokens=narrow)])
    report = rotate(store)
    assert (report.stale, report.resealed) == (7, 7)
    assert dict(report.rows_by_key) == {NEW_ID: 7, OLD_ID: 0}
    assert tokens_of(store, "o-0", NEW_RING) == Tokens("access o-0", "refresh o-0")
    fallback = store.get(APPID, "o-0").fallback
    assert NEW_RING.open_tokens(APPID, "o-0", fallback.tokens) == Tokens("newer access", "newer refresh")


def test_row_of_which_only_the_grant_that_is_held_has_an_old_key_is_sealed_anew(store):
    rotate(store)
    store.save([sealed_grant("o-0", NEW_RING, scope="snsapi_userinfo"), sealed_grant("o-0", OLD_RING)])
    report = rotate(store)
    assert (report.stale, report.resealed) == (1, 1)
    assert dict(report.rows_by_key) == {NEW_ID: 7, OLD_ID: 0}


def test_dry_run_counts_and_changes_nothing(store):
    before = store.sealed_page(0, 10)
    report = rotate(store, dry_run=True)
    assert (report.stale, report.resealed) == (7, 0)
    assert dict(report.rows_by_key) == {NEW_ID: 0, OLD_ID: 7}
    assert store.sealed_page(0, 10) == before


def test_what_an_interrupted_rotation_did_is_not_done_again(store):
    next(KeyRotation(store, BOTH, page_size=3).run())
    done = store.sealed_page(0, 3)
    report = rotate(store)
    assert (report.stale, report.resealed) == (4, 4)
    assert dict(report.rows_by_key) == {NEW_ID: 7, OLD_ID: 0}
    assert store.sealed_page(0, 3) == done


def test_row_of_which_one_value_is_older_is_sealed_anew(store):
    stored = store.get(APPID, "o-0").tokens
    (row,) = store.sealed_page(0, 1)
    newer = BOTH.seal(APPID, "o-0", Tokens("access", "refresh o-0"))
    store.save([replace(sealed_grant("o-0"), tokens=SealedTokens(newer.access_token, stored.refresh_token))])
    assert rotate(store).resealed == 7
    assert tokens_of(store, "o-0", NEW_RING) == Tokens("access", "refresh o-0")
    assert row.tokens != store.get(APPID, "o-0").tokens


def test_rows_of_no_known_key_are_told_and_left_as_they_are(store):
    stranger = KeyRing.parse(generate_key())
    store.save([sealed_grant("o-3", stranger), a_grant("o-4", tokens=SealedTokens(b"not sealed", b"at all"))])
    before = store.get(APPID, "o-3"), store.get(APPID, "o-4")
    report = rotate(store)
    assert (report.resealed, report.unopened) == (5, 2)
    assert dict(report.rows_by_key) == {NEW_ID: 5, OLD_ID: 0, stranger.key_ids[0]: 1}
    assert stranger.key_ids[0] in report.examples[0]
    assert (store.get(APPID, "o-3"), store.get(APPID, "o-4")) == before


class WrittenMeanwhile(MemoryTokenStore):
    """A store in which something happens between the reading of the rows and their replacing."""

    def __init__(self, events):
        super().__init__()
        self.events = events

    def reseal(self, changes):
        if self.events:
            self.events.pop(0)(self)
        return super().reseal(changes)


def test_what_is_written_meanwhile_wins_and_is_sealed_anew_in_its_turn():
    def by_an_instance_with_the_old_key(store):
        tokens = OLD_RING.seal(APPID, "o-1", Tokens("newer access", "newer refresh"))
        store.save([replace(sealed_grant("o-1"), tokens=tokens)])

    def by_an_instance_with_the_new_key(store):
        store.save([sealed_grant("o-2", NEW_RING)])

    def erased(store):
        store.erase(APPID, "o-3")
        store.revoke(APPID, "o-4")

    def all_of_it(store):
        by_an_instance_with_the_old_key(store)
        by_an_instance_with_the_new_key(store)
        erased(store)

    store = WrittenMeanwhile([all_of_it])
    store.save([sealed_grant(f"o-{number}") for number in range(1, 6)])
    report = list(KeyRotation(store, BOTH).run())[-1]
    assert tokens_of(store, "o-1", NEW_RING) == Tokens("newer access", "newer refresh")
    assert tokens_of(store, "o-2", NEW_RING) == Tokens("access o-2", "refresh o-2")
    assert store.get(APPID, "o-3") is None
    assert store.get(APPID, "o-4").tokens == SealedTokens(b"", b"")
    assert report.resealed == 2
    assert dict(report.rows_by_key) == {NEW_ID: 3, OLD_ID: 0}


def test_row_that_is_written_again_and_again_is_counted_under_the_key_it_has():
    store = WrittenMeanwhile([lambda store: store.save([sealed_grant("o-1")])] * 100)
    store.save([sealed_grant("o-1")])
    report = list(KeyRotation(store, BOTH).run())[-1]
    assert (report.stale, report.resealed) == (1, 0)
    assert dict(report.rows_by_key) == {NEW_ID: 0, OLD_ID: 1}


def test_nothing_stored_is_nothing_to_report():
    assert list(KeyRotation(MemoryTokenStore(), BOTH).run()) == []


def test_credentials_of_accounts_open_with_the_new_key_alone():
    store = MemoryTokenStore()
    for kind in CredentialKind:
        lease = store.claim_credential(APPID, kind, "first", 60)
        sealed = OLD_RING.seal_credential(APPID, kind, f"value of {kind}")
        store.settle_credential(lease.renewed(sealed, obtained_at=1, expires_at=2, next_refresh_at=2))
    store.claim_credential("wx-never-obtained", CredentialKind.ACCESS_TOKEN, "first", 60)
    assert rotate(store, dry_run=True).stale == 3
    report = rotate(store)
    assert (report.stale, report.resealed, report.unopened) == (3, 3, 0)
    assert dict(report.rows_by_key) == {NEW_ID: 3, OLD_ID: 0}
    assert [NEW_RING.open_credential(one) for one in store.credentials(APPID)] == [
        f"value of {kind}" for kind in sorted(CredentialKind)
    ]


def test_a_credential_that_no_key_opens_is_counted_and_left():
    store = MemoryTokenStore()
    lease = store.claim_credential(APPID, CredentialKind.ACCESS_TOKEN, "first", 60)
    sealed = OLD_RING.seal_credential(APPID, CredentialKind.ACCESS_TOKEN, "value")
    store.settle_credential(lease.renewed(sealed, obtained_at=1, expires_at=2, next_refresh_at=2))
    report = rotate(store, NEW_RING)
    assert (report.stale, report.resealed, report.unopened) == (1, 0, 1)
    assert store.credentials()[0].sealed == sealed
