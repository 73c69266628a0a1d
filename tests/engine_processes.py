"""Servers of a test's own: on ports and in folders that nobody else uses, started from Debian's packages."""

import os
import random
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.servers import none_answers
from tests.waiting import wait_until

#: How long a server may take to stop, in seconds: a guard against what hangs.
PATIENCE_SECONDS = 90


class ServerProcess:
    """A server that can be stopped in any of the ways in which servers stop."""

    def __init__(self, arguments: list[str | Path], folder: Path, user: str | None = None) -> None:
        self._arguments = [str(one) for one in arguments]
        self._folder = folder
        self._user = user if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self._folder / "output"

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, *more: str) -> None:
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [*self._arguments, *more], cwd=self._folder, user=self._user, stdout=output, stderr=output
            )

    def stop(self) -> None:
        """Let it end in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a machine ends that loses its power; works on a paused one, too."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Have it hold its connections and answer nothing, as behind a network that was cut."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        if self.runs:
            self._process.send_signal(how)
            self._process.wait(PATIENCE_SECONDS)


def program(name: str, *places: str) -> Path:
    """Return where a server's program is; skip the test where it is not installed."""
    found = [path for place in places for path in sorted(Path("/").glob(f"{place.lstrip('/')}/{name}"))]
    found += [Path(path) for path in [shutil.which(name)] if path]
    if not found:
        none_answers(name, FileNotFoundError(name))
    return found[-1]


def until(is_so: Callable[[], bool], what: str, process: ServerProcess) -> None:
    """Return once something is so; errors of asking count as not yet, for a server that starts refuses in many ways."""

    def is_so_now() -> bool:
        assert process.runs, f"{what} did not come about: {process.log.read_text()[-3000:]}"
        with suppress(Exception):
            return is_so()
        return False

    wait_until(is_so_now)


def loopback_address() -> str:
    """Return an address of this machine that hardly anybody else uses, so that no port of it is taken."""
    return f"127.{random.randint(16, 250)}.{random.randint(0, 250)}.{random.randint(2, 250)}"


@contextmanager
def folder_of_its_own(name: str, user: str | None = None) -> Iterator[Path]:
    """Give a folder below the system's temporary ones, short enough for sockets, and delete it at the end."""
    folder = Path(tempfile.mkdtemp(prefix=f"wechat-openid-{name}-"))
    if user and os.geteuid() == 0:
        shutil.chown(folder, user)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
