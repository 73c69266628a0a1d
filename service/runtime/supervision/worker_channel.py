"""The channel between the supervisor and a worker: who is there, and whether the worker's event loop turns.

A byte from the worker says that it listens and works. The supervisor asks for one by a byte of its own. When the other
side is gone, however it went, the channel ends.
"""

import asyncio
import contextlib
import socket

__all__ = ["SupervisorEnd", "WorkerEnd"]

_BYTE = b"."
_AT_ONCE = 4096


class SupervisorEnd:
    """The supervisor's end of a channel. Belongs to one event loop.

    `listening` is set once the worker listens; `answered` is false from a question to the answer.
    """

    def __init__(self) -> None:
        self._socket, self.others = socket.socketpair()
        self._socket.setblocking(False)
        self.listening = asyncio.Event()
        self.answered = True
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._read)

    def ask(self) -> None:
        """Ask the worker for an answer."""
        self.answered = False
        with contextlib.suppress(OSError):  # it is gone, or so many questions are open that one more tells nothing
            self._socket.send(_BYTE)

    def close(self) -> None:
        """Close both ends that this process has."""
        self._loop.remove_reader(self._socket)
        self._socket.close()
        self.others.close()

    def _read(self) -> None:
        if _received(self._socket):
            self.listening.set()
            self.answered = True
        else:
            self._loop.remove_reader(self._socket)


class WorkerEnd:
    """The worker's end of a channel. Belongs to one event loop.

    Args:
        descriptor: The file descriptor that the worker was started with.
        gone: Set when the supervisor is gone.
    """

    def __init__(self, descriptor: int, gone: asyncio.Event) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(False)
        self._gone = gone
        self._listens = False
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._read)

    def listening(self) -> None:
        """Say that the worker listens, and answer questions from now on."""
        self._listens = True
        self._answer()

    def _read(self) -> None:
        if not _received(self._socket):
            self._loop.remove_reader(self._socket)
            self._gone.set()
        elif self._listens:
            self._answer()

    def _answer(self) -> None:
        with contextlib.suppress(OSError):  # the supervisor is gone: reading says so
            self._socket.send(_BYTE)


def _received(end: socket.socket) -> bool:
    """Return whether something came; no, if the channel has ended."""
    try:
        return bool(end.recv(_AT_ONCE))
    except BlockingIOError:
        return True
    except OSError:
        return False
