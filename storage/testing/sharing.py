"""Several processes on the same data: a lease has one holder among them all, and nobody's death loses anything."""

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.synchronize import Barrier
from typing import Any

import pytest

from storage.leases import Lease
from storage.store import Capability, TokenStore
from storage.testing.base import Contract
from storage.testing.samples import (
    APPID,
    LONG_TTL,
    NOW,
    SHORT_TTL,
    a_grant,
    claimed,
    refreshed,
    skip_without,
    stored,
)

__all__ = ["PROCESSES", "SharingContract", "in_processes"]

PROCESSES = 3
#: How long a process may take to start and to do its work, in seconds.
PATIENCE_SECONDS = 60
RACED_FOR = [f"o-{number}" for number in range(40)]
DUE = [f"o-{number:03}" for number in range(150)]

Work = Callable[[TokenStore, int], Any]


@dataclass(frozen=True)
class _Job:
    """What a process does, on which store, and which of them it is."""

    kind: type[TokenStore]
    url: str
    work: Work
    number: int


class SharingContract(Contract):
    """What `claim`, `claim_due` and `save` promise to processes that know nothing of each other."""

    def test_of_processes_that_claim_at_once_one_gets_each_user(self, store: TokenStore, url: str) -> None:
        """A lock within the process is not enough."""
        skip_without(store, Capability.SHARING)
        store.save([a_grant(openid) for openid in RACED_FOR])
        claims = in_processes(PROCESSES, _claim_one_after_the_other, store, url)
        assert Counter(openid for won in claims for openid in won) == Counter(RACED_FOR)

    def test_processes_claim_each_due_user_once(self, store: TokenStore, url: str) -> None:
        """All are claimed, none twice."""
        skip_without(store, Capability.SHARING)
        skip_without(store, Capability.SCHEDULING)
        store.save([a_grant(openid, next_refresh_at=NOW) for openid in DUE])
        claims = in_processes(PROCESSES, _claim_what_is_due, store, url)
        # Who meets rows that others are about to lease may find none for a moment, and stop early.
        claims.append(_claim_what_is_due(store, PROCESSES))
        assert Counter(openid for batch in claims for openid in batch) == Counter(DUE)

    def test_what_a_killed_process_did_stays_and_its_lease_ends(self, store: TokenStore, url: str) -> None:
        """Its grants are kept; its lease keeps others out until its time, and is fenced from then on."""
        skip_without(store, Capability.SHARING)
        [(long, short)] = in_processes(1, _save_and_claim, store, url)
        assert stored(store, "o-long") == long.authorization
        assert store.claim(APPID, "o-long", "second", LONG_TTL) is None
        self.claimed_when_free(store, "second", "o-short")
        assert store.settle([refreshed(short), refreshed(long)]) == [False, True]


def _claim_one_after_the_other(store: TokenStore, number: int) -> list[str]:
    return [openid for openid in RACED_FOR if store.claim(APPID, openid, f"process {number}", LONG_TTL) is not None]


def _claim_what_is_due(store: TokenStore, number: int) -> list[str]:
    openids: list[str] = []
    while leases := store.claim_due(APPID, f"process {number}", 7, LONG_TTL, NOW):
        openids += (lease.authorization.openid for lease in leases)
    return openids


def _save_and_claim(store: TokenStore, _number: int) -> tuple[Lease, Lease]:
    store.save([a_grant("o-long"), a_grant("o-short")])
    return claimed(store, openid="o-long"), claimed(store, openid="o-short", ttl=SHORT_TTL)


def in_processes(count: int, work: Work, store: TokenStore, url: str) -> list[Any]:
    """Do the same work in several processes, all at once, and return what each of them answers."""
    context = _context_for(type(store))
    start = context.Barrier(count)
    answers, processes = [], []
    for number in range(count):
        answer, theirs = context.Pipe(duplex=False)
        job = _Job(type(store), url, work, number)
        process = context.Process(target=_work_and_die, args=(job, start, theirs))
        process.start()
        theirs.close()
        answers.append(answer)
        processes.append(process)
    try:
        return [_answered(answer) for answer in answers]
    finally:
        for process in processes:
            process.kill()
            process.join()


def _context_for(kind: type[TokenStore]) -> ForkServerContext | SpawnContext:
    """Return what starts processes that share nothing with this one; quickly, where the system can."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, kind.__module__])
    return context


def _answered(answer: Connection) -> Any:
    if not answer.poll(PATIENCE_SECONDS):
        pytest.fail("a process did not answer")
    try:
        return answer.recv()
    except EOFError:
        pytest.fail("a process failed; its standard error says why")


def _work_and_die(job: _Job, start: Barrier, answer: Connection) -> None:
    """Open the store as another process would, work, answer, and end as if killed: nothing is closed, nothing said."""
    store = job.kind.open(job.url)
    start.wait(PATIENCE_SECONDS)
    answer.send(job.work(store, job.number))
    os._exit(0)
