"""`wechat-openid migrate`."""

import re

import pytest
from click.testing import CliRunner

from service.commands.cli import main
from storage.base.schema_report import SchemaState
from storage.redis.store import RedisTokenStore
from storage.sql.core.engine import Database
from storage.sql.core.revisions import head_revision, schema_report
from storage.testing import a_grant
from tests.servers import redis_prefix_of_its_own, redis_server

pytestmark = pytest.mark.gen_test


@pytest.fixture
def run(start_process):
    async def run_one(*arguments, **environment):
        process = start_process("migrate", *arguments, **environment)
        status = await process.ended()
        return status, process.log.read_text()

    return run_one


def state_of(url):
    database = Database.open(url)
    try:
        return database.read(schema_report).state
    finally:
        database.close()


async def test_says_what_it_did_and_does_it_once(run, settings):
    status, output = await run()
    assert status == 0
    *applied, last = output.splitlines()
    assert all(re.fullmatch(r"\d{4} [A-Z].{5,80}", line) for line in applied)
    assert [line[:4] for line in applied] == [f"{number:04}" for number in range(1, int(head_revision()) + 1)]
    assert last == f"The tables are as this version expects them ({head_revision()})."
    assert state_of(settings.database_url) is SchemaState.CURRENT
    assert await run() == (0, f"The tables are as this version expects them ({head_revision()}).\n")


def test_reads_the_configuration_file(monkeypatch, tmp_path):
    monkeypatch.delenv("WECHAT_OPENID_DATABASE_URL", raising=False)
    url = f"sqlite:///{tmp_path}/named-in-the-file.db"
    config = tmp_path / "settings.toml"
    config.write_text(f'database_url = "{url}"\n')
    result = CliRunner().invoke(main, ["--config", str(config), "migrate"])
    assert result.exit_code == 0, result.output
    assert state_of(url) is SchemaState.CURRENT


async def test_statements_are_printed_and_nothing_is_connected_to(run):
    status, output = await run("--sql", WECHAT_OPENID_DATABASE_URL="postgres://user:p4ssw0rd@nowhere.invalid/name")
    assert status == 0
    assert "CREATE TABLE authorizations" in output
    assert "p4ssw0rd" not in output
    status, output = await run("--sql", "--since", head_revision())
    assert (status, "CREATE TABLE" in output) == (0, False)


@pytest.mark.parametrize(
    ("arguments", "url", "words"),
    [
        ((), "oracle://user:p4ssw0rd@host/name", "no supported database"),
        ((), "postgresql://user:p4ssw0rd@127.0.0.1:9/name", "does not answer"),
        (("--sql", "--since", "nonsense"), "sqlite:///any.db", "nonsense"),
        (("--since", "0001"), "sqlite:///any.db", "--since goes with --sql"),
    ],
)
async def test_what_cannot_be_done_is_said_in_a_sentence(run, arguments, url, words):
    status, output = await run(*arguments, WECHAT_OPENID_DATABASE_URL=url)
    assert status != 0
    assert words in output
    assert "Traceback" not in output
    assert "p4ssw0rd" not in output


async def test_a_token_store_elsewhere_is_migrated_too(run):
    with redis_prefix_of_its_own(redis_server()) as url:
        store = RedisTokenStore.open(url)
        store.save([a_grant()])
        store._redis.client.set(store._redis.key("layout"), 1)
        status, output = await run(WECHAT_OPENID_TOKEN_STORE="redis", WECHAT_OPENID_TOKEN_STORE_URL=url)
        assert (status, output.splitlines()[-1]) == (0, "Redis: what is stored has layout 2 now")
        assert store.check_schema().state is SchemaState.CURRENT
        store.close()


async def test_a_token_store_in_another_database_is_migrated_too(run, tmp_path):
    url = f"sqlite:///{tmp_path}/tokens.db"
    status, output = await run(WECHAT_OPENID_TOKEN_STORE_URL=url)
    assert status == 0, output
    assert state_of(url) is SchemaState.CURRENT
