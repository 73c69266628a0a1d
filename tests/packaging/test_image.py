"""The image that the Dockerfile describes, built by an engine and run as it says; `make test-image`."""

import json
import shutil
import subprocess
import urllib.request

import pytest

from tests.docs.markdown_text import ROOT
from tests.packaging.image_engine import Container, Engine
from tests.service.harness import free_port
from tests.waiting import answers, wait_until

BASE = "docker.io/library/python:3.13-slim"
IMAGE = "wechat-openid"

pytestmark = [pytest.mark.image, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """Build the image from what git knows of this folder, and from a key that must not get into it."""
    folder = tmp_path_factory.mktemp("image")
    engine = Engine(folder)
    engine.make_base(BASE)
    context = folder / "context"
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines():
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, context / name)
    for name in ("var/secret-keys", "secrets/secret", "service/__pycache__/stale.pyc"):
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        (context / name).write_text("a secret of the build's folder")
    engine.build(context, IMAGE)
    yield engine.laid_out(IMAGE)
    engine.close()


@pytest.fixture
def container(image, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    running = Container(*image, data)
    yield running
    running.close()


def test_it_says_what_it_is_and_is_not_root(image):
    _, configuration = image
    assert configuration["User"] == "10001:10001"
    assert configuration["Labels"]["org.opencontainers.image.title"] == "wechat-openid"
    assert list(configuration["ExposedPorts"]) == ["8888/tcp"]


def test_nothing_of_the_folder_but_the_service_gets_into_it(image):
    tree, _ = image
    assert not list(tree.rglob("stale.pyc"))
    found = subprocess.run(
        ["grep", "-rl", "a secret of the build's folder", "opt", "srv", "var", "root", "home"],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    assert found == ""
    for folder in ("tests", "docs", ".git"):
        assert not (tree / folder).exists()


def test_it_holds_no_compiler_and_nothing_that_installs(image):
    tree, _ = image
    programs = {path.name for folder in ("usr/bin", "opt/wechat-openid/bin") for path in (tree / folder).iterdir()}
    assert not programs & {"cc", "gcc", "ld", "make", "pip", "pip3", "git", "curl"}
    assert "wechat-openid" in programs


def test_its_user_owns_its_data_and_nothing_else(image):
    tree, _ = image
    owned = subprocess.run(
        ["find", str(tree), "-xdev", "-uid", "10001", "-o", "-xdev", "-type", "f", "-perm", "-o+w"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert owned == [str(tree / "var/lib/wechat-openid")]


def test_it_serves_on_a_tree_that_cannot_be_written(container, tmp_path):
    _, said = container.run("sh", "-c", "id -u; touch /opt/x /var/lib/wechat-openid/x")
    assert said.startswith("10001\n")
    assert "/opt/x': Read-only file system" in said
    assert "/var/lib" not in said
    wechat, public, private = (f"127.0.0.1:{free_port()}" for _ in range(3))
    container.start("simulator", "--listen", wechat, log=tmp_path / "simulator.log")
    environment = {
        "WECHAT_OPENID_APPID": "wx51a7ed0000000001",
        "WECHAT_OPENID_SECRET": "51a7ed00c0ffee0051a7ed00c0ffee00",
        "WECHAT_OPENID_WECHAT_API_URL": f"http://{wechat}",
        "WECHAT_OPENID_LISTEN": public,
        "WECHAT_OPENID_ADMIN_LISTEN": private,
        "WECHAT_OPENID_WORKERS": "2",
    }
    container.start(log=tmp_path / "service.log", **environment)
    wait_until(lambda: answers(f"http://{public}/healthz") and answers(f"http://{wechat}/simulator/state"))
    code = json.load(urllib.request.urlopen(f"http://{wechat}/simulator/codes", data=b""))["code"]
    posted = urllib.request.urlopen(f"http://{public}/getCode", data=json.dumps({"code": code}).encode())
    assert json.load(posted)["scope"] == "snsapi_base"


def test_its_health_check_tells_whether_it_serves(image, container, tmp_path):
    _, configuration = image
    kind, *check = configuration["Healthcheck"]["Test"]
    assert kind == "CMD"
    private = f"127.0.0.1:{free_port()}"
    check = [word.replace("127.0.0.1:8889", private) for word in check]
    assert container.run(*check)[0] != 0
    container.start(
        log=tmp_path / "service.log",
        WECHAT_OPENID_APPID="wx0123456789abcdef",
        WECHAT_OPENID_SECRET="0123456789abcdef",
        WECHAT_OPENID_LISTEN=f"127.0.0.1:{free_port()}",
        WECHAT_OPENID_ADMIN_LISTEN=private,
    )
    wait_until(lambda: answers(f"http://{private}/readyz"))
    assert container.run(*check) == (0, "")
