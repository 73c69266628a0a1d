"""A PostgreSQL server of a test's own, which it may stop, start and crash as it likes."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import none_answers

#: PostgreSQL refuses to run as root; its packages make this user.
OWNER = "postgres"


class Cluster:
    """A server in a folder, reached at `url`."""

    def __init__(self, binaries: Path, folder: Path, port: int) -> None:
        self._binaries = binaries
        self._folder = folder
        self._options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        self.url = f"postgresql+psycopg://{OWNER}@127.0.0.1:{port}/postgres"

    def make(self) -> None:
        self._run("initdb", "--auth=trust", f"--username={OWNER}", "--encoding=UTF8", "--no-sync", "-D", self._data)

    def start(self) -> None:
        log = str(self._folder / "log")
        self._run("pg_ctl", "-D", self._data, "-o", self._options, "-l", log, "--wait", "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop it: `fast` ends sessions and shuts down, `immediate` is a crash."""
        self._run("pg_ctl", "-D", self._data, "-m", mode, "--wait", "stop")

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def _run(self, program: str, *arguments: str) -> None:
        user = OWNER if os.geteuid() == 0 else None
        command = [str(self._binaries / program), *arguments]
        subprocess.run(command, check=True, user=user, cwd=self._folder, stdout=subprocess.DEVNULL)


@contextmanager
def cluster_of_its_own() -> Iterator[Cluster]:
    """Make a cluster, start it, and take it away at the end; skip where PostgreSQL is not installed."""
    found = [
        *sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")),
        *map(Path, filter(None, [shutil.which("initdb")])),
    ]
    if not found:
        none_answers("postgresql to start and stop", FileNotFoundError("initdb"))
    folder = Path(tempfile.mkdtemp(prefix="wechat-openid-postgresql-"))
    if os.geteuid() == 0:
        shutil.chown(folder, OWNER)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    cluster = Cluster(found[-1].parent, folder, port)
    try:
        cluster.make()
        cluster.start()
        yield cluster
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            cluster.stop("immediate")
        shutil.rmtree(folder)
