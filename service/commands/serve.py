"""`wechat-openid serve`: the service, in one process or several."""

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from socket import socket

import click

from service.observability.logs import configure_logging
from service.runtime.bootstrap import DEFAULT_KEY_FILE, open_keys, open_service
from service.runtime.event_loop import run, set_on_hangup, stop_on_signals
from service.runtime.first_start import make_what_is_missing
from service.runtime.server import Listeners, bind, run_server
from service.runtime.supervision.notifications import Notifier
from service.runtime.supervision.reload import ReloadPlan, plan_reload
from service.runtime.supervision.slots import EX_CONFIG
from service.runtime.supervision.supervisor import Supervisor
from service.runtime.supervision.worker_channel import WorkerEnd
from service.runtime.supervision.workers import OwnProcess, Worker, WorkerProcess
from service.settings import Settings, SettingsError, load_words, parse_words
from storage.base.errors import StorageError
from storage.registry import load_store
from storage.sealing import read_key_file
from storage.store import Capability

__all__ = ["serve", "worker"]


@click.command
@click.option("--workers", type=click.IntRange(1, 128), help="Processes that share the ports.  [default: WORKERS]")
@click.pass_obj
def serve(config: Path | None, workers: int | None) -> None:
    """Serve pages and operators until SIGTERM or Ctrl-C; SIGHUP has the settings read anew."""
    serving = _Serving(config, workers)
    configure_logging(serving.settings.log_format, serving.settings.log_level)
    sys.exit(run(serving.run()))


class _Serving:
    """The supervisor of this process, and what it needs of settings."""

    def __init__(self, config: Path | None, workers: int | None) -> None:
        self._config = config
        self._workers = workers
        self._words = self._load_words()
        self.settings = parse_words(self._words)
        self._own_process_has_served = self.settings.workers > 1

    async def run(self) -> int:
        """Serve until SIGTERM or Ctrl-C; return the exit status."""
        stop, reload = asyncio.Event(), asyncio.Event()
        stop_on_signals(stop)
        set_on_hangup(reload)
        notifier = Notifier.taken_from(os.environ)
        listeners = bind(self.settings)
        await asyncio.to_thread(make_what_is_missing, self.settings)
        if self.settings.workers > 1:
            # What would stop every worker is found, and said, once.
            async with open_service(self.settings) as service:
                _require_sharing(self.settings, service.vault.capabilities, "set WORKERS to 1")
        with _metrics_folder(self.settings.workers) as metrics_folder:

            async def start(words: Mapping[str, str]) -> Worker:
                if self._own_process_has_served:
                    return await WorkerProcess.start(listeners, words, metrics_folder)
                self._own_process_has_served = True
                return OwnProcess(
                    lambda stop, on_listening: run_server(
                        self.settings, listeners.duplicate(), stop, on_listening=on_listening, ends_process=False
                    )
                )

            supervisor = Supervisor(
                listeners,
                _with_keys(self._words),
                self.settings.workers,
                start=start,
                plan=self._plan,
                notifier=notifier,
            )
            return await supervisor.run(stop, reload)

    async def _plan(self, running: Sequence[Mapping[str, str]]) -> ReloadPlan:
        """Read the settings anew, given those of the running workers.

        Raises:
            SettingsError, StorageError: They cannot be used; the text says why.
        """
        return await asyncio.to_thread(self._plan_in_thread, running)

    def _plan_in_thread(self, running: Sequence[Mapping[str, str]]) -> ReloadPlan:
        _require_sharing(self.settings, load_store(self.settings.token_store).capabilities, "restart the service")
        words = self._load_words()
        settings = parse_words(words)
        settings.all_accounts()
        open_keys(settings)
        configure_logging(settings.log_format, settings.log_level)
        return plan_reload(running, _with_keys(words))

    def _load_words(self) -> dict[str, str]:
        words = load_words(self._config)
        return words if self._workers is None else {**words, "workers": str(self._workers)}


def _require_sharing(settings: Settings, capabilities: frozenset[Capability], remedy: str) -> None:
    if Capability.SHARING not in capabilities:
        raise SettingsError(f"the token store {settings.token_store!r} belongs to one process: {remedy}")


def _with_keys(words: Mapping[str, str]) -> dict[str, str]:
    """Return the settings with the keys of the key file, where they name none: all workers have the same then."""
    return {**words, "secret_keys": words["secret_keys"] or read_key_file(DEFAULT_KEY_FILE)}


@contextmanager
def _metrics_folder(workers: int) -> Iterator[Path | None]:
    """Give a folder in which the metrics of several workers are added up."""
    if workers == 1:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="wechat-openid-metrics-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@click.command(hidden=True)
@click.option("--public", required=True, help="File descriptors of the public listener's sockets.")
@click.option("--private", required=True, help="File descriptors of the private listener's sockets.")
@click.option("--channel", type=int, required=True, help="The file descriptor of the channel to the supervisor.")
def worker(public: str, private: str, channel: int) -> None:
    """Serve on inherited sockets, for the supervisor, with the settings that it writes to standard input."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a terminal that is closed tells every process of it
    try:
        settings = parse_words(json.load(sys.stdin))
        configure_logging(settings.log_format, settings.log_level)
        run(_work(settings, Listeners(_sockets(public), _sockets(private)), channel))
    except (SettingsError, StorageError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(EX_CONFIG if isinstance(error, SettingsError) else 1)


async def _work(settings: Settings, listeners: Listeners, channel: int) -> None:
    stop = asyncio.Event()
    stop_on_signals(stop)
    supervisor = WorkerEnd(channel, gone=stop)
    await run_server(settings, listeners, stop, on_listening=supervisor.listening)


def _sockets(descriptors: str) -> list[socket]:
    return [socket(fileno=int(descriptor)) for descriptor in descriptors.split(",")]
