"""The commands as a person types them, each in a process of its own."""

import json
import re
import signal
import time
from pathlib import Path

import pytest

from service.authorization.exchange import Browser
from service.simulator.faults import Fault
from service.wechat.protocol import Account
from storage.sealing import KeyRing
from storage.sql.accounts.audit import AuditQuery
from storage.store import API_VERSION
from storage.user_search import UserQuery
from tests.docs.markdown_text import ROOT, code_blocks, read
from tests.service.harness import Page, free_port
from tests.waiting import accepts, until

pytestmark = pytest.mark.gen_test


async def authorize(service, wechat, count):
    account = Account(service.settings.appid, service.settings.secret)
    for _ in range(count):
        code = wechat.issue_code(wechat.invent_person().id)
        await service.exchange.exchange(account, code, Browser(b"b" * 32))


@pytest.fixture
def recently(clock):
    """Make the service's clock show three hours ago, so that what it authorizes is due for a command started now."""
    clock.advance(int(time.time()) - 3 * 3600 - clock.now())


@pytest.fixture
def run(start_process):
    """Run a command to its end and give its status and what it printed."""

    async def run_one(*arguments, **environment):
        process = start_process(*arguments, **environment)
        status = await process.ended()
        return status, process.log.read_text()

    return run_one


async def test_refresh_once_says_what_it_did(run, service, wechat, recently):
    assert await run("refresh", "--once") == (0, "nothing was due\n")
    await authorize(service, wechat, 5)
    assert await run("refresh", "--once") == (0, "5 refreshed\n")
    assert wechat.calls["refresh_token"] == 5


async def test_refresh_once_fails_when_something_failed(run, service, wechat, recently):
    await authorize(service, wechat, 3)
    wechat.faults.add(Fault(endpoint="refresh_token", errcode=-1, times=1))
    status, output = await run("refresh", "--once")
    assert status == 1
    assert re.fullmatch(r"(1 failed, 2 refreshed|2 refreshed, 1 failed) \(errors: 1 × -1\)\n", output), output
    [failed] = [user for user in service.vault.user_search().page(UserQuery()).users if user.refresh_failures]
    assert failed.next_refresh_at > failed.last_error_at


async def test_refresh_goes_on_and_on_until_it_is_told_to_stop(start_process, service, wechat, recently):
    await authorize(service, wechat, 3)
    process = start_process("refresh", WECHAT_OPENID_REFRESH_EVERY_SECONDS="0.1")
    await until(lambda: wechat.calls["refresh_token"] >= 3)
    process.process.send_signal(signal.SIGTERM)
    assert await process.ended() == 0


async def test_api_keys_are_shown_once_listed_and_revoked(run, http, start_server):
    server = await start_server().answers(http)
    status, key = await run("apikeys", "add", "billing")
    assert status == 0
    assert key.startswith("wok_")

    async def ask():
        url = f"{server.admin_url}/internal/authorizations/a/b/token"
        headers = {"Authorization": f"Bearer {key.strip()}"}
        return (await http.fetch(url, headers=headers, raise_error=False)).code

    assert await ask() == 404
    status, listed = await run("apikeys", "list")
    assert (status, "billing" in listed, key.strip() in listed) == (0, True, False)
    assert (await run("apikeys", "add", "billing"))[0] == 1
    assert (await run("apikeys", "revoke", "billing"))[0] == 0
    assert (await run("apikeys", "revoke", "billing"))[0] == 1
    assert await ask() == 401


async def test_limits_of_api_keys_are_listed_and_all_is_in_the_audit_log(run, service):
    appid = service.settings.appid
    options = ("--account", appid, "--can", "read-users", "--expires-in-days", "30", "--per-minute", "600")
    assert (await run("apikeys", "add", "reports", *options))[0] == 0
    assert (await run("apikeys", "add", "orders", "--account", "wx-unknown"))[0] != 0
    assert (await run("apikeys", "add", "orders"))[0] == 0
    listed = (await run("apikeys", "list"))[1]
    assert re.search(rf"reports .*can read-users, for {appid}, until \S+ \S+ UTC, 600 a minute", listed)
    assert re.search(r"orders .*can read-token$", listed, re.MULTILINE)
    assert (await run("apikeys", "revoke", "reports"))[0] == 0
    assert (await run("apikeys", "revoke", "reports"))[0] == 1
    entries = service.dashboard.audit.page(AuditQuery()).entries
    assert [(entry.operator, entry.action, entry.subject) for entry in entries] == [
        ("(command line)", "api_key_revoke", "reports"),
        ("(command line)", "api_key_add", "orders"),
        ("(command line)", "api_key_add", "reports"),
    ]
    assert entries[2].details["accounts"] == appid


async def test_a_generated_key_is_a_key(run):
    status, key = await run("keys", "generate")
    assert status == 0
    assert len(KeyRing.parse(key).key_ids) == 1


def listed_stores(output):
    """Return the rows of what `stores` prints, by name: distribution, version, API version, capabilities."""
    head, *rows = [re.split(r"  +", line, maxsplit=4) for line in output.splitlines()]
    assert head == ["NAME", "DISTRIBUTION", "VERSION", "API", "CAPABILITIES"]
    return {row[0]: row[1:] for row in rows}


async def test_stores_lists_names_distributions_versions_and_capabilities(run):
    status, output = await run("stores")
    assert status == 0
    listed = listed_stores(output)
    for name in ("memory", "redis", "sql"):
        distribution, version, api, capabilities = listed[name]
        assert (distribution, api) == ("wechat-openid", ".".join(map(str, API_VERSION)))
        assert re.match(r"\d", version)
        assert "scheduling" in capabilities
        assert ("sharing" in capabilities) == (name != "memory")
    [documented] = [code for language, code in code_blocks(read(ROOT / "docs" / "stores.md")) if language == "text"]
    assert {name: row[3] for name, row in listed_stores(documented).items()}.items() <= {
        name: row[3] for name, row in listed.items()
    }.items()


async def test_a_store_of_one_process_is_not_shared_by_workers(run):
    status, output = await run("serve", "--workers", "2", WECHAT_OPENID_TOKEN_STORE="memory")
    assert status == 1
    assert "the token store 'memory' belongs to one process: set WORKERS to 1" in output


async def test_doctor_finds_everything_well(run, service):
    status, output = await run("doctor")
    assert status == 0
    assert "good     account" in output


async def test_an_access_token_is_forced_with_a_reason_and_written_down(run, service, wechat):
    appid = service.settings.appid
    before = await service.credentials.access_token(appid)
    assert (await run("account-token", "force", appid))[0] == 2
    assert (await run("account-token", "force", appid, "--reason", " "))[0] == 2
    assert (await run("account-token", "force", "wx-nobody", "--reason", "leaked"))[0] == 2
    assert wechat.calls["stable_token"] == 1
    status, output = await run("account-token", "force", appid, "--reason", "leaked")
    assert (status, wechat.calls["stable_token"]) == (0, 2)
    assert not [secret for secret in wechat.issued_secrets() if secret in output]
    status, output = await run("account-token", "force", appid, "--reason", "again")
    assert (status, "an access token was forced" in output, wechat.calls["stable_token"]) == (1, True, 2)
    assert (await service.credentials.access_token(appid)).value != before.value
    entries = service.dashboard.audit.page(AuditQuery()).entries
    assert [(entry.operator, entry.action, entry.result, entry.appid, entry.details) for entry in entries] == [
        ("(command line)", "account_token_force", result, appid, {"comment": why})
        for why, result in (("again", "refused"), ("again", "success"), ("leaked", "success"))
    ]


async def test_doctor_asks_for_an_accounts_token_where_it_is_in_use_or_when_told_to(run, service, wechat):
    status, output = await run("doctor")
    assert (status, "access token of" in output, wechat.calls["stable_token"]) == (0, False, 0)
    status, output = await run("doctor", "--account-tokens")
    assert (status, "good     access token of" in output, wechat.calls["stable_token"]) == (0, True, 1)
    token = await service.credentials.access_token(service.settings.appid)
    wechat.account_tokens.ip_list = frozenset()
    status, output = await run("doctor")
    assert (status, "bad      access token of" in output, "invalid ip 127.0.0.1" in output) == (1, True, True)
    assert token.value not in output


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"WECHAT_OPENID_SECRET": "wrong"}, "40125"),
        ({"WECHAT_OPENID_SECRET_KEYS": "short"}, "wechat-openid keys generate"),
        ({"WECHAT_OPENID_TOKEN_STORE": "cassandra"}, "installed: memory"),
        ({"WECHAT_OPENID_WECHAT_API_URL": "http://127.0.0.1:9"}, "connection"),
    ],
)
async def test_doctor_says_what_is_bad_and_what_to_do(run, service, environment, words):
    status, output = await run("doctor", **environment)
    assert status == 1
    assert words in output
    assert "Traceback" not in output


async def test_doctor_finds_that_the_keys_of_what_is_stored_are_gone(run, service, wechat):
    await authorize(service, wechat, 1)
    status, output = await run("doctor", WECHAT_OPENID_SECRET_KEYS="")
    assert (status, "bad      token store" in output, "not in SECRET_KEYS" in output) == (1, True, True)


async def test_doctor_warns_of_the_plain_mode_of_messages(run, service):
    status, output = await run("doctor", WECHAT_OPENID_EVENT_TOKEN="token")
    assert (status, "warning  events of wx" in output) == (0, True)
    status, output = await run("doctor", WECHAT_OPENID_EVENT_TOKEN="token", WECHAT_OPENID_EVENT_AES_KEY="a" * 43)
    assert (status, "events of wx" in output) == (0, False)


async def test_doctor_names_a_distribution_that_brings_a_package_of_the_same_name(run, service, tmp_path):
    other = tmp_path / "site" / "microservices-1.0.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: microservices\nVersion: 1.0\n")
    (other / "top_level.txt").write_text("service\n")
    status, output = await run("doctor", PYTHONPATH=str(other.parent))
    assert (status, "bad      packages: microservices also brings" in output) == (1, True)


async def test_a_misspelt_setting_is_named_with_the_likely_one(run):
    status, output = await run("doctor", WECHAT_OPENID_APP_ID="wx1")
    assert status == 1
    assert "WECHAT_OPENID_APP_ID is not a setting; did you mean WECHAT_OPENID_APPID?" in output


@pytest.mark.parametrize(
    ("typed", "meant"), [("servee", "serve"), ("operator", "operators"), ("migrations", "migrate")]
)
async def test_a_misspelt_command_is_answered_with_the_likely_one(run, typed, meant):
    status, output = await run(typed)
    assert (status, f"did you mean {meant}?" in output) == (2, True)


async def test_a_command_like_no_other_is_refused_without_a_guess(run):
    status, output = await run("frobnicate")
    assert (status, "No such command" in output, "did you mean" in output) == (2, True, False)


async def test_the_demo_runs_the_main_job_and_leaves_nothing_behind(start_process, http):
    listen, admin_listen, simulator = (f"127.0.0.1:{free_port()}" for _ in range(3))
    demo = start_process("demo", "--listen", listen, "--admin-listen", admin_listen, "--simulator-listen", simulator)
    port = int(listen.rpartition(":")[2])
    await until(lambda: demo.process.poll() is not None or (accepts(port) and "The H5 page" in demo.log.read_text()))
    shown = await http.fetch(f"http://{listen}/")
    assert b"wechat-openid" in shown.body
    issued = await http.fetch(f"http://{simulator}/simulator/codes", method="POST", body="{}")
    response = await Page(http, f"http://{listen}").post_code(json.loads(issued.body)["code"])
    assert response.code == 200
    key = re.search(r"Bearer (wok_\S+)'", demo.log.read_text())[1]
    [path] = re.findall(r"http://\S+/internal/\S+/token", demo.log.read_text())
    url = path.replace("OPENID", json.loads(response.body)["openid"])
    token = await http.fetch(url, headers={"Authorization": f"Bearer {key}"})
    assert json.loads(token.body)["scope"] == "snsapi_base"
    database = Path(re.search(r"The database +(\S+)", demo.log.read_text())[1])
    assert database.exists()
    demo.process.send_signal(signal.SIGINT)
    assert await demo.ended() == 0
    assert not database.parent.exists()
