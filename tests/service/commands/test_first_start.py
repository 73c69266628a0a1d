"""What a first start makes, and that no other command makes anything in the folder that it happens to run in."""

import os
import signal
import subprocess
import sys

import pytest

from tests.docs.markdown_text import ROOT
from tests.service.harness import free_port
from tests.waiting import DEADLINE_SECONDS, answers, wait_until

DATABASE = "var/wechat-openid.db"
KEYS = "var/secret-keys"


def environment(**settings):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WECHAT_OPENID_")}
    account = {"WECHAT_OPENID_APPID": "wx51a7ed0000000001", "WECHAT_OPENID_SECRET": "secret"}
    return {**inherited, "PYTHONPATH": str(ROOT), **account, **settings}


def typed(folder, *arguments, **settings):
    """Run a command to its end in a folder, and return what `subprocess.run` does."""
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        cwd=folder,
        env=environment(**settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_SECONDS,
    )


def served(folder, *arguments, **settings):
    """Serve in a folder until it answers, stop, and return the lines of the log."""
    listen, admin_listen = (f"127.0.0.1:{free_port()}" for _ in range(2))
    addresses = {"WECHAT_OPENID_LISTEN": listen, "WECHAT_OPENID_ADMIN_LISTEN": admin_listen}
    with subprocess.Popen(
        [sys.executable, "-m", "service", "serve", *arguments],
        cwd=folder,
        env=environment(**addresses, **settings),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_until(lambda: process.poll() is not None or answers(f"http://{admin_listen}/healthz"))
        process.send_signal(signal.SIGTERM)
        log = process.stderr.read()
    return log.splitlines()


def containing(lines, words):
    return [line for line in lines if words in line]


@pytest.mark.parametrize(
    "command",
    [
        ["operators", "add", "ada", "--generate"],
        ["operators", "list"],
        ["apikeys", "add", "billing"],
        ["keys", "rotate"],
        ["refresh", "--once"],
        ["refresh"],
    ],
    ids=" ".join,
)
def test_a_command_in_another_folder_names_what_is_missing_and_makes_nothing(tmp_path, command):
    ended = typed(tmp_path, *command)
    assert ended.returncode == 1
    assert str(tmp_path / (KEYS if command[0] in {"keys", "refresh"} else DATABASE)) in ended.stderr
    assert "run this in the folder of the service" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_store_of_authorizations_alone_is_not_made_either(tmp_path):
    served(tmp_path)
    elsewhere = tmp_path / "elsewhere.db"
    ended = typed(tmp_path, "keys", "rotate", WECHAT_OPENID_TOKEN_STORE_URL=f"sqlite:///{elsewhere}")
    assert (ended.returncode, f"there is no database {elsewhere}" in ended.stderr) == (1, True)
    assert not elsewhere.exists()


def test_doctor_before_the_first_start_warns_of_what_is_not_there_and_makes_nothing(tmp_path):
    ended = typed(tmp_path, "doctor", WECHAT_OPENID_WECHAT_API_URL="http://127.0.0.1:9")
    found = ended.stdout.splitlines()
    assert containing(found, f"warning  keys: there are no keys in {tmp_path / KEYS}")
    assert containing(found, f"warning  database: there is no database {tmp_path / DATABASE}")
    assert not containing(found, "Traceback")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_first_start_says_in_a_line_each_what_it_made_and_where(tmp_path, workers):
    first = served(tmp_path, "--workers", workers)
    assert len(containing(first, "made the tables of a new database")) == 1
    assert len(containing(first, "WARNING")) == len(containing(first, "made new keys")) == 1
    assert containing(first, "alembic") == []
    second = served(tmp_path, "--workers", workers)
    assert containing(second, "made ") == []
    for log in (first, second):
        assert len(containing(log, f"the database is {tmp_path / DATABASE}")) == 1
        assert len(containing(log, f"the keys are in {tmp_path / KEYS}")) == 1
        assert containing(log, "/admin/")


def test_without_an_account_nothing_is_made(tmp_path):
    ended = typed(tmp_path, "serve", WECHAT_OPENID_APPID="", WECHAT_OPENID_SECRET="")
    assert ended.returncode == 1
    assert list(tmp_path.iterdir()) == []
