import os
import subprocess
import sys
from pathlib import Path

import pytest

from storage.base.schema_report import SchemaState
from storage.sql.core.engine import Database
from storage.sql.core.revisions import schema_report

CHECKOUT = Path(__file__).parents[4]


def alembic(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=CHECKOUT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def state_of(url):
    database = Database.open(url)
    try:
        return database.read(schema_report).state
    finally:
        database.close()


def test_upgrade_uses_the_database_of_the_service(sqlite_url):
    run = alembic("upgrade", "head", WECHAT_OPENID_DATABASE_URL=sqlite_url)
    assert run.returncode == 0, run.stderr
    assert state_of(sqlite_url) is SchemaState.CURRENT


def test_upgrade_uses_the_database_named_on_the_command_line(sqlite_url, tmp_path):
    run = alembic(
        "-x", f"url={sqlite_url}", "upgrade", "head", WECHAT_OPENID_DATABASE_URL=f"sqlite:///{tmp_path}/other"
    )
    assert run.returncode == 0, run.stderr
    assert state_of(sqlite_url) is SchemaState.CURRENT


@pytest.mark.parametrize("url", ["sqlite:///unused.db", "postgresql://host/name", "mysql://host/name"])
def test_statements_can_be_written_out_instead_of_run(url):
    run = alembic("-x", f"url={url}", "upgrade", "head", "--sql")
    assert run.returncode == 0, run.stderr
    assert "CREATE TABLE authorizations" in run.stdout
