"""The unit that the README has systemd read is one that systemd takes."""

import os
import re
import shutil
import subprocess

import pytest

from service.runtime.process import FEWEST_DESCRIPTORS
from tests.docs.markdown_text import ENGLISH, code_blocks, read, section

FOLDER = "/srv/wechat-openid"


def test_systemd_finds_nothing_wrong_with_the_unit_of_the_readme(tmp_path):
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("systemd-analyze is not installed here")
    [unit] = [code for _, code in code_blocks(section(read(ENGLISH), "A real account")) if "[Service]" in code]
    assert f"WorkingDirectory={FOLDER}\n" in unit
    [limit] = re.findall(r"^LimitNOFILE=(\d+)$", unit, re.MULTILINE)
    assert int(limit) >= FEWEST_DESCRIPTORS
    program = tmp_path / ".venv" / "bin" / "wechat-openid"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (tmp_path / "wechat-openid.service").write_text(unit.replace(FOLDER, str(tmp_path)))
    verified = subprocess.run(
        [analyze, "verify", "--man=no", "--recursive-errors=no", str(tmp_path / "wechat-openid.service")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")
