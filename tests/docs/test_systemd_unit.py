"""The unit that the documentation has systemd read is one that systemd takes, and the service lives within it."""

import os
import re
import shutil
import signal
import subprocess

import pytest

from service.runtime.process import FEWEST_DESCRIPTORS
from service.settings import load_settings
from tests.docs.markdown_text import ROOT
from tests.service.runtime.test_server_process import children_of
from tests.waiting import until

UNIT = ROOT / "docs" / "deploy" / "wechat-openid.service"
#: From 0 (nothing is left to it) to 100; systemd calls what is below 20 good.
MOST_EXPOSURE = 15


def program(name):
    found = shutil.which(name)
    if found is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"{name} is not installed here")
    return found


def directives(name):
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.MULTILINE)


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path):
    command = tmp_path / "wechat-openid"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    [started] = directives("ExecStart")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace(started.split()[0], str(command)))
    analyze = program("systemd-analyze")
    verified = subprocess.run(
        [analyze, "verify", "--man=no", "--recursive-errors=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")


def test_systemd_calls_the_unit_hardened():
    rated = subprocess.run(
        [
            program("systemd-analyze"),
            "security",
            "--offline=yes",
            "--no-pager",
            f"--threshold={MOST_EXPOSURE}",
            str(UNIT),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert rated.returncode == 0, rated.stdout
    assert "OK" in rated.stdout.splitlines()[-1]


def test_the_unit_gives_enough_descriptors():
    [limit] = directives("LimitNOFILE")
    assert int(limit) >= FEWEST_DESCRIPTORS


def test_each_credential_is_read_by_a_setting(tmp_path):
    """What `%d` and `$CREDENTIALS_DIRECTORY` name, as systemd lays it out."""
    given = {line.split(":")[0] for line in directives("LoadCredential")}
    environment = {}
    for line in directives("Environment"):
        name, _, path = line.partition("=")
        assert path.startswith("%d/")
        given.remove(path.removeprefix("%d/"))
        (tmp_path / path.removeprefix("%d/")).write_text(f"of {name}\n")
        environment[name] = path.replace("%d", str(tmp_path))
    assert not given
    settings = load_settings(environment=environment)
    assert settings.secret == "of WECHAT_OPENID_SECRET_FILE"
    assert settings.secret_keys == "of WECHAT_OPENID_SECRET_KEYS_FILE"


def allowed_system_calls():
    """Return the names of the system calls that the unit lets through."""
    listed = subprocess.run(
        [program("systemd-analyze"), "syscall-filter", "--no-pager"], capture_output=True, text=True, check=True
    ).stdout
    sets = {}
    for line in listed.splitlines():
        if line.startswith("@"):
            members = sets.setdefault(line.strip(), set())
        elif line.startswith("    ") and not line.strip().startswith("#"):
            members.add(line.strip())

    def expanded(name):
        return {call for member in sets[name] for call in (expanded(member) if member.startswith("@") else {member})}

    allowed = set()
    for rule in directives("SystemCallFilter"):
        if rule.startswith("~"):
            allowed -= expanded(rule[1:])
        else:
            allowed |= expanded(rule)
    return allowed


@pytest.mark.gen_test(timeout=240)
async def test_the_service_asks_the_kernel_for_nothing_that_the_unit_forbids(
    wechat, http, start_server, page_at, tmp_path
):
    calls = tmp_path / "calls"
    server = start_server("--workers", "2", under=(program("strace"), "-f", "-qq", "--output", str(calls)))
    await server.answers(http)
    assert (await page_at(server).post_code(wechat.issue_code())).code == 200
    [supervisor] = children_of(server.process)
    os.kill(supervisor, signal.SIGHUP)
    await until(lambda: "reloaded; workers" in server.log.read_text())
    os.kill(supervisor, signal.SIGTERM)
    assert await server.ended() == 0
    log = calls.read_text()
    made = set(re.findall(r"^\d+ +(\w+)\(", log, re.MULTILINE))
    assert {"execve", "accept4"} <= made
    # SQLite gives its files to the owner of the folder where root runs it, as tests may; the unit names another user.
    assert made - allowed_system_calls() <= {"fchown"}
    # MemoryDenyWriteExecute, see systemd.exec(5).
    assert not re.findall(r"mmap\(.*PROT_WRITE\|PROT_EXEC.*|mprotect\(.*PROT_EXEC.*", log)
    families = set(re.findall(r" socket\((AF_\w+)", log))
    assert "AF_INET" in families
    assert families <= set(directives("RestrictAddressFamilies")[0].split())
