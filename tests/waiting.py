"""Waiting for a state that something else brings about; one place says how long to wait at most."""

import asyncio
import inspect
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from typing import Any

#: Far beyond what anything takes here: it ends what would never come to pass.
DEADLINE_SECONDS = 60
_PAUSE_SECONDS = 0.01


async def until(condition: Callable[[], Any | Awaitable[Any]]) -> Any:
    """Return what the condition gives as soon as that is true; the event loop goes on meanwhile.

    Args:
        condition: A function or a coroutine function, which is called again and again.
    """
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        assert time.monotonic() < deadline, f"it has not come to pass in {DEADLINE_SECONDS} seconds"
        await asyncio.sleep(_PAUSE_SECONDS)


def wait_until(condition: Callable[[], Any]) -> Any:
    """Return what the condition gives as soon as that is true, for tests and threads without an event loop."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, f"it has not come to pass in {DEADLINE_SECONDS} seconds"
        time.sleep(_PAUSE_SECONDS)
    return value


def answers(url: str) -> bool:
    """Return whether something answers HTTP there, whatever it says."""
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def accepts(port: int) -> bool:
    """Return whether something takes connections on a port of the loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
