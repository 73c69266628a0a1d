"""`wechat-openid migrate`, from the checkout and from an installed wheel."""

import asyncio
import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from click.testing import CliRunner

from service.cli import main
from storage.records import SchemaState
from storage.sql.engine import Database
from storage.sql.revisions import head_revision, schema_report
from tests.servers import database_of_its_own, postgresql_server
from tests.service.harness import environment_of, free_port

CHECKOUT = Path(__file__).parents[3]
SHIPPED = ("service", "storage", "admin", "alembic")

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
    assert output.startswith("0001 The tables of authorizations")
    assert output.endswith(f"The tables are as this version expects them ({head_revision()}).\n")
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


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Build the wheel from a copy of the sources, install it into an environment of its own, and give its command.

    The environment sees this one's libraries but not this checkout.
    """
    folder = tmp_path_factory.mktemp("wheel")
    sources = folder / "sources"
    for name in (one for one in SHIPPED if (CHECKOUT / one).exists()):
        shutil.copytree(CHECKOUT / name, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, sources)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder), str(sources)]
    subprocess.run([*pip, *build], check=True)
    [wheel] = folder.glob("*.whl")
    environment = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    [packages] = environment.glob("lib/python*/site-packages")
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = ["--python", str(environment / "bin" / "python"), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([*pip, *install, "--ignore-installed"], check=True)
    code = "import storage; print(storage.__file__)"
    where = subprocess.check_output([environment / "bin" / "python", "-c", code], cwd=folder, text=True)
    assert where.startswith(str(environment))
    return environment / "bin" / "wechat-openid"


async def test_an_installed_wheel_migrates_and_serves_without_the_checkout(installed, settings, wechat, tmp_path, http):
    listen, admin_listen = (f"127.0.0.1:{free_port()}" for _ in range(2))
    with database_of_its_own(postgresql_server()) as url:
        own = {
            "WECHAT_OPENID_DATABASE_URL": url,
            "WECHAT_OPENID_LISTEN": listen,
            "WECHAT_OPENID_ADMIN_LISTEN": admin_listen,
        }
        how = {"cwd": tmp_path, "env": {**environment_of(settings), **own}, "stdout": subprocess.PIPE}
        refused = await asyncio.create_subprocess_exec(installed, "serve", **how, stderr=subprocess.PIPE)
        _, complaint = await refused.communicate()
        assert refused.returncode == 1
        assert b"run: wechat-openid migrate" in complaint

        migrating = await asyncio.create_subprocess_exec(installed, "migrate", **how)
        output, _ = await migrating.communicate()
        assert migrating.returncode == 0
        assert head_revision().encode() in output

        log = tmp_path / "served.log"
        with log.open("wb") as errors:
            server = await asyncio.create_subprocess_exec(installed, "serve", **how, stderr=errors)
        try:
            while True:
                assert server.returncode is None, log.read_text()
                try:
                    ready = await http.fetch(f"http://{admin_listen}/readyz")
                    break
                except OSError:
                    await asyncio.sleep(0.05)
            assert ready.code == 200
            body = json.dumps({"code": wechat.issue_code()}).encode()
            posted = await http.fetch(f"http://{listen}/getCode", method="POST", body=body)
            assert json.loads(posted.body)["openid"]
        finally:
            server.terminate()
            await server.wait()
        assert server.returncode == 0
