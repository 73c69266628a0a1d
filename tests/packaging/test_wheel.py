"""The wheel: what is in it, and that it runs on the locked packages alone, without the checkout."""

import asyncio
import json
import re
import subprocess
import zipfile

import pytest

from service.commands.cli import main
from storage.sql.core.revisions import head_revision
from tests.docs.markdown_text import ROOT
from tests.packaging.conftest import SHIPPED
from tests.servers import database_of_its_own, postgresql_server
from tests.service.harness import environment_of, free_port
from tests.waiting import accepts, until


def files_of(folder):
    """Return the files of a folder that are not ignored, those included that are not committed yet."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", folder]
    listed = subprocess.check_output(command, cwd=ROOT, text=True)
    return {name for name in listed.splitlines() if (ROOT / name).exists()}


def test_the_wheel_carries_every_file_of_the_packages_and_the_migrations(wheel):
    sources = {name for folder in SHIPPED for name in files_of(folder)}
    expected = {re.sub("^alembic/", "storage/sql/migrations/", name) for name in sources}
    with zipfile.ZipFile(wheel) as archive:
        carried = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert carried == expected


def test_the_same_sources_build_the_same_bytes(build_wheel, wheel):
    assert build_wheel(1_700_000_000).read_bytes() == wheel.read_bytes()
    assert build_wheel(1_710_000_000).read_bytes() != wheel.read_bytes(), "the moment is not in the wheel"


def test_an_installed_wheel_does_not_see_the_checkout(installed, tmp_path):
    code = "import admin, service, storage; print(admin.__file__, service.__file__, storage.__file__)"
    where = subprocess.check_output([installed / "python", "-c", code], cwd=tmp_path, text=True).split()
    assert [path.startswith(str(installed.parent)) for path in where] == [True, True, True]


def test_its_version_names_python_and_each_library(installed, tmp_path):
    told = subprocess.check_output([installed / "wechat-openid", "--version"], cwd=tmp_path, text=True).splitlines()
    assert re.fullmatch(r"wechat-openid \d+\.\d+\.\d+", told[0])
    assert re.match(r"CPython 3\.\d+\.\d+, ", told[1])
    libraries = {line.split()[0] for line in told[2:]}
    assert {"tornado", "sqlalchemy", "cryptography", "psycopg", "PyMySQL", "redis", "SQLite"} <= libraries
    assert any("libcurl/" in line for line in told)
    assert "pytest" not in libraries


def test_every_command_of_an_installed_wheel_can_be_loaded(installed, tmp_path, subtests):
    for name in main.list_commands(None):
        with subtests.test(name):
            command = [installed / "wechat-openid", name, "--help"]
            assert subprocess.check_output(command, cwd=tmp_path, text=True).startswith("Usage: ")


@pytest.mark.gen_test
async def test_an_installed_wheel_migrates_and_serves(installed, settings, wechat, tmp_path, http):
    listen, admin_listen = (f"127.0.0.1:{free_port()}" for _ in range(2))
    command = installed / "wechat-openid"
    with database_of_its_own(postgresql_server()) as url:
        own = {
            "WECHAT_OPENID_DATABASE_URL": url,
            "WECHAT_OPENID_LISTEN": listen,
            "WECHAT_OPENID_ADMIN_LISTEN": admin_listen,
        }
        how = {"cwd": tmp_path, "env": {**environment_of(settings), **own}, "stdout": subprocess.PIPE}
        refused = await asyncio.create_subprocess_exec(command, "serve", **how, stderr=subprocess.PIPE)
        _, complaint = await refused.communicate()
        assert refused.returncode == 1
        assert b"run: wechat-openid migrate" in complaint

        migrating = await asyncio.create_subprocess_exec(command, "migrate", **how)
        output, _ = await migrating.communicate()
        assert migrating.returncode == 0
        assert head_revision().encode() in output

        log = tmp_path / "served.log"
        with log.open("wb") as errors:
            server = await asyncio.create_subprocess_exec(command, "serve", **how, stderr=errors)
        try:
            port = int(admin_listen.rpartition(":")[2])
            await until(lambda: server.returncode is not None or accepts(port))
            assert server.returncode is None, log.read_text()
            ready = await http.fetch(f"http://{admin_listen}/readyz")
            assert ready.code == 200
            body = json.dumps({"code": wechat.issue_code()}).encode()
            posted = await http.fetch(f"http://{listen}/getCode", method="POST", body=body)
            assert json.loads(posted.body)["openid"]
        finally:
            server.terminate()
            await server.wait()
        assert server.returncode == 0
