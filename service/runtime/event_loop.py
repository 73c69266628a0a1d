"""The event loop: uvloop where it is installed, asyncio's own elsewhere; and the signals that a program listens to."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeVar

__all__ = ["run", "set_on_hangup", "stop_on_signals"]

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a program's main coroutine to its end."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    if find_spec("uvloop") is not None:
        factory = import_module("uvloop").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)


def stop_on_signals(stop: asyncio.Event) -> None:
    """Set an event when the process is told to stop, by SIGTERM or Ctrl-C."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


def set_on_hangup(reload: asyncio.Event) -> None:
    """Set an event whenever the process is told by SIGHUP to read its settings anew."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload.set)
