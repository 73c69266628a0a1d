"""What a serving process has loaded: memory that each worker pays for."""

import signal
from dataclasses import replace

import pytest

from service.runtime.first_start import make_what_is_missing
from storage.sql.core.engine import Database
from storage.sql.core.migrations import upgrade
from tests.servers import database_of_its_own, postgresql_server

#: Writes the names of the modules that a process has loaded, when it ends.
NOTES_MODULES = """
import atexit, os, sys
from pathlib import Path
atexit.register(lambda: Path(__file__).with_name(f"modules-{os.getpid()}").write_text(" ".join(sys.modules)))
"""
#: Commands, what other settings need, and what only these load.
NEVER_NEEDED = {
    "alembic",
    "cryptography.x509",
    "hypothesis",
    "jwt",
    "limits",
    "mako",
    "pytest",
    "redis",
    "requests",
    "service.authorization.shared_counters",
    "service.commands.doctor",
    "service.commands.keys",
    "service.simulator",
    "service.wechat.transports.requests_pool",
    "sqlalchemy.dialects.mysql",
    "sqlalchemy.ext",
    "sqlalchemy.orm",
    "storage.memory",
    "storage.redis",
    "storage.sql.core.migrations",
    "storage.testing",
    "unittest",
    "urllib3",
    "zxcvbn",
}


async def modules_of_workers(folder, settings, start_server, http, page_at, wechat):
    """Let two workers serve a few pages, and return all that any of them has loaded."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(NOTES_MODULES)
    server = start_server("--workers=2", PYTHONPATH=str(folder), WECHAT_OPENID_DATABASE_URL=settings.database_url)
    await server.answers(http)
    assert (await page_at(server).post_code(wechat.issue_code())).code == 200
    for path in ("/admin/", "/metrics", "/readyz"):
        assert (await http.fetch(f"{server.admin_url}{path}")).code == 200
    server.process.send_signal(signal.SIGTERM)
    assert await server.ended() == 0
    loaded = [set(one.read_text().split()) for one in folder.glob("modules-*")]
    workers = [one for one in loaded if "service.runtime.app" in one and "prometheus_client.multiprocess" in one]
    assert len(workers) >= 2
    return set().union(*workers)


def found(modules, names):
    return sorted(one for one in names if any(module == one or module.startswith(f"{one}.") for module in modules))


@pytest.fixture
def sqlite_settings(settings):
    make_what_is_missing(settings)
    return settings


@pytest.fixture
def postgresql_settings(settings):
    with database_of_its_own(postgresql_server()) as url:
        database = Database.open(url)
        upgrade(database.engine)
        database.close()
        yield replace(settings, database_url=url)


@pytest.mark.gen_test
async def test_workers_on_sqlite_load_nothing_that_they_never_need(
    tmp_path, sqlite_settings, start_server, http, page_at, wechat
):
    pytest.importorskip("pycurl")
    modules = await modules_of_workers(tmp_path / "site", sqlite_settings, start_server, http, page_at, wechat)
    never_needed = {*NEVER_NEEDED, "psycopg", "pymysql", "sqlalchemy.dialects.postgresql"}
    assert found(modules, never_needed) == []
    assert found(modules, {"sqlalchemy.dialects.sqlite", "pycurl"}) == ["pycurl", "sqlalchemy.dialects.sqlite"]


@pytest.mark.gen_test
async def test_workers_on_postgresql_load_nothing_of_other_databases(
    tmp_path, postgresql_settings, start_server, http, page_at, wechat
):
    pytest.importorskip("pycurl")
    modules = await modules_of_workers(tmp_path / "site", postgresql_settings, start_server, http, page_at, wechat)
    others = {"pymysql", "sqlalchemy.dialects.sqlite", "sqlite3", "storage.sql.core.dialects.sqlite"}
    assert found(modules, {*NEVER_NEEDED, *others}) == []
    assert found(modules, {"psycopg"}) == ["psycopg"]
