"""The wheel, and an environment that holds it and the packages of the run-time lock and nothing else."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.markdown_text import ROOT

SHIPPED = ("service", "storage", "admin", "alembic")
PACKAGING = ("setup.py", "pyproject.toml", "README.md", "LICENSE")
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


@pytest.fixture(scope="session")
def build_wheel(tmp_path_factory):
    """Build a wheel from a fresh copy of the sources, as of a moment, and return its path."""

    def build(source_date_epoch: int) -> Path:
        folder = tmp_path_factory.mktemp("wheel")
        sources = folder / "sources"
        for name in SHIPPED:
            shutil.copytree(ROOT / name, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in PACKAGING:
            shutil.copy(ROOT / name, sources)
        options = ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder)]
        environment = {"SOURCE_DATE_EPOCH": str(source_date_epoch), "PATH": "/usr/bin:/bin"}
        subprocess.run([*PIP, "wheel", *options, str(sources)], check=True, env=environment)
        [wheel] = folder.glob("*.whl")
        return wheel

    return build


@pytest.fixture(scope="session")
def wheel(build_wheel):
    return build_wheel(1_700_000_000)


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory):
    """Install the wheel and the run-time lock into an empty environment, and return the folder of its commands."""
    environment = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    install = [*PIP, "--python", str(environment / "bin" / "python"), "install"]
    subprocess.run([*install, "--require-hashes", "-r", str(ROOT / "requirements.lock")], check=True)
    subprocess.run([*install, "--no-deps", "--no-index", str(wheel)], check=True)
    return environment / "bin"
