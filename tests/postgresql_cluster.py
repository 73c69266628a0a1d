"""A PostgreSQL server of a test's own, which it may stop, start and crash as it likes."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.servers import none_answers
from tests.service.harness import free_port

#: PostgreSQL refuses to run as root; its packages make this user.
OWNER = "postgres"


class Cluster:
    """A server in a folder, reached at `url`."""

    def __init__(self, binaries: Path, folder: Path, port: int, options: str = "") -> None:
        self._binaries = binaries
        self.folder = folder
        self._options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} {options}"
        self.port = port
        self.url = f"postgresql+psycopg://{OWNER}@127.0.0.1:{port}/postgres"

    @property
    def runs(self) -> bool:
        """Whether its processes are there."""
        file = Path(self._data) / "postmaster.pid"
        if not file.exists():
            return False
        state = Path(f"/proc/{file.read_text().split()[0]}/stat")
        return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"  # dead, and nobody's child

    @property
    def pid(self) -> int:
        """Its first process, whose children the others are."""
        return int((Path(self._data) / "postmaster.pid").read_text().split()[0])

    def make(self) -> None:
        self._run("initdb", "--auth=trust", f"--username={OWNER}", "--encoding=UTF8", "--no-sync", "-D", self._data)

    def start(self) -> None:
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", self._data, "-o", self._options, "-l", log, "--wait", "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop it: `fast` ends sessions and shuts down, `immediate` is a crash."""
        self._run("pg_ctl", "-D", self._data, "-m", mode, "--wait", "stop")

    def kill(self) -> None:
        """End all its processes as a machine ends that loses its power."""
        for process in self._processes():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def copy(self, other: "Cluster") -> None:
        """Begin as a standby of another cluster that runs."""
        own = ("-h", "127.0.0.1", "-p", str(other.port), "-U", OWNER)
        self._run("pg_basebackup", *own, "-D", self._data, "--write-recovery-conf", "--checkpoint=fast", "--no-sync")

    def promote(self) -> None:
        """Have a standby become the primary."""
        self._run("pg_ctl", "-D", self._data, "--wait", "promote")

    def pause(self) -> None:
        """Have all of its processes hold their connections and answer nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._processes():
            os.kill(process, number)

    def _processes(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [self.pid, *map(int, children)]

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def _run(self, program: str, *arguments: str) -> None:
        user = OWNER if os.geteuid() == 0 else None
        command = [str(self._binaries / program), *arguments]
        subprocess.run(command, check=True, user=user, cwd=self.folder, stdout=subprocess.DEVNULL)


def _binaries() -> Path:
    """Return where PostgreSQL's programs are; skip the test where it is not installed."""
    found = [
        *map(Path, filter(None, [shutil.which("initdb")])),
        *sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")),
    ]
    if not found:
        none_answers("postgresql to start and stop", FileNotFoundError("initdb"))
    return found[-1].parent


@contextmanager
def _ended(*clusters: Cluster) -> Iterator[None]:
    """Crash those that still run in the end, and delete their folders."""
    try:
        yield
    finally:
        for cluster in clusters:
            if cluster.runs:
                cluster.stop("immediate")
            shutil.rmtree(cluster.folder)


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="wechat-openid-postgresql-"))
    if os.geteuid() == 0:
        shutil.chown(folder, OWNER)
    return folder


@contextmanager
def cluster_of_its_own() -> Iterator[Cluster]:
    """Make a cluster, start it, and take it away at the end; skip where PostgreSQL is not installed."""
    cluster = Cluster(_binaries(), _folder(), free_port())
    with _ended(cluster):
        cluster.make()
        cluster.start()
        yield cluster


@contextmanager
def replicated_cluster_of_its_own() -> Iterator[tuple[Cluster, Cluster]]:
    """Make a primary, and a standby that has each commit before it is answered; take both away at the end."""
    primary = Cluster(_binaries(), _folder(), free_port(), "-c synchronous_standby_names=*")
    standby = Cluster(_binaries(), _folder(), free_port())
    with _ended(primary, standby):
        primary.make()
        primary.start()
        standby.copy(primary)
        standby.start()
        yield primary, standby
