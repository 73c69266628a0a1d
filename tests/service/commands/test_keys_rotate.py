"""`wechat-openid keys rotate` as a process: killed, run again, and at work while tokens are refreshed.

`make test-large` runs it over a million rows on each database instead of some thousands.
"""

import asyncio
import itertools
import os
import random
import re
import signal
from dataclasses import replace

import pytest
from click.testing import CliRunner

from service.commands.cli import main
from storage.memory import MemoryTokenStore
from storage.sealing import KeyRing, Tokens, generate_key
from storage.sql.accounts.factors.totp import TotpSecrets
from storage.sql.core.engine import Database
from storage.sql.core.migrations import upgrade
from storage.sql.tokens.store import SqlTokenStore
from storage.store import Capability
from storage.testing import a_grant
from tests.servers import database_of_its_own, mysql_server, postgresql_server
from tests.waiting import until

ROWS = int(os.environ.get("TEST_ROTATION_ROWS", "6000"))
PATIENCE_SECONDS = 60 + ROWS // 200
#: The first run is slowed down to take some seconds, so that it can be killed in the middle.
FIRST_RUN_SECONDS = 4
APPID = a_grant().appid
OLD, NEW = generate_key(), generate_key()
OLD_RING, NEW_RING = KeyRing.parse(OLD), KeyRing.parse(NEW)
OLD_ID, NEW_ID = OLD_RING.key_ids[0], NEW_RING.key_ids[0]

pytestmark = [pytest.mark.gen_test(timeout=PATIENCE_SECONDS), pytest.mark.timeout(PATIENCE_SECONDS + 10)]


@pytest.fixture(params=["sqlite", "postgresql", "mysql"])
def database_url(request, tmp_path):
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/rotated.db"
        return
    server = postgresql_server() if request.param == "postgresql" else mysql_server()
    with database_of_its_own(server) as url:
        yield url


@pytest.fixture
def store(database_url):
    database = Database.open(database_url)
    upgrade(database.engine)
    store = SqlTokenStore(database)
    yield store
    store.close()


@pytest.fixture
def settings(settings, database_url):
    return replace(settings, database_url=database_url, secret_keys=f"{NEW},{OLD}")


@pytest.fixture
def run(start_process):
    async def run_one(*arguments, **environment):
        process = start_process("keys", "rotate", *arguments, **environment)
        status = await process.ended()
        return status, process.log.read_text()

    return run_one


def fill(store, rows):
    openids = (f"o-{number:07}" for number in range(rows))
    while batch := list(itertools.islice(openids, 5000)):
        store.save([a_grant(openid, tokens=OLD_RING.seal(APPID, openid, tokens_for(openid))) for openid in batch])


def tokens_for(openid):
    return Tokens(f"access {openid}", f"refresh {openid}")


def sealed_rows(store):
    after = 0
    while page := store.sealed_page(after, 5000):
        yield from page
        after = page[-1].id


def key_of(store, openid):
    (key_id,) = NEW_RING.sealed_with(store.get(APPID, openid).tokens)
    return key_id


def refresh(store, openid):
    """Refresh a user's tokens as the service does, with the newest key; the lease is held for a moment."""
    lease = store.claim(APPID, openid, "test", 60)
    tokens = NEW_RING.seal(APPID, openid, Tokens("refreshed access", "refreshed refresh"))
    one = lease.authorization
    return store.settle(
        [
            lease.refreshed(
                tokens,
                scope=one.scope,
                refreshed_at=one.authorized_at + 7200,
                expires_at=one.expires_at + 7200,
                refresh_expires_at=one.refresh_expires_at,
                next_refresh_at=None,
            )
        ]
    )


async def test_killed_and_run_again_every_row_opens_with_the_new_key_alone(store, start_process, run):
    fill(store, ROWS)
    first, last = f"o-{0:07}", f"o-{ROWS - 1:07}"
    killed = start_process("keys", "rotate", "--rate", str(ROWS // FIRST_RUN_SECONDS))
    await until(lambda: killed.process.poll() is not None or key_of(store, first) != OLD_ID)
    assert killed.process.poll() is None, killed.log.read_text()
    killed.process.send_signal(signal.SIGKILL)
    assert await killed.ended() == -signal.SIGKILL
    assert key_of(store, last) == OLD_ID

    again = start_process("keys", "rotate")
    refreshed = set()
    while again.process.poll() is None:
        openid = f"o-{random.randrange(1, ROWS):07}"
        assert refresh(store, openid) == [True]
        refreshed.add(openid)
        await asyncio.sleep(0)
    assert await again.ended() == 0
    output = again.log.read_text()
    assert f"key {NEW_ID} (first) seals {ROWS} rows" in output
    assert f"key {OLD_ID} (older) seals 0 rows" in output
    assert 0 < int(re.search(r"^(\d+) rows are sealed anew", output, re.MULTILINE)[1]) < ROWS

    opened = 0
    for row in sealed_rows(store):
        wanted = Tokens("refreshed access", "refreshed refresh") if row.openid in refreshed else tokens_for(row.openid)
        assert NEW_RING.open(row) == wanted
        opened += 1
    assert opened == ROWS


async def test_dry_run_counts_the_rows_of_each_key_and_changes_nothing(store, run):
    fill(store, 10)
    before = list(sealed_rows(store))
    status, output = await run("--dry-run")
    assert status == 0
    assert "10 rows would be sealed anew" in output
    assert f"key {OLD_ID} (older) seals 10 rows" in output
    assert list(sealed_rows(store)) == before


async def test_a_row_that_no_key_opens_is_named_and_left(store, run):
    fill(store, 10)
    stranger = KeyRing.parse(generate_key())
    store.save([a_grant("o-lost", tokens=stranger.seal(APPID, "o-lost", tokens_for("o-lost")))])
    before = store.get(APPID, "o-lost")
    status, output = await run()
    assert status == 1
    assert "10 rows are sealed anew" in output
    assert f"key {stranger.key_ids[0]} (not in SECRET_KEYS) seals 1 rows" in output
    assert "o-lost" in output
    assert OLD not in output
    assert NEW not in output
    assert store.get(APPID, "o-lost") == before


async def test_secrets_of_operators_apps_are_sealed_anew_too(store, run, database_url):
    database = Database.open(database_url)
    secrets = [TotpSecrets(database, ring) for ring in (OLD_RING, NEW_RING, KeyRing.parse(generate_key()))]
    secrets[0].propose(1, "JBSWY3DPEHPK3PXP")
    assert "1 secrets of operators' apps would be sealed anew." in (await run("--dry-run"))[1]
    status, output = await run()
    assert status == 0
    assert "1 secrets of operators' apps are sealed anew." in output
    assert secrets[1].proposed(1) == "JBSWY3DPEHPK3PXP"
    secrets[2].propose(2, "JBSWY3DPEHPK3PXP")
    status, output = await run()
    assert status == 1
    assert "operator|2" in output
    database.close()


async def test_an_empty_store_is_no_error(run, store):
    assert await run() == (0, "Sealing\nNo tokens are stored.\n")


class CannotReseal(MemoryTokenStore):
    capabilities = frozenset({Capability.USERS})


def test_a_store_that_cannot_reseal_is_refused(monkeypatch):
    monkeypatch.setattr("service.commands.keys.open_store", lambda _settings: CannotReseal())
    monkeypatch.setenv("WECHAT_OPENID_SECRET_KEYS", NEW)
    result = CliRunner().invoke(main, ["keys", "rotate"])
    assert result.exit_code == 1
    assert "the token store 'sql' cannot replace sealed tokens" in result.output
