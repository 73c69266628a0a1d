"""`Repetitions`: keeps the log readable while the same warning repeats."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Repetitions"]

#: How many warnings of a kind are written before they are counted.
_SAMPLES = 5
_WINDOW_SECONDS = 60.0

_Kind = tuple[str, int, str, int, str]


@dataclass
class _Window:
    """A kind of warning that was seen lately."""

    left: int
    counted: int = 0
    last: logging.LogRecord | None = None


class Repetitions(logging.Filter):
    """Lets the first warnings of a kind pass, and counts the rest: one line a minute for as long as they go on.

    Warnings are of a kind if they are written at one place in the code, by one logger at one level, with one type of
    exception or one attribute `kind`. What is less severe than a warning passes.

    Args:
        write: Writes the line that counts.
        samples: How many of a kind pass first.
        window_seconds: How often the rest are counted. A kind that was not seen for so long is new again.
    """

    def __init__(
        self,
        write: Callable[[logging.LogRecord], object],
        *,
        samples: int = _SAMPLES,
        window_seconds: float = _WINDOW_SECONDS,
    ) -> None:
        super().__init__()
        self._write = write
        self._samples = samples
        self._window_seconds = window_seconds
        self._windows: dict[_Kind, _Window] = {}
        self._lock = threading.Lock()
        self._own: logging.LogRecord | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is to be written."""
        if record.levelno < logging.WARNING or record is self._own:
            return True
        kind = _kind_of(record)
        with self._lock:
            window = self._windows.get(kind)
            if window is None:
                window = self._windows[kind] = _Window(self._samples)
                self._look_later(kind)
            if window.left:
                window.left -= 1
                return True
            window.counted += 1
            window.last = record
            return False

    def _look_later(self, kind: _Kind) -> None:
        timer = threading.Timer(self._window_seconds, self._close_window, (kind,))
        timer.daemon = True
        timer.start()

    def _close_window(self, kind: _Kind) -> None:
        with self._lock:
            window = self._windows[kind]
            if window.last is None:
                del self._windows[kind]
                return
            self._windows[kind] = _Window(0)
            self._look_later(kind)
            last = window.last
            text = f"{last.getMessage()} (the last of {window.counted} like it within {self._window_seconds:g} s)"
            own = logging.LogRecord(last.name, last.levelno, last.pathname, last.lineno, text, None, None)
            self._own = own
        self._write(own)


def _kind_of(record: logging.LogRecord) -> _Kind:
    error = record.exc_info[0] if record.exc_info else None
    kind = getattr(record, "kind", error.__name__ if error is not None else "")
    return record.name, record.levelno, record.pathname, record.lineno, kind
