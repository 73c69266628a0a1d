"""What a process keeps from others on the machine."""

import ctypes
import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from service.runtime.process import raise_descriptor_limit
from tests.waiting import until

pytestmark = pytest.mark.attack(
    "keys, tokens and users",
    "a local user of the server",
    "reading the database, its log, the key file, the metrics, a core dump",
    "all of them are their owner's alone",
)
WIDE = 0o022


@pytest.fixture
def usual_umask():
    before = os.umask(WIDE)
    yield
    os.umask(before)


def modes_below(folder):
    return {path: stat.S_IMODE(path.lstat().st_mode) for path in [folder, *folder.rglob("*")]}


def of_others(folder):
    return {str(path): oct(mode) for path, mode in modes_below(folder).items() if mode & 0o077}


@pytest.mark.gen_test
async def test_a_fresh_server_makes_files_for_its_owner_alone(tmp_path, usual_umask, start_server, http, monkeypatch):
    root, folder, metrics = Path.cwd(), tmp_path / "fresh", tmp_path / "temporary"
    folder.mkdir()
    metrics.mkdir()
    monkeypatch.chdir(folder)
    server = start_server(
        "--workers=2",
        PYTHONPATH=str(root),
        TMPDIR=str(metrics),
        WECHAT_OPENID_DATABASE_URL="sqlite:///var/wechat-openid.db",
        WECHAT_OPENID_SECRET_KEYS="",
    )
    await server.answers(http)
    await until(lambda: list(metrics.rglob("*.db")))
    names = {path.name for path in (folder / "var").iterdir()}
    assert {"wechat-openid.db", "wechat-openid.db-wal", "wechat-openid.db-shm", "secret-keys"} <= names
    assert of_others(folder / "var") == {}
    [made] = metrics.iterdir()
    assert of_others(made) == {}


def test_a_database_is_its_owners_alone_whoever_makes_it(tmp_path, usual_umask):
    (tmp_path / "new").mkdir(mode=0o700)
    subprocess.run(
        ["alembic", "upgrade", "head"],
        executable=Path(sys.executable).with_name("alembic"),
        check=True,
        capture_output=True,
        env={**os.environ, "WECHAT_OPENID_DATABASE_URL": f"sqlite:///{tmp_path}/new/wechat-openid.db"},
    )
    assert (tmp_path / "new" / "wechat-openid.db").exists()
    assert of_others(tmp_path / "new") == {}


@pytest.mark.gen_test
async def test_a_server_dumps_no_core(start_server, http):
    server = await start_server().answers(http)
    limits = resource.prlimit(server.process.pid, resource.RLIMIT_CORE)
    assert limits == (0, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_no_process_of_the_same_user_attaches():
    asked = "import ctypes; from service.runtime.process import harden; harden(); print(ctypes.CDLL(None).prctl(3))"
    assert ctypes.CDLL(None).prctl(3) == 1
    assert subprocess.check_output([sys.executable, "-c", asked], text=True).strip() == "0"


def test_the_limit_of_descriptors_is_raised_as_far_as_allowed():
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 300));"
        "from service.runtime.process import raise_descriptor_limit;"
        "print(raise_descriptor_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == ["300", "300", "300"]
    assert raise_descriptor_limit() <= 65_536
