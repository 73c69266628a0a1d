"""`TokenVault`: the asynchronous face of a token store. Seals, groups commits, keeps blocking work off the event loop.

It also knows whether the store answers: while it does not, `reserve` refuses new exchanges, so that no user's code is
spent on an authorization that could not be stored.
"""

import asyncio
import functools
import itertools
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from storage.activity import Activity
from storage.base.errors import SchemaNotReady, StorageError, StoreBusy, StoreUnavailable
from storage.base.schema_report import SchemaReport
from storage.grants import Grant, RedeemedCode, SealedTokens
from storage.group_commit import GroupCommit
from storage.leases import Lease, Outcome
from storage.sealing import KeyRing, Tokens
from storage.store import Capability, TokenStore
from storage.user_search import UserFilter, UserQuery, UserSearch
from storage.users import Authorization, Counts, Profile, Status, Use

__all__ = ["TokenVault"]

T = TypeVar("T")

#: Writing down a use of nobody changes nothing, and succeeds only where the store can write.
_NOBODY = Use("", "", used_at=0, next_refresh_at=None)
_LONGEST_PROBE_SECONDS = 30.0
#: How long listing the newest or the oldest active users may take before the start.
_KEY_CHECK_SECONDS = 60

_logger = logging.getLogger(__name__)


class TokenVault:
    """Everything the service does with stored authorizations. Belongs to one event loop.

    Every method may raise `StoreUnavailable`.

    Args:
        store: Where authorizations are kept.
        keys: What seals their tokens.
        instance: A name for this process that no other has; it marks the leases.
        max_pending: Writes that may wait before new exchanges are refused.
        readers: Threads for reads.
        probe_seconds: How soon an unavailable store is asked whether it is back; later each time that it turns out
            not to be, up to half a minute.
        on_availability: Called with False when the store stops answering, with True when it is back.
    """

    def __init__(
        self,
        store: TokenStore,
        keys: KeyRing,
        *,
        instance: str,
        max_pending: int = 4096,
        readers: int = 4,
        probe_seconds: float = 0.5,
        on_availability: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._keys = keys
        self._instance = instance
        self._claim_numbers = itertools.count(1)
        self._max_pending = max_pending
        self._reserved = 0
        self._probe_seconds = probe_seconds
        self._next_probe_seconds = probe_seconds
        self._on_availability = on_availability
        self._probing: asyncio.Task[None] | None = None
        self._closing = False
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-writer")
        # Reads have threads of their own: a live token must not wait behind writes that wait for a lock.
        self._single_writers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="store-single-writer")
        self._readers = ThreadPoolExecutor(max_workers=readers, thread_name_prefix="store-reader")
        self._grants = GroupCommit(_answering_none(store.save), self._writer, max_pending=max_pending)
        self._outcomes = GroupCommit(store.settle, self._writer, max_pending=max_pending)
        self._uses = GroupCommit(_answering_none(store.touch), self._writer, max_pending=max_pending)

    @property
    def available(self) -> bool:
        """Whether the store answered when it was last asked."""
        return self._probing is None

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

    @contextmanager
    def reserve(self) -> Iterator[None]:
        """Make sure of a place for one grant before its code is spent.

        Raises:
            StoreUnavailable: The store is known to be down.
            StoreBusy: Too many grants wait already.
        """
        if self._probing is not None:
            raise StoreUnavailable("the store is down")
        if self._reserved >= self._max_pending:
            raise StoreBusy(f"{self._reserved} exchanges are under way")
        self._reserved += 1
        try:
            yield
        finally:
            self._reserved -= 1

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
        await self._watched(self._grants.submit(grant))
        self._next_probe_seconds = self._probe_seconds

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
        """Lease an active authorization for `ttl` seconds; None when somebody else holds it."""
        owner = self._new_owner()
        return await self._write(lambda: self._store.claim(appid, openid, owner, ttl))

    async def claim_due(self, appid: str, limit: int, ttl: int, due_at: int) -> list[Lease]:
        """Lease up to `limit` authorizations whose refresh is due at `due_at`."""
        owner = self._new_owner()
        return await self._write(lambda: self._store.claim_due(appid, owner, limit, ttl, due_at))

    async def save_profile(self, profile: Profile) -> bool:
        """Store a profile; False when there is no such authorization."""
        return await self._write(lambda: self._store.save_profile(profile))

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
        return await self._write(lambda: self._store.revoke(appid, openid))

    async def erase(self, appid: str, openid: str, *, authorized_before: int | None = None) -> bool:
        """Delete everything about a user who authorized before a moment, if one is given; False if nothing was."""
        return await self._write(lambda: self._store.erase(appid, openid, authorized_before=authorized_before))

    async def check_schema(self) -> SchemaReport:
        """Ask the store whether it answers and how its tables stand to the code."""
        return await self._read(self._store.check_schema)

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

    async def close(self) -> None:
        """Write what waits, then let go of the store."""
        self._closing = True
        for queue in (self._grants, self._outcomes, self._uses):
            await queue.drain()
        if self._probing is not None:
            self._probing.cancel()
        await asyncio.get_running_loop().run_in_executor(None, self._shut_down)

    def _shut_down(self) -> None:
        self._writer.shutdown()
        self._single_writers.shutdown()
        self._readers.shutdown()
        self._store.close()

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
        except (StoreUnavailable, SchemaNotReady) as error:
            self._note_unavailable(error)
            raise

    def _note_unavailable(self, error: StorageError) -> None:
        if self._probing is None and not self._closing:
            _logger.error("the store is down; exchanges are refused until it is back: %s", error)
            self._on_availability(False)
            self._probing = asyncio.ensure_future(self._probe())

    async def _probe(self) -> None:
        """Ask the store until it answers.

        It is asked to write, in the writer's thread: a store that still hangs in a write, or that lets only read, is
        not back. Where the next grant cannot be stored all the same (a full disk), the pauses grow, so that few
        codes are spent in vain.
        """
        pause = self._next_probe_seconds
        self._next_probe_seconds = min(2 * pause, _LONGEST_PROBE_SECONDS)
        while True:
            await asyncio.sleep(pause)
            try:
                await asyncio.get_running_loop().run_in_executor(self._writer, self._store.touch, [_NOBODY])
            except Exception as error:  # noqa: BLE001 - whatever it raises, the store is not back and is asked again
                _logger.debug("the store is still down: %s", type(error).__name__)
                continue
            self._probing = None
            self._on_availability(True)
            _logger.warning("the store is back")
            return


def _answering_none(write: Callable[[list[T]], None]) -> Callable[[list[T]], list[None]]:
    """Give a write without results the shape that `GroupCommit` wants."""

    def write_and_answer(items: list[T]) -> list[None]:
        write(items)
        return [None] * len(items)

    return write_and_answer
