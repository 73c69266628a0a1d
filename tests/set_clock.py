"""A wall clock of a process that a test sets: libfaketime does it, by an offset that it reads in a file."""

import os
import time
from pathlib import Path

import pytest

__all__ = ["SetClock", "clock_in"]

_LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


class SetClock:
    """The offset of a process's wall clock to the machine's, in seconds; its monotonic clock is left alone."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.offset = 0
        self.set_to(0)

    def set_to(self, offset: int) -> None:
        self.offset = offset
        self._file.write_text(f"{offset:+d}\n")

    def now(self) -> float:
        return time.time() + self.offset

    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(_LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


def clock_in(folder: Path) -> SetClock:
    """Return a clock whose offset is kept in a folder; skip the test where libfaketime is not installed."""
    if _LIBRARY is None:
        say = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        say("libfaketime is not installed here")
    return SetClock(folder / "offset")
