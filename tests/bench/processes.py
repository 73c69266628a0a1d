"""What the operating system says of a process and its children: processor time and resident memory."""

import os
from contextlib import suppress
from pathlib import Path

_TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")


def family(pid):
    """Return the ids of a process and of everything it started that still runs."""
    members = [pid]
    for member in members:
        for task in Path(f"/proc/{member}/task").glob("*/children"):
            with suppress(FileNotFoundError, ProcessLookupError):
                members.extend(int(child) for child in task.read_text().split())
    return members


def cpu_seconds(pid):
    """Return the processor time of a process and its children that are there, in seconds."""
    total = 0.0
    for member in family(pid):
        with suppress(FileNotFoundError, ProcessLookupError):  # it may end meanwhile
            # The name, in brackets, may hold blanks; utime and stime are the 12th and 13th words after it.
            words = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
            total += (int(words[11]) + int(words[12])) * _TICK_SECONDS
    return total


def resident_megabytes(pid):
    """Return the largest resident set among a process and its children, in megabytes (10⁶ bytes)."""
    return max(_resident_megabytes_of(member) for member in family(pid))


def resident_total_megabytes(pid):
    """Return the resident sets of a process and its children together, in megabytes (10⁶ bytes)."""
    return sum(_resident_megabytes_of(member) for member in family(pid))


def open_descriptors(pid):
    """Return how many descriptors a process and its children have open."""
    return sum(_entries(member, "fd") for member in family(pid))


def threads(pid):
    """Return how many threads a process and its children have."""
    return sum(_entries(member, "task") for member in family(pid))


def _entries(member, folder):
    return sum(1 for _ in Path(f"/proc/{member}/{folder}").iterdir())


def _resident_megabytes_of(member):
    pages = int(Path(f"/proc/{member}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
