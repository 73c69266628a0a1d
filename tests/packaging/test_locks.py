"""The lock files hold what pyproject.toml asks for, by hash, and name no registry."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement

from tests.docs.markdown_text import ROOT, read

RUN_TIME, DEVELOPMENT, TOOLS = (
    ROOT / name for name in ("requirements.lock", "requirements-dev.lock", ".ci/tools.lock")
)
PYPROJECT = tomllib.loads(read(ROOT / "pyproject.toml"))
PROJECT, GROUPS = PYPROJECT["project"], PYPROJECT["dependency-groups"]
EXTRAS = [line for lines in PROJECT["optional-dependencies"].values() for line in lines]

locks = pytest.mark.parametrize("lock", [RUN_TIME, DEVELOPMENT, TOOLS], ids=lambda path: path.name)


def entries(lock):
    """Return each entry of a lock: a requirement and its hashes, on one line."""
    joined = read(lock).replace("\\\n", "")
    return [line for line in joined.splitlines() if line and not line.lstrip().startswith("#")]


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def versions(lock):
    """Return the locked versions by name; several where they differ by platform."""
    found = {}
    for entry in entries(lock):
        name, version = re.match(r"([\w.-]+)==([^\s;]+)", entry).groups()
        found.setdefault(normal(name), set()).add(version)
    return found


def declared(group):
    """Return the requirements of a dependency group, those of the groups in it included."""
    return [
        line
        for entry in GROUPS[group]
        for line in (declared(entry["include-group"]) if isinstance(entry, dict) else [entry])
    ]


@locks
def test_every_locked_package_has_its_hashes(lock):
    without = [entry for entry in entries(lock) if "--hash=sha256:" not in entry]
    assert (len(entries(lock)) > 30, without) == (True, [])


@locks
def test_a_lock_names_no_registry(lock):
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host", read(lock))


@pytest.mark.parametrize(
    ("lock", "requirements"),
    [
        pytest.param(RUN_TIME, [*PROJECT["dependencies"], *EXTRAS, *declared("build")], id="run time"),
        pytest.param(DEVELOPMENT, [*PROJECT["dependencies"], *EXTRAS, *declared("dev")], id="development"),
        pytest.param(TOOLS, declared("tools"), id="tools"),
    ],
)
def test_a_lock_has_what_is_declared_in_a_version_that_is_admitted(lock, requirements):
    locked = versions(lock)
    behind = [
        line
        for line in requirements
        if not (found := locked.get(normal((wanted := Requirement(line)).name)))
        or not all(wanted.specifier.contains(version) for version in found)
    ]
    assert behind == [], "run: make lock"


def test_development_runs_on_the_versions_of_production():
    development = versions(DEVELOPMENT)
    assert {name: development.get(name) for name in versions(RUN_TIME)} == versions(RUN_TIME)


def test_production_holds_nothing_that_only_developers_need():
    runs = {normal(Requirement(line).name) for line in [*PROJECT["dependencies"], *EXTRAS, *declared("build")]}
    only_developers = {normal(Requirement(line).name) for line in declared("dev")} - runs
    assert only_developers
    assert not only_developers & set(versions(RUN_TIME))


def test_what_builds_the_project_is_what_is_locked_for_it():
    assert PYPROJECT["build-system"]["requires"] == declared("build")
