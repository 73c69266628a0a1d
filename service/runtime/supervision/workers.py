"""A worker, as the supervisor sees it: a process of its own, or the supervisor's own process."""

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Protocol

from service.observability.multiprocess import forget_worker, worker_environment
from service.runtime.server import DRAIN_SECONDS, Listeners
from service.runtime.supervision.worker_channel import SupervisorEnd
from storage.base.tasks import happens_within

__all__ = ["PATIENCE_SECONDS", "OwnProcess", "Worker", "WorkerProcess"]

#: A worker that was told to end and still runs after its drain is killed so much later.
PATIENCE_SECONDS = 5


class Worker(Protocol):
    """What serves until it is told to end. `listening` is set once it accepts connections, `gone` when it has ended."""

    name: str
    listening: asyncio.Event
    gone: asyncio.Event

    def status(self) -> int:
        """Return the exit status of a worker that has ended.

        Raises:
            Exception: It was this process, and could not serve.
        """
        ...

    async def end(self) -> None:
        """Have it finish what is under way, and wait for its end. May be called again."""
        ...

    def ask(self) -> None:
        """Ask whether its event loop turns."""
        ...

    @property
    def answered(self) -> bool:
        """Whether it has answered the last question."""
        ...


class WorkerProcess:
    """A process of its own on the supervisor's sockets."""

    def __init__(
        self, process: asyncio.subprocess.Process, channel: SupervisorEnd, metrics_folder: Path | None
    ) -> None:
        self.name = f"worker {process.pid}"
        self.listening = channel.listening
        self._process = process
        self._channel = channel
        self._metrics_folder = metrics_folder
        self.gone = asyncio.Event()
        self._waiting = asyncio.ensure_future(self._wait())

    @classmethod
    async def start(
        cls, listeners: Listeners, words: Mapping[str, str], metrics_folder: Path | None
    ) -> "WorkerProcess":
        """Start a worker.

        Args:
            listeners: What it accepts connections from.
            words: Its settings. They go through a pipe: others could read its arguments.
            metrics_folder: Where the metrics of several workers are added up, if there are several.
        """
        channel = SupervisorEnd()
        public, private = (
            [listener.fileno() for listener in sockets] for sockets in (listeners.public, listeners.private)
        )
        command = (
            *(sys.executable, "-m", "service", "worker"),
            f"--public={','.join(map(str, public))}",
            f"--private={','.join(map(str, private))}",
            f"--channel={channel.others.fileno()}",
        )
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                pass_fds=(*public, *private, channel.others.fileno()),
                env=None if metrics_folder is None else worker_environment(metrics_folder),
                stdin=asyncio.subprocess.PIPE,
            )
        except BaseException:
            channel.close()
            raise
        channel.others.close()
        assert process.stdin is not None
        process.stdin.write(json.dumps(dict(words)).encode())
        process.stdin.close()
        return cls(process, channel, metrics_folder)

    def status(self) -> int:
        """Return its exit status; negative, if a signal ended it."""
        return self._waiting.result()

    async def end(self) -> None:
        """Have it finish what is under way; kill it if it does not end."""
        if not self.gone.is_set():
            self._process.terminate()
        if not await happens_within(DRAIN_SECONDS + PATIENCE_SECONDS, self.gone):
            self._process.kill()
        await self.gone.wait()

    def ask(self) -> None:
        """Ask whether its event loop turns."""
        self._channel.ask()

    @property
    def answered(self) -> bool:
        """Whether it has answered the last question."""
        return self._channel.answered

    async def _wait(self) -> int:
        status = await self._process.wait()
        self._channel.close()
        if self._metrics_folder is not None:
            forget_worker(self._process.pid, self._metrics_folder)
        self.gone.set()
        return status


class OwnProcess:
    """The supervisor's own process: where one worker is wanted there is no second process, until a reload.

    Args:
        serve: Serves until the event is set, and calls the function once it listens.
    """

    name = "this process"
    #: The event loop that would ask is the one that serves.
    answered = True

    def __init__(self, serve: Callable[[asyncio.Event, Callable[[], None]], Coroutine[None, None, None]]) -> None:
        self.listening = asyncio.Event()
        self.gone = asyncio.Event()
        self._stop = asyncio.Event()
        self._serving = asyncio.ensure_future(serve(self._stop, self.listening.set))
        self._serving.add_done_callback(lambda _: self.gone.set())

    def status(self) -> int:
        """Return 0.

        Raises:
            SettingsError, StorageError: It could not serve.
        """
        self._serving.result()
        return 0

    async def end(self) -> None:
        """Finish what is under way."""
        self._stop.set()
        await self.gone.wait()

    def ask(self) -> None:
        """Ask nothing: see `answered`."""
