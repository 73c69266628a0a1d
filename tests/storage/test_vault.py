import asyncio
import logging
import threading
from dataclasses import replace

import pytest

from storage.activity import Activity, ActivityKind
from storage.base.errors import (
    CannotOpen,
    InvalidRecord,
    SchemaNotReady,
    StorageError,
    StoreBusy,
    StoreUnavailable,
    UnknownKey,
)
from storage.base.schema_report import SchemaState
from storage.grants import Grant
from storage.memory import MemoryTokenStore
from storage.sealing import KeyRing, Tokens, generate_key
from storage.store import Capability
from storage.user_search import UserQuery
from storage.users import Profile, Status, Use
from storage.vault import TokenVault
from tests.waiting import until

APPID = "wx0000000000000001"
NOW = 1_800_000_000
KEY = generate_key()
QUICK = {"retry_delays": (0.001,), "probe_seconds": 0.01, "wait_seconds": 0.05, "relapse_seconds": 0.0}


class BreakableStore(MemoryTokenStore):
    """A real store that can be taken down, held in its writes, and asked what it was asked."""

    def __init__(self):
        super().__init__()
        self.error = None
        self.touch_error = None
        self.save_error = None
        self.attempts = 0
        self.writable = threading.Event()
        self.writable.set()
        self.writing = threading.Event()
        self.saves = []
        self.claims = []
        self.closed = 0

    def _answer(self):
        if self.error is not None:
            raise self.error

    def save(self, grants):
        self.attempts += 1
        self.writing.set()
        self.writable.wait()
        self._answer()
        if self.save_error is not None:
            raise self.save_error
        super().save(grants)
        self.saves.append([grant.openid for grant in grants if grant.appid == APPID])

    def get(self, appid, openid):
        self._answer()
        return super().get(appid, openid)

    def claim(self, appid, openid, owner, ttl):
        self.claims.append(owner)
        return super().claim(appid, openid, owner, ttl)

    def claim_due(self, appid, owner, limit, ttl, due_at):
        self.claims.append(owner)
        return super().claim_due(appid, owner, limit, ttl, due_at)

    def touch(self, uses):
        self._answer()
        if self.touch_error is not None:
            raise self.touch_error
        super().touch(uses)

    def close(self):
        self.closed += 1
        super().close()


@pytest.fixture
def store():
    return BreakableStore()


@pytest.fixture
def changes():
    return []


@pytest.fixture
def open_vault(io_loop, store, changes):
    vaults = []

    def open_vault(keys=KEY, **options):
        vault = TokenVault(
            store,
            KeyRing.parse(keys),
            instance="host:1",
            **{**QUICK, "on_availability": changes.append, **options},
        )
        vaults.append(vault)
        return vault

    yield open_vault
    store.writable.set()
    for vault in vaults:
        io_loop.run_sync(vault.close)


@pytest.fixture
def vault(open_vault):
    return open_vault()


def a_grant(vault, openid="o-1", **changed):
    values = {
        "appid": APPID,
        "openid": openid,
        "scope": "snsapi_base",
        "tokens": vault.seal(APPID, openid, Tokens(f"access of {openid}", f"refresh of {openid}")),
        "authorized_at": NOW,
        "expires_at": NOW + 7200,
        "refresh_expires_at": NOW + 30 * 86400,
    }
    return Grant(**{**values, **changed})


async def break_down(vault, store):
    store.error = StoreUnavailable("connection refused")
    with pytest.raises(StoreUnavailable):
        await vault.get(APPID, "o-1")
    await until(lambda: not vault.available)


@pytest.mark.gen_test
async def test_a_saved_grant_can_be_read_and_opened(vault):
    await vault.save(a_grant(vault))
    authorization = await vault.get(APPID, "o-1")
    assert vault.open(authorization) == Tokens("access of o-1", "refresh of o-1")
    assert await vault.get(APPID, "o-2") is None


@pytest.mark.gen_test
async def test_grants_that_arrive_during_a_commit_share_the_next(vault, store):
    store.writable.clear()
    saving = [asyncio.ensure_future(vault.save(a_grant(vault, "o-first")))]
    await until(store.writing.is_set)
    saving += [asyncio.ensure_future(vault.save(a_grant(vault, f"o-{number}"))) for number in range(20)]
    await until(lambda: vault._grants.pending == 20)
    store.writable.set()
    await asyncio.gather(*saving)
    assert store.saves == [["o-first"], [f"o-{number}" for number in range(20)]]


@pytest.mark.gen_test
async def test_a_refused_grant_fails_alone(vault):
    grants = [a_grant(vault, f"o-{number}") for number in range(10)]
    grants[4] = replace(grants[4], expires_at=2**70)
    answers = await asyncio.gather(*map(vault.save, grants), return_exceptions=True)
    assert isinstance(answers[4], InvalidRecord)
    assert answers[:4] + answers[5:] == [None] * 9
    assert vault.available


@pytest.mark.gen_test
async def test_a_lease_is_settled_once(vault):
    await vault.save(a_grant(vault))
    lease = await vault.claim(APPID, "o-1", ttl=30)
    assert await vault.claim(APPID, "o-1", ttl=30) is None
    assert await vault.settle(lease.released()) is True
    assert await vault.settle(lease.released()) is False


@pytest.mark.gen_test
async def test_no_two_claims_share_an_owner(vault, store):
    await vault.save(a_grant(vault, next_refresh_at=NOW))
    await asyncio.gather(*[vault.claim(APPID, "o-1", ttl=30) for _ in range(10)], vault.claim_due(APPID, 5, 30, NOW))
    assert len(set(store.claims)) == 11
    assert all(owner.startswith("host:1/") for owner in store.claims)


@pytest.mark.gen_test
async def test_reads_and_single_writes_reach_the_store(vault):
    await vault.save(a_grant(vault, code_digest=b"d" * 32, code_binding=b"b" * 32))
    assert (await vault.find_by_code(b"d" * 32, NOW)).binding == b"b" * 32
    await vault.touch(Use(APPID, "o-1", NOW + 60, None))
    assert (await vault.get(APPID, "o-1")).last_used_at == NOW + 60
    assert await vault.save_profile(Profile(APPID, "o-1", "李娜😀", "", NOW)) is True
    assert [user.nickname for user in vault.user_search().page(UserQuery()).users] == ["李娜😀"]
    assert (await vault.counts()).by_status == {(APPID, Status.ACTIVE): 1}
    await vault.record([Activity(NOW, APPID, ActivityKind.EXCHANGE_FAILED, 40029, 2)])
    assert {entry.kind: entry.count for entry in await vault.activity(NOW)} == {
        ActivityKind.AUTHORIZED: 1,
        ActivityKind.EXCHANGE_FAILED: 2,
    }
    assert await vault.revoke(APPID, "o-1") is True
    assert await vault.erase(APPID, "o-1") is True
    assert await vault.get(APPID, "o-1") is None
    assert (await vault.check_schema()).state is SchemaState.CURRENT


@pytest.mark.gen_test
async def test_no_place_is_reserved_while_the_store_is_down(vault, store, changes):
    async with vault.reserve():
        pass
    await break_down(vault, store)
    with pytest.raises(StoreUnavailable):
        async with vault.reserve():
            pytest.fail("a code would be spent")
    assert changes == [False]


@pytest.mark.gen_test
async def test_a_store_that_answers_again_is_found_back(vault, store, changes):
    await break_down(vault, store)
    with pytest.raises(StoreUnavailable):
        await vault.get(APPID, "o-1")
    store.error = None
    await until(lambda: vault.available)
    assert changes == [False, True]
    async with vault.reserve():
        await vault.save(a_grant(vault))
    await break_down(vault, store)
    assert changes == [False, True, False]


@pytest.mark.parametrize(
    "error",
    [
        StoreUnavailable("read only"),
        StorageError("the database refuses a statement"),
        SchemaNotReady("run: alembic upgrade head"),
        OSError("no space left on device"),
        RuntimeError("a bug that no store should raise"),
    ],
)
@pytest.mark.gen_test
async def test_a_store_that_refuses_grants_for_whatever_reason_is_down_until_it_takes_one(vault, store, error):
    store.save_error = error
    with pytest.raises(type(error)):
        await vault.save(a_grant(vault))
    assert not vault.available
    before = store.attempts
    await until(lambda: store.attempts >= before + 2)
    assert not vault.available
    store.save_error = None
    await until(lambda: vault.available)


@pytest.mark.parametrize("error", [StoreUnavailable("no route"), StorageError("the database refuses a statement")])
@pytest.mark.gen_test
async def test_what_fails_alone_while_grants_are_taken_closes_nothing(vault, store, error):
    store.touch_error = error
    for _ in range(5):
        with pytest.raises(type(error)):
            await vault.touch(Use(APPID, "o-1", NOW, None))
        async with vault.reserve():
            await vault.save(a_grant(vault))
    assert vault.available


@pytest.mark.gen_test
async def test_missing_tables_are_an_outage_and_no_grant_is_tried_alone(vault, store):
    store.error = SchemaNotReady("run: alembic upgrade head")
    grants = [a_grant(vault, f"o-{number}") for number in range(20)]
    answers = await asyncio.gather(*(vault.save(grant) for grant in grants), return_exceptions=True)
    assert {type(answer) for answer in answers} == {SchemaNotReady}
    assert len(store.saves) <= 2
    assert not vault.available
    with pytest.raises(StoreUnavailable):
        async with vault.reserve():
            pytest.fail("a code would be spent")


@pytest.mark.gen_test
async def test_while_a_write_hangs_no_code_is_spent_and_who_waits_goes_on_with_its_end(open_vault, store):
    vault = open_vault(late_seconds=0.0, wait_seconds=60)
    store.writable.clear()
    saving = asyncio.ensure_future(vault.save(a_grant(vault)))
    await until(store.writing.is_set)
    spent = []

    async def exchange(number):
        async with vault.reserve():
            spent.append(number)
            await vault.save(a_grant(vault, f"o-{number}"))

    waiting = [asyncio.ensure_future(exchange(number)) for number in range(10)]
    await until(lambda: vault._reserved == 10)
    assert await vault.get(APPID, "o-1") is None
    assert spent == []
    store.writable.set()
    await asyncio.gather(saving, *waiting)
    assert len(spent) == 10


@pytest.mark.gen_test
async def test_who_has_waited_for_a_late_write_is_refused_before_the_code_is_spent(open_vault, store):
    vault = open_vault(late_seconds=0.0, wait_seconds=0.01)
    store.writable.clear()
    saving = asyncio.ensure_future(vault.save(a_grant(vault)))
    await until(store.writing.is_set)
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            async with vault.reserve():
                pytest.fail("a code would be spent")
    with pytest.raises(StoreUnavailable):
        await vault.check_writable()
    store.writable.set()
    await saving
    async with vault.reserve():
        pass


@pytest.mark.gen_test
async def test_a_store_whose_writes_take_almost_too_long_is_down(open_vault, store):
    vault = open_vault(slow_seconds=0.0, probe_seconds=60)
    await vault.save(a_grant(vault))
    assert store.get(APPID, "o-1") is not None
    assert not vault.available


@pytest.mark.gen_test
async def test_whether_the_store_takes_grants_is_found_out_without_one(vault, store):
    await vault.check_writable()
    assert store.attempts == 1
    await vault.check_writable()
    assert store.attempts == 1
    assert (await vault.counts()).by_status == {}


@pytest.mark.gen_test
async def test_a_store_that_refuses_grants_is_found_out_before_the_first_code(vault, store):
    store.save_error = StorageError("permission denied")
    with pytest.raises(StoreUnavailable, match="permission denied"):
        await vault.check_writable()
    with pytest.raises(StoreUnavailable, match="permission denied"):
        async with vault.reserve():
            pytest.fail("a code would be spent")


@pytest.mark.gen_test
async def test_a_failed_write_also_tells_that_the_store_is_down(vault, store, changes):
    store.error = StoreUnavailable("connection refused")
    with pytest.raises(StoreUnavailable):
        await vault.save(a_grant(vault))
    assert changes == [False]


@pytest.mark.gen_test
async def test_places_are_limited_and_given_back(open_vault):
    vault = open_vault(max_pending=2)
    async with vault.reserve():
        async with vault.reserve():
            with pytest.raises(StoreBusy):
                async with vault.reserve():
                    pytest.fail("a code would be spent")
        async with vault.reserve():
            pass
    with pytest.raises(ZeroDivisionError):
        async with vault.reserve():
            raise ZeroDivisionError
    async with vault.reserve(), vault.reserve():
        pass


@pytest.mark.gen_test
async def test_a_missing_key_is_found_among_the_oldest_and_the_newest_and_nothing_is_changed(open_vault, store):
    with_old_key = open_vault()
    for number in range(30):
        await with_old_key.save(a_grant(with_old_key, f"o-{number}"))
    before = [store.get(APPID, f"o-{number}") for number in range(30)]
    new_key = generate_key()
    with pytest.raises(UnknownKey):
        await open_vault(keys=new_key).check_keys()
    rotated = open_vault(keys=f"{new_key},{KEY}")
    await rotated.check_keys()
    await rotated.save(a_grant(rotated, "o-newest"))
    with pytest.raises(UnknownKey):
        await with_old_key.check_keys(sample=1)
    with pytest.raises(UnknownKey):
        await open_vault(keys=new_key).check_keys(sample=1)
    assert [store.get(APPID, f"o-{number}") for number in range(30)] == before


@pytest.mark.gen_test
async def test_users_without_tokens_and_stores_without_lists_need_no_keys(open_vault, store):
    vault = open_vault()
    await vault.save(a_grant(vault))
    await vault.revoke(APPID, "o-1")
    other = open_vault(keys=generate_key())
    await other.check_keys()
    await vault.save(a_grant(vault))
    store.capabilities = frozenset(Capability) - {Capability.USERS}
    await other.check_keys()
    assert other.capabilities == store.capabilities


@pytest.mark.gen_test
async def test_tokens_of_one_user_do_not_open_for_another(vault):
    await vault.save(a_grant(vault))
    authorization = await vault.get(APPID, "o-1")
    with pytest.raises(CannotOpen):
        vault.open(replace(authorization, openid="o-2"))


@pytest.mark.gen_test
async def test_closing_writes_what_waits_and_lets_go_of_the_store(vault, store):
    store.writable.clear()
    saving = [asyncio.ensure_future(vault.save(a_grant(vault, f"o-{number}"))) for number in range(3)]
    await until(store.writing.is_set)
    saving.append(asyncio.ensure_future(vault.save(a_grant(vault, "o-waiting"))))
    await until(lambda: vault._grants.pending)
    closing = asyncio.ensure_future(vault.close())
    await until(lambda: vault._gate._closing)
    assert store.closed == 0
    store.writable.set()
    await closing
    await asyncio.gather(*saving)
    assert store.closed == 1
    assert store.get(APPID, "o-waiting") is not None


@pytest.mark.gen_test
async def test_closing_while_the_store_is_down_leaves_nothing_running(open_vault, store, changes):
    vault = open_vault()
    store.error = StoreUnavailable("connection refused")
    saving = asyncio.ensure_future(vault.save(a_grant(vault)))
    await asyncio.sleep(0)
    tasks_before = asyncio.all_tasks() - {saving}
    await vault.close()
    with pytest.raises(StoreUnavailable):
        await saving
    await until(lambda: asyncio.all_tasks() <= tasks_before)
    assert not changes


@pytest.mark.gen_test
async def test_the_log_says_when_the_store_goes_and_comes_back_once_each(vault, store, caplog):
    caplog.set_level(logging.WARNING, "storage.write_gate")
    await break_down(vault, store)
    await break_down(vault, store)
    store.error = None
    await until(lambda: vault.available)
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
