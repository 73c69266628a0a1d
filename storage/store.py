"""`TokenStore`: the contract that every store of authorizations keeps, ours and third parties'.

A store is synchronous: the vault calls it from threads of its own, several at once, so an instance must be safe to
share between threads. Tokens arrive sealed; a store never needs to, and never can, look into them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import ClassVar, Self

from storage.activity import Activity
from storage.base.risks import StoreRisk
from storage.base.schema_report import SchemaReport
from storage.credentials.contract import CredentialStore
from storage.grants import Grant, RedeemedCode, Resealing, SealedRow
from storage.leases import Lease, Outcome
from storage.user_search import UserSearch
from storage.users import Authorization, Counts, Profile, Use

__all__ = ["API_VERSION", "METHODS_OF", "Capability", "TokenStore"]

#: Major and minor version of this contract. A store made for another major version is refused.
API_VERSION = (2, 3)


class Capability(StrEnum):
    """What a store may leave out. Without one its methods (`METHODS_OF`) are not called, and need not be written."""

    SCHEDULING = "scheduling"  #: claiming what is due, for scheduled refresh
    USERS = "users"  #: lists, search and counts of users, for the dashboard
    ACTIVITY = "activity"  #: counts by the hour of what happened
    PROFILES = "profiles"  #: names and avatars
    EXTERNAL_IDS = "external_ids"  #: by what backends know their users
    RESEALING = "resealing"  #: walking all rows to seal them with a new key
    ACCOUNT_CREDENTIALS = "account_credentials"  #: accounts' own access tokens and tickets
    SHARING = "sharing"  #: other processes that open the same URL see the same data


#: What each capability asks for.
METHODS_OF: Mapping[Capability, Sequence[str]] = {
    Capability.SCHEDULING: ("claim_due",),
    Capability.USERS: ("user_search", "counts"),
    Capability.ACTIVITY: ("activity", "record"),
    Capability.PROFILES: ("save_profile",),
    Capability.EXTERNAL_IDS: ("set_external_id",),
    Capability.RESEALING: ("sealed_page", "reseal"),
    Capability.ACCOUNT_CREDENTIALS: (
        "credentials",
        "claim_credential",
        "settle_credential",
        "touch_credential",
        "reseal_credential",
    ),
    Capability.SHARING: (),
}


class TokenStore(CredentialStore, ABC):
    """Keeps authorizations, one for each pair of appid and openid.

    Every method may raise `StoreUnavailable` when the store does not answer; the call may then be repeated.
    Leases are compared on the store's own clock, so that hosts whose clocks differ agree about them.
    """

    api_version: ClassVar[tuple[int, int]] = API_VERSION
    #: A store that says nothing keeps no credentials of accounts: earlier ones say nothing, and have not the methods.
    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability) - {Capability.ACCOUNT_CREDENTIALS}

    @classmethod
    @abstractmethod
    def open(cls, url: str) -> Self:
        """Make a store from the `DATABASE_URL` setting.

        It need not connect yet, and must not create or change tables.

        Raises:
            ValueError: The URL is not one for this store; the text says what it should be and holds no password.
        """

    @abstractmethod
    def save(self, grants: Sequence[Grant]) -> None:
        """Store grants of new exchanges, all or none of them.

        When it returns, they survive a crash. A grant replaces what the user had: tokens, times, status and failures,
        raises the version and ends any lease, so that a refresh under way can no longer write. But a scope without
        `snsapi_userinfo` does not replace one with it that is alive (active, and `refresh_expires_at` later than the
        grant's `authorized_at`): then it is held beside that, as `Authorization.fallback`, in the place of any that
        was, and of the row itself only the code, `authorized_at` and `last_used_at` change: neither version nor lease
        do. A grant that replaces another removes the fallback. A unionid of None never replaces one that is known, but
        for that of a snapshot page's virtual user by a person's, or the other way round. Several grants of one user in
        a call count in their order.

        Raises:
            InvalidRecord: One of them cannot be stored; none was.
        """

    def probe(self, grants: Sequence[Grant]) -> None:
        """Store grants that are nobody's, as `save` would, and remove them; nobody ever sees them.

        It is asked whether a store takes grants, without a code at stake. So it must do all that `save` does, down to
        what makes a write durable: a full disk must fail it. Afterwards the store is as it was; what counts and ids
        are made of may go up. Without a method of its own, a store is asked by `touch` to write down a use of nobody,
        which leaves nothing behind, either.

        Args:
            grants: Of an appid that no account has.
        """
        self.touch([Use(one.appid, one.openid, one.authorized_at, None) for one in grants])

    @abstractmethod
    def get(self, appid: str, openid: str) -> Authorization | None:
        """Return an authorization with its sealed tokens, or None."""

    @abstractmethod
    def find_by_code(self, digest: bytes, since: int) -> RedeemedCode | None:
        """Return what the code of this digest itself gave, if it was exchanged at `since` or later; None otherwise."""

    @abstractmethod
    def claim(self, appid: str, openid: str, owner: str, ttl: int) -> Lease | None:
        """Lease one active authorization for `ttl` seconds, at most `storage.leases.LONGEST_LEASE_SECONDS`.

        Raises the version. Returns None when it does not exist, is not active, or is leased (`owner`
        included) for longer. Of any number of callers at once, at most one gets it.
        """

    def claim_due(self, appid: str, owner: str, limit: int, ttl: int, due_at: int) -> list[Lease]:
        """Lease up to `limit` active authorizations of an account whose `next_refresh_at` is at or before `due_at`.

        The longest due first, as far as other claimers at work allow. Each is claimed as by `claim`; no two callers
        get the same one.
        """
        raise NotImplementedError

    def reschedule(self, obtained_after: int, due_at: int) -> int:  # noqa: ARG002 - for stores that have it
        """Make refreshes due at `due_at` that are scheduled for later, of tokens that were obtained after a moment.

        It is asked for when the clock was set back: those tokens' times are of the clock as it was before. Without a
        method of its own, such tokens are refreshed when they are used.

        Returns:
            How many.
        """
        return 0

    @abstractmethod
    def settle(self, outcomes: Sequence[Outcome]) -> list[bool]:
        """Write what became of leased authorizations and end their leases, in one transaction.

        Returns for each whether it was written. One whose authorization has since been claimed again, granted anew,
        revoked or erased changes nothing and is False.

        A rejection makes the fallback that is held at that moment take over, if its refresh token ends later: scope,
        tokens, their ends, snapshot flag and unionid (as in `save`) become its, the user stays active, failures and
        `refreshed_at` are cleared, and `next_refresh_at` becomes the moment of the rejection where there is a
        schedule. Otherwise the user must authorize again, and a fallback is forgotten.

        Raises:
            InvalidRecord: One of them cannot be stored; none was.
        """

    @abstractmethod
    def touch(self, uses: Sequence[Use]) -> None:
        """Note that tokens were used: `last_used_at` never moves back; a missing schedule is set where active."""

    def save_profile(self, profile: Profile) -> bool:
        """Store a profile; False when there is no such authorization."""
        raise NotImplementedError

    def set_external_id(self, appid: str, openid: str, external_id: str | None) -> bool:
        """Store by what a backend knows a user; None forgets it. False when there is no such authorization.

        Only an erasure forgets it besides: grants, refreshes and revocations leave it. Several users may have the same.

        Raises:
            InvalidRecord: It is not valid Unicode.
        """
        raise NotImplementedError

    def user_search(self, limit_seconds: float) -> UserSearch:
        """Return what lists, searches and counts users.

        Args:
            limit_seconds: How long one answer may take.
        """
        raise NotImplementedError

    def counts(self) -> Counts:
        """Count authorizations by appid and status."""
        raise NotImplementedError

    def activity(self, since: int) -> list[Activity]:
        """Return what happened in the hours from that of `since` on, in the order of the hours.

        `save` counts grants, `settle` counts refreshes, failures and rejections that were written.
        """
        raise NotImplementedError

    def record(self, activities: Sequence[Activity]) -> None:
        """Add to the counts of what happened, for events that write nothing else."""
        raise NotImplementedError

    @abstractmethod
    def revoke(self, appid: str, openid: str) -> bool:
        """End an authorization and forget its tokens, its fallback and its code; a new exchange opens it again.

        False when there is none.
        """

    @abstractmethod
    def erase(self, appid: str, openid: str, *, authorized_before: int | None = None) -> bool:
        """Delete everything about a user; nothing brings it back. False when nothing was deleted.

        Args:
            appid: The account.
            openid: The user.
            authorized_before: Delete only where `authorized_at` is earlier. The comparison and the deletion are one
                step: an authorization that is saved meanwhile is either compared or not deleted.
        """

    def sealed_page(self, after: int, limit: int) -> list[SealedRow]:
        """Return up to `limit` authorizations that hold tokens, by rising id, of those whose id is above `after`.

        Followed by the last id of each page until one is empty, it gives every authorization that stays meanwhile.
        """
        raise NotImplementedError

    def reseal(self, changes: Sequence[Resealing]) -> list[bool]:
        """Replace sealed tokens by the same ones under another key, each where it still is the one that was read.

        Nothing else changes: a refresh under way keeps its lease and may settle afterwards. Returns for each whether
        it was written; one whose tokens have been replaced, revoked or erased since changes nothing and is False.
        """
        raise NotImplementedError

    def migrate(self, progress: Callable[[str], None]) -> None:
        """Bring what is stored to the layout that this version expects, where it is behind.

        Of several callers at once each may do a part; whatever broke off before is gone on with.

        Args:
            progress: Called with a line for people after each step.
        """

    @abstractmethod
    def check_schema(self) -> SchemaReport:
        """Ask the store whether it answers and how its tables stand to the code."""

    def risks(self) -> Sequence[StoreRisk]:
        """Look at how the server is set up: return what it may lose of what it has taken.

        Raises:
            StorageError: It is set up to lose users, and the settings do not allow that. The service does not start.
        """
        return ()

    @abstractmethod
    def close(self) -> None:
        """Let go of connections. Calling it twice is harmless."""
