"""Tells systemd how the service stands, by the socket that it names in `NOTIFY_SOCKET` (sd_notify(3)).

Where no such socket is named, as in containers and shells, nothing is told.
"""

import contextlib
import os
import socket
import time
from collections.abc import MutableMapping
from typing import Self

__all__ = ["Notifier"]


class Notifier:
    """Writes to the notify socket. A message that systemd does not take at once is left out: nothing waits for it.

    Args:
        address: The socket's path, or `@` and its abstract name; empty for none.
        watchdog_seconds: Within which time systemd wants to hear again and again that the service is alive, if it does.
    """

    def __init__(self, address: str = "", watchdog_seconds: float | None = None) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.watchdog_seconds = watchdog_seconds

    @classmethod
    def taken_from(cls, environment: MutableMapping[str, str]) -> Self:
        """Read what systemd has set, and remove it, so that no process started later speaks for this one."""
        address = environment.pop("NOTIFY_SOCKET", "")
        microseconds = environment.pop("WATCHDOG_USEC", "")
        process = environment.pop("WATCHDOG_PID", "") or str(os.getpid())
        is_watched = address and microseconds.isdecimal() and process == str(os.getpid())
        return cls(address, int(microseconds) / 1e6 if is_watched else None)

    def ready(self, status: str) -> None:
        """Tell that the service has started, or has been reloaded, and what there is to say about it, in a line."""
        self._tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """Tell that settings are being read anew; `ready` ends it. systemd matches the time with its own signal."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """Tell that the service is about to end."""
        self._tell("STOPPING=1")

    def alive(self) -> None:
        """Tell that the service still works."""
        self._tell("WATCHDOG=1")

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.setblocking(False)
            notify.sendto("\n".join(lines).encode(), self._address)
