"""The helper for pages: small, and in the syntax that old web views understand."""

import gzip
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import service

HELPER = Path(service.__file__).parent / "static" / "wechat-openid.js"
LARGEST_BYTES = 4096


def test_the_helper_is_small():
    assert len(gzip.compress(HELPER.read_bytes())) < LARGEST_BYTES


def test_the_helper_is_in_ecmascript_5():
    folder = os.environ.get("ACORN")
    if shutil.which("node") is None or folder is None:
        if os.environ.get("CI") == "true":
            pytest.fail("node is needed here, and the folder of the npm package acorn in ACORN")
        pytest.skip("needs node, and the folder of the npm package acorn in ACORN")
    script = f"require('{folder}').parse(require('fs').readFileSync(0, 'utf8'), {{ecmaVersion: 5}})"
    subprocess.run(["node", "-e", script], input=HELPER.read_bytes(), check=True, timeout=30)
