"""A token store of somebody else: built as a package, installed into an environment of its own, and served from."""

import json
import re
import site
import subprocess
import sys
import venv

import pytest

from tests.service.harness import RunningServer, environment_of
from tests.storage.test_documented_store import documented_files

pytestmark = pytest.mark.gen_test


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The package of docs/stores.md, as its author has it on disk."""
    folder = tmp_path_factory.mktemp("package")
    for name, content in documented_files().items():
        (folder / name).write_text(content)
    return folder


@pytest.fixture(scope="module")
def python(tmp_path_factory, package):
    """The Python of an environment that has everything of this one, and the package beside it."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    installed = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    # A line of a .pth file that begins with `import` is run; addsitedir heeds the .pth files that are in there.
    lines = (f"import site; site.addsitedir({path!r})\n" for path in site.getsitepackages())
    (installed / "everything.pth").write_text("".join(lines))
    python = folder / "bin" / "python"
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", str(package)]
    subprocess.run([python, *install], check=True)
    return str(python)


@pytest.fixture
def url(tmp_path):
    return f"shelf://{tmp_path}/users.db"


@pytest.fixture
def server(tmp_path, settings, python, url):
    environment = {"WECHAT_OPENID_TOKEN_STORE": "shelf", "WECHAT_OPENID_TOKEN_STORE_URL": url}
    server = RunningServer(settings, tmp_path / "server.log", python=python, **environment)
    yield server
    server.kill()


def run(python, *arguments, **options):
    ended = subprocess.run([python, *arguments], capture_output=True, text=True, check=False, **options)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def stored_by(python, url, appid, openid):
    """Ask the store, in its own environment, what it holds."""
    code = (
        "import json, sys; from shelf_store import ShelfTokenStore as Store; url, *user = sys.argv[1:]\n"
        "found = Store.open(url).get(*user)\n"
        "print(json.dumps(found and [found.scope, found.status, len(found.tokens.access_token)]))"
    )
    return json.loads(run(python, "-c", code, url, appid, openid))


async def test_the_service_keeps_its_users_in_an_installed_package(
    server, http, page_at, wechat, settings, python, url
):
    await server.answers(http)
    page = page_at(server)
    code = wechat.issue_code(scope="snsapi_userinfo")
    answer = await page.post_code(code)
    assert answer.code == 200, answer.body
    openid = json.loads(answer.body)["openid"]
    scope, status, sealed_bytes = stored_by(python, url, settings.appid, openid)
    assert (scope, status) == ("snsapi_userinfo", "active")
    assert sealed_bytes > 100
    again = await page.post_code(code)
    assert (again.code, json.loads(again.body)["openid"]) == (200, openid)
    assert wechat.calls["access_token"] == 1
    assert (await http.fetch(f"{server.admin_url}/readyz")).code == 200
    assert "Traceback" not in server.log.read_text()


async def test_the_package_is_listed_and_its_own_tests_pass(python, package, settings):
    listed = run(python, "-m", "service", "stores", env=environment_of(settings))
    assert re.search(r"^shelf +wechat-openid-shelf +0\.1\.0 +2\.0 +sharing$", listed, re.MULTILINE)
    few = "grant_comes_back or foreign_owner or killed_process"
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:warnings", "-k", few]
    passed = run(python, "-m", "pytest", *options, "test_shelf_store.py", cwd=package)
    assert re.search(r"^7 passed", passed, re.MULTILINE), passed
