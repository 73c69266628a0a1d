"""`TokenVault`: the asynchronous interface of a token store. It seals, groups commits, and never blocks the event loop.

While the store takes no grants, `reserve` refuses new exchanges, so that no code is spent on what could not be stored.
"""

import asyncio
import functools
import itertools
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from storage.activity import Activity
from storage.base.errors import InvalidRecord, SealError, StorageError, StoreBusy, StoreTooSlow, StoreUnavailable
from storage.base.risks import StoreRisk
from storage.base.schema_report import SchemaReport
from storage.grants import Grant, RedeemedCode, SealedTokens
from storage.group_commit import GroupCommit, answering_none
from storage.leases import Lease, Outcome
from storage.probe import probe_grants
from storage.sealing import KeyRing, Tokens
from storage.store import Capability, TokenStore
from storage.user_search import UserFilter, UserQuery, UserSearch
from storage.users import Authorization, Counts, Profile, Status, Use
from storage.write_gate import WriteGate

__all__ = ["TokenVault"]

T = TypeVar("T")

_logger = logging.getLogger(__name__)

#: How long listing the newest or the oldest active users may take before the start.
_KEY_CHECK_SECONDS = 60
#: Failures that say nothing about whether grants can be stored.
_OTHER_FAILURES = (InvalidRecord, SealError, StoreBusy, StoreTooSlow)


class TokenVault:
    """Everything the service does with stored authorizations. Belongs to one event loop.

    Every method may raise `StoreUnavailable`.

    Args:
        store: Where authorizations are kept.
        keys: What seals their tokens.
        instance: A name for this process that no other has; it marks the leases.
        max_pending: Writes that may wait before new exchanges are refused.
        readers: Threads for reads.
        retry_delays: Pauses in seconds before grants are tried again while the store is unavailable. Their codes are
            spent, so they are tried almost as long as a page waits.
        late_seconds: How long a write may be under way before new exchanges wait for its end.
        slow_seconds: How long it may take before new exchanges are refused until the store is faster. Together with
            the write before it and with WeChat, it must fit into the time that a page waits.
        probe_seconds: How soon a store that failed is asked whether it is back.
        wait_seconds: How long an exchange waits where it is not known yet whether the store takes its grant.
        relapse_seconds: How soon a code is risked again where a store failed that had seemed to be back.
        on_availability: Called with False when the store stops taking grants, with True when it takes them again.
        on_ended: Called in a thread with the account and the user of what was revoked (False) or erased (True).
    """

    def __init__(
        self,
        store: TokenStore,
        keys: KeyRing,
        *,
        instance: str,
        max_pending: int = 4096,
        readers: int = 4,
        retry_delays: Sequence[float] = (0.05, 0.2, 0.5, 1.0, 1.5),
        late_seconds: float = 0.25,
        slow_seconds: float = 2.0,
        probe_seconds: float = 0.5,
        wait_seconds: float = 2.0,
        relapse_seconds: float = 10.0,
        on_availability: Callable[[bool], None] = lambda _: None,
        on_ended: Callable[[str, str, bool], None] = lambda _appid, _openid, _erased: None,
    ) -> None:
        self._store = store
        self._keys = keys
        self._instance = instance
        self._on_ended = on_ended
        self._claim_numbers = itertools.count(1)
        self._max_pending = max_pending
        self._reserved = 0
        self._late_seconds = late_seconds
        self._slow_seconds = slow_seconds
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-writer")
        # Reads have threads of their own: a live token must not wait behind writes that wait for a lock.
        self._single_writers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="store-single-writer")
        self._readers = ThreadPoolExecutor(max_workers=readers, thread_name_prefix="store-reader")
        self._grants = GroupCommit(
            answering_none(store.save), self._writer, max_pending=max_pending, retry_delays=retry_delays
        )
        self._outcomes = GroupCommit(store.settle, self._writer, max_pending=max_pending)
        self._uses = GroupCommit(answering_none(store.touch), self._writer, max_pending=max_pending)
        self._gate = WriteGate(
            self._probe,
            self._is_late,
            probe_seconds=probe_seconds,
            wait_seconds=wait_seconds,
            relapse_seconds=relapse_seconds,
            on_availability=on_availability,
        )

    @property
    def available(self) -> bool:
        """Whether the store takes grants, as far as is known."""
        return self._gate.available

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the store can do."""
        return self._store.capabilities

    @property
    def instance(self) -> str:
        """The name of this process."""
        return self._instance

    def user_search(self, limit_seconds: float = 2.0) -> UserSearch | None:
        """Return what lists and searches users, if the store has the capability. Its methods block.

        Args:
            limit_seconds: How long one answer may take.
        """
        return self._store.user_search(limit_seconds) if Capability.USERS in self._store.capabilities else None

    @asynccontextmanager
    async def reserve(self) -> AsyncIterator[None]:
        """Make sure, before a code is spent, that its grant can be stored; wait a moment where that is open.

        Raises:
            StoreUnavailable: The store takes no grants, or has not confirmed the last ones yet.
            StoreBusy: Too many grants wait already.
        """
        if self._reserved >= self._max_pending:
            raise StoreBusy(f"{self._reserved} exchanges are under way")
        self._reserved += 1
        try:
            is_trial = await self._gate.enter()
            try:
                yield
            finally:
                self._gate.leave(is_trial)
        finally:
            self._reserved -= 1

    async def check_writable(self) -> None:
        """Make sure that the store takes grants: from what it took a moment ago, or by one that is removed again.

        Raises:
            StoreUnavailable: It does not, or has not confirmed its last writes yet.
        """
        await self._gate.check()

    def seal(self, appid: str, openid: str, tokens: Tokens) -> SealedTokens:
        """Seal tokens for the row of this user, with the newest key."""
        return self._keys.seal(appid, openid, tokens)

    def open(self, authorization: Authorization) -> Tokens:
        """Open an authorization's tokens.

        Raises:
            SealError: The key is missing, or the values were altered or moved.
        """
        return self._keys.open(authorization)

    async def save(self, grant: Grant) -> None:
        """Store a grant; when this returns, it survives a crash. Grants of the same moment share a commit.

        Raises:
            InvalidRecord: The store refuses this grant.
        """
        try:
            await self._grants.submit(grant)
        except InvalidRecord as error:
            self._gate.refused(error)
            raise
        except StoreBusy:
            raise
        except Exception as error:
            # Whatever it was, the next grant would fare no better.
            self._gate.failed(error)
            raise
        if self._grants.last_seconds > self._slow_seconds:
            self._gate.failed(_too_slow(self._grants.last_seconds))
        else:
            self._gate.stored()

    async def settle(self, outcome: Outcome) -> bool:
        """Write what became of a lease; False when the authorization has changed hands since."""
        return await self._watched(self._outcomes.submit(outcome))

    async def touch(self, use: Use) -> None:
        """Note that a user's token was used."""
        await self._watched(self._uses.submit(use))

    async def get(self, appid: str, openid: str) -> Authorization | None:
        """Return an authorization, tokens sealed, or None."""
        return await self._read(lambda: self._store.get(appid, openid))

    async def find_by_code(self, digest: bytes, since: int) -> RedeemedCode | None:
        """Return what a code gave, if it was exchanged at `since` or later."""
        return await self._read(lambda: self._store.find_by_code(digest, since))

    async def claim(self, appid: str, openid: str, ttl: int) -> Lease | None:
        """Lease an active authorization for `ttl` seconds; None when it is leased already."""
        owner = self._new_owner()
        return await self._write(lambda: self._store.claim(appid, openid, owner, ttl))

    async def claim_due(self, appid: str, limit: int, ttl: int, due_at: int) -> list[Lease]:
        """Lease up to `limit` authorizations whose refresh is due at `due_at`."""
        owner = self._new_owner()
        return await self._write(lambda: self._store.claim_due(appid, owner, limit, ttl, due_at))

    async def reschedule(self, obtained_after: int, due_at: int) -> int:
        """Make refreshes of tokens obtained after a moment due; see `TokenStore.reschedule`."""
        return await self._write(lambda: self._store.reschedule(obtained_after, due_at))

    async def save_profile(self, profile: Profile) -> bool:
        """Store a profile; False when there is no such authorization."""
        return await self._write(lambda: self._store.save_profile(profile))

    async def set_external_id(self, appid: str, openid: str, external_id: str | None) -> bool:
        """Store by what a backend knows a user; None forgets it. False when there is no such user."""
        return await self._write(lambda: self._store.set_external_id(appid, openid, external_id))

    async def counts(self) -> Counts:
        """Count authorizations by appid and status."""
        return await self._read(self._store.counts)

    async def activity(self, since: int) -> list[Activity]:
        """Return what happened in the hours from that of `since` on."""
        return await self._read(lambda: self._store.activity(since))

    async def record(self, activities: list[Activity]) -> None:
        """Add to the counts of what happened."""
        await self._write(lambda: self._store.record(activities))

    async def revoke(self, appid: str, openid: str) -> bool:
        """End an authorization and forget its tokens; False when there is none."""
        return await self._write(lambda: self._ended(appid, openid, self._store.revoke(appid, openid), erased=False))

    async def erase(self, appid: str, openid: str, *, authorized_before: int | None = None) -> bool:
        """Delete everything about a user who authorized before a moment, if one is given; False if nothing was."""
        erase = functools.partial(self._store.erase, appid, openid, authorized_before=authorized_before)
        if erased := await self._write(lambda: self._ended(appid, openid, erase(), erased=True)):
            _logger.info("erased user %s %s", appid, openid)  # `wechat-openid restored` reads such lines
        return erased

    async def check_schema(self) -> SchemaReport:
        """Ask the store whether it answers and how its tables stand to the code."""
        return await self._read(self._store.check_schema)

    async def risks(self) -> Sequence[StoreRisk]:
        """Return what the store may lose, as its server is set up.

        Raises:
            StorageError: It is set up to lose users, and the settings do not allow that.
        """
        return await self._read(self._store.risks)

    async def check_keys(self, sample: int = 10) -> None:
        """Open the tokens of some of the newest and of the oldest users, to find a missing key before it hurts.

        Raises:
            SealError: One does not open. Nothing was changed.
        """
        search = self.user_search(_KEY_CHECK_SECONDS)
        if search is None:
            return
        for descending in (True, False):
            query = UserQuery(filter=UserFilter(status=Status.ACTIVE), descending=descending, limit=sample)
            for user in (await self._read(functools.partial(search.page, query))).users:
                authorization = await self.get(user.appid, user.openid)
                if authorization is not None and authorization.status is Status.ACTIVE:
                    self.open(authorization)
                    if authorization.fallback is not None:
                        self._keys.open_tokens(user.appid, user.openid, authorization.fallback.tokens)

    async def close(self) -> None:
        """Write what waits, then let go of the store."""
        await self._gate.close()
        for queue in (self._grants, self._outcomes, self._uses):
            await queue.drain()
        await asyncio.get_running_loop().run_in_executor(None, self._shut_down)

    def _shut_down(self) -> None:
        self._writer.shutdown()
        self._single_writers.shutdown()
        self._readers.shutdown()
        self._store.close()

    def _ended(self, appid: str, openid: str, was_there: bool, *, erased: bool) -> bool:
        if was_there:
            self._on_ended(appid, openid, erased)
        return was_there

    def _new_owner(self) -> str:
        """Name a claim; no two claims share a name, so that an old one is never taken for a new one."""
        return f"{self._instance}/{next(self._claim_numbers)}"

    async def _read(self, call: Callable[[], T]) -> T:
        return await self._watched(asyncio.get_running_loop().run_in_executor(self._readers, call))

    async def _write(self, call: Callable[[], T]) -> T:
        return await self._watched(asyncio.get_running_loop().run_in_executor(self._single_writers, call))

    async def _watched(self, future: "asyncio.Future[T]") -> T:
        try:
            return await future
        except StorageError as error:
            if not isinstance(error, _OTHER_FAILURES):
                self._gate.doubt(error)
            raise
        finally:
            self._gate.look_again()

    def _is_late(self) -> bool:
        # They share a thread: whichever of them is held up, the next grant would be, too.
        return any(queue.is_late(self._late_seconds) for queue in (self._grants, self._outcomes, self._uses))

    async def _probe(self, count: int) -> None:
        """Store and remove grants that are nobody's, in the writer's thread, as exchanges would.

        Raises:
            StoreUnavailable: It took too long. Whatever the store raises is raised, too.
        """
        grants = probe_grants(self._keys, count)
        began_at = time.monotonic()
        await asyncio.get_running_loop().run_in_executor(self._writer, self._store.probe, grants)
        seconds = time.monotonic() - began_at
        if seconds > self._slow_seconds:
            raise _too_slow(seconds)


def _too_slow(seconds: float) -> StoreUnavailable:
    return StoreUnavailable(f"the store took {seconds:.1f} s to confirm a write")
