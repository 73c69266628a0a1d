"""Accounts' own credentials: one holder of a lease at a time, fenced writes, and nothing that users' actions touch."""

from collections import Counter

import pytest

from storage.credentials.records import Credential, CredentialKind, CredentialLease
from storage.leases import LONGEST_LEASE_SECONDS
from storage.store import Capability, TokenStore
from storage.testing.base import PATIENCE_SECONDS, Contract
from storage.testing.samples import (
    APPID,
    HOUR,
    LONG_TTL,
    NOW,
    OTHER_APPID,
    SHORT_TTL,
    USER,
    a_grant,
    at_once,
    skip_without,
)
from storage.testing.sharing import PROCESSES, in_processes

__all__ = ["CredentialContract"]

TOKEN = CredentialKind.ACCESS_TOKEN
TICKET = CredentialKind.JSAPI_TICKET
RACED_FOR = [f"wx-{number}" for number in range(20)]
#: WeChat asks for room for 512 characters of a token at least; sealing adds some bytes.
LONG_VALUE = bytes(range(256)) * 4


def _held(
    store: TokenStore, owner: str = "first", ttl: int = LONG_TTL, kind: CredentialKind = TOKEN
) -> CredentialLease:
    """Return a lease of a credential that must be free."""
    lease = store.claim_credential(APPID, kind, owner, ttl)
    assert lease is not None
    return lease


def _renew(store: TokenStore, lease: CredentialLease, sealed: bytes = b"sealed") -> bool:
    outcome = lease.renewed(sealed, obtained_at=NOW, expires_at=NOW + 7200, next_refresh_at=NOW + 6900)
    return store.settle_credential(outcome)


def _stored(store: TokenStore, kind: CredentialKind = TOKEN) -> Credential:
    [found] = [one for one in store.credentials(APPID) if one.kind is kind]
    return found


class CredentialContract(Contract):
    """`claim_credential`, `settle_credential`, and what is said of credentials without a lease."""

    @pytest.fixture
    def keeper(self, store: TokenStore) -> TokenStore:
        """Give the store, if it keeps credentials."""
        skip_without(store, Capability.ACCOUNT_CREDENTIALS)
        return store

    def test_first_claim_of_a_credential_makes_it(self, keeper: TokenStore) -> None:
        """Nobody has to say in advance which accounts there are."""
        assert keeper.credentials() == []
        lease = _held(keeper)
        assert keeper.credentials() == [lease.credential]
        assert (lease.credential.sealed, lease.credential.expires_at) == (b"", 0)

    def test_renewed_credential_is_stored_as_it_is(self, keeper: TokenStore) -> None:
        """Any bytes, and more of them than WeChat's longest token has."""
        assert _renew(keeper, _held(keeper), LONG_VALUE) is True
        found = _stored(keeper)
        assert (found.sealed, found.obtained_at) == (LONG_VALUE, NOW)
        assert (found.expires_at, found.next_refresh_at) == (NOW + 7200, NOW + 6900)

    def test_credentials_of_accounts_and_kinds_are_apart(self, keeper: TokenStore) -> None:
        """A lease of one holds nobody of another up."""
        _renew(keeper, _held(keeper), b"token")
        _renew(keeper, _held(keeper, kind=TICKET), b"ticket")
        other = keeper.claim_credential(OTHER_APPID, TOKEN, "first", LONG_TTL)
        assert other is not None
        assert [(one.kind, one.sealed) for one in keeper.credentials(APPID)] == [(TOKEN, b"token"), (TICKET, b"ticket")]
        assert [one.appid for one in keeper.credentials()] == [APPID, APPID, OTHER_APPID]

    def test_leased_credential_cannot_be_claimed_again(self, keeper: TokenStore) -> None:
        """Not by another owner, nor by the same."""
        _held(keeper)
        assert keeper.claim_credential(APPID, TOKEN, "second", LONG_TTL) is None
        assert keeper.claim_credential(APPID, TOKEN, "first", LONG_TTL) is None

    def test_of_many_claims_of_a_new_credential_at_once_one_succeeds(self, keeper: TokenStore) -> None:
        """Also while it is being made."""
        leases = at_once(lambda number: keeper.claim_credential(APPID, TOKEN, f"owner-{number}", LONG_TTL))
        assert len([lease for lease in leases if lease is not None]) == 1
        assert len(keeper.credentials()) == 1

    def test_credentials_lease_ends_by_itself_and_its_holder_is_fenced(self, keeper: TokenStore) -> None:
        """Who was succeeded cannot write, whatever it brings."""
        first = _held(keeper, ttl=SHORT_TTL)
        second = self._credential_when_free(keeper)
        assert second.credential.version == first.credential.version + 1
        assert _renew(keeper, first, b"late") is False
        assert _renew(keeper, second, b"new") is True
        assert _stored(keeper).sealed == b"new"

    def test_late_credential_is_written_while_nobody_else_came(self, keeper: TokenStore) -> None:
        """What WeChat gave is worth more than a lease's punctuality."""
        lease = _held(keeper, ttl=SHORT_TTL)
        self.let_pass(SHORT_TTL + 1.5)
        assert _renew(keeper, lease) is True

    def test_credentials_lease_from_before_the_clock_was_set_back_holds_nobody_up(self, keeper: TokenStore) -> None:
        """It seems to have more time left than any lease is given."""
        _held(keeper, ttl=LONGEST_LEASE_SECONDS + 6 * HOUR)
        assert _held(keeper, owner="after").owner == "after"

    def test_credentials_lease_can_be_settled_once(self, keeper: TokenStore) -> None:
        """A second outcome finds nobody's lease."""
        lease = _held(keeper)
        assert keeper.settle_credential(lease.released()) is True
        assert _renew(keeper, lease) is False
        assert _held(keeper, owner="second").credential.sealed == b""

    def test_outcome_of_an_earlier_lease_of_the_same_owner_changes_nothing(self, keeper: TokenStore) -> None:
        """The version tells one lease from the other."""
        earlier = _held(keeper)
        keeper.settle_credential(earlier.released())
        current = _held(keeper)
        assert _renew(keeper, earlier) is False
        assert _stored(keeper) == current.credential
        assert keeper.claim_credential(APPID, TOKEN, "second", LONG_TTL) is None

    def test_failures_of_a_credential_are_counted_until_it_is_renewed(self, keeper: TokenStore) -> None:
        """The value stays, and the lease ends."""
        _renew(keeper, _held(keeper))
        for number, code in ((1, 40164), (2, None)):
            lease = _held(keeper)
            failed = lease.failed(
                error_code=code, error_kind="configuration", at=NOW + number, next_refresh_at=NOW + 60
            )
            assert keeper.settle_credential(failed) is True
        after = _stored(keeper)
        assert (after.refresh_failures, after.last_error_code, after.last_error_kind) == (2, None, "configuration")
        assert (after.last_error_at, after.next_refresh_at, after.sealed) == (NOW + 2, NOW + 60, b"sealed")
        _renew(keeper, _held(keeper))
        after = _stored(keeper)
        assert (after.refresh_failures, after.last_error_kind, after.last_error_at) == (0, None, None)

    def test_forcing_is_written_down_under_the_lease_that_goes_on(self, keeper: TokenStore) -> None:
        """So that who is killed before WeChat answers has still been counted."""
        lease = _held(keeper)
        assert keeper.settle_credential(lease.forcing(at=NOW, count=3)) is True
        assert (_stored(keeper).forced_at, _stored(keeper).forced_count) == (NOW, 3)
        assert keeper.claim_credential(APPID, TOKEN, "second", LONG_TTL) is None
        assert _renew(keeper, lease) is True
        assert (_stored(keeper).forced_at, _stored(keeper).sealed) == (NOW, b"sealed")

    def test_use_of_a_credential_is_noted_and_never_moves_back(self, keeper: TokenStore) -> None:
        """It disturbs no lease, and makes nothing."""
        keeper.touch_credential(APPID, TOKEN, NOW)
        assert keeper.credentials() == []
        lease = _held(keeper)
        keeper.touch_credential(APPID, TOKEN, NOW)
        keeper.touch_credential(APPID, TOKEN, NOW - 1)
        assert _stored(keeper).last_used_at == NOW
        assert _renew(keeper, lease) is True
        assert _stored(keeper).last_used_at == NOW

    def test_credential_is_resealed_only_where_it_is_the_one_that_was_read(self, keeper: TokenStore) -> None:
        """A refresh under way keeps its lease."""
        _renew(keeper, _held(keeper), b"old key")
        read = _stored(keeper)
        lease = _held(keeper)
        assert keeper.reseal_credential(read, b"new key") is True
        assert keeper.reseal_credential(read, b"newer key") is False
        assert _stored(keeper).sealed == b"new key"
        assert _renew(keeper, lease, b"renewed") is True
        assert keeper.reseal_credential(read, b"newer key") is False

    def test_end_of_a_user_leaves_credentials_alone(self, keeper: TokenStore) -> None:
        """They are the account's."""
        keeper.save([a_grant()])
        _renew(keeper, _held(keeper))
        before = keeper.credentials()
        keeper.revoke(APPID, USER)
        keeper.erase(APPID, USER)
        assert keeper.credentials() == before

    def test_of_processes_that_claim_credentials_at_once_one_gets_each(self, keeper: TokenStore, url: str) -> None:
        """A lock within the process is not enough."""
        skip_without(keeper, Capability.SHARING)
        claims = in_processes(PROCESSES, _claim_credentials, keeper, url)
        assert Counter(appid for won in claims for appid in won) == Counter(RACED_FOR)

    def test_credential_of_a_killed_process_stays_and_its_lease_ends(self, keeper: TokenStore, url: str) -> None:
        """Another takes over, and finds what there was."""
        skip_without(keeper, Capability.SHARING)
        [lease] = in_processes(1, _renew_and_claim, keeper, url)
        successor = self._credential_when_free(keeper)
        assert successor.credential.sealed == b"of a process that died"
        assert _renew(keeper, lease) is False

    def _credential_when_free(self, store: TokenStore) -> CredentialLease:
        waited = 0.0
        while waited < PATIENCE_SECONDS:
            lease = store.claim_credential(APPID, TOKEN, "second", LONG_TTL)
            if lease is not None:
                return lease
            self.let_pass(0.1)
            waited += 0.1
        pytest.fail("the lease did not end")


def _claim_credentials(store: TokenStore, number: int) -> list[str]:
    owner = f"process {number}"
    return [appid for appid in RACED_FOR if store.claim_credential(appid, TOKEN, owner, LONG_TTL) is not None]


def _renew_and_claim(store: TokenStore, _number: int) -> CredentialLease:
    _renew(store, _held(store), b"of a process that died")
    return _held(store, ttl=SHORT_TTL)
