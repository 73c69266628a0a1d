"""What a process asks of the operating system: private files, no core dumps, enough descriptors."""

import ctypes
import os
import resource
import sys

__all__ = ["FEWEST_DESCRIPTORS", "descriptor_limit", "harden", "raise_descriptor_limit"]

#: With fewer, a busy service runs out of them.
FEWEST_DESCRIPTORS = 4096
#: More would only make what looks through all of them slow.
_MOST_DESCRIPTORS = 65_536
#: Nobody but the owner can read what is made from now on.
_OWN_FILES_ONLY = 0o077
#: See prctl(2).
_PR_SET_DUMPABLE = 4


def harden() -> None:
    """Close the process's files and memory to others on this machine.

    Files that are made from now on are its owner's alone. Its memory, keys and tokens in it, is written into no core
    dump, and on Linux no other process of the same user can attach to it or read it.
    """
    os.umask(_OWN_FILES_ONLY)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        # The limit alone does not hold where the kernel pipes dumps to a program (core(5)).
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def descriptor_limit() -> int:
    """Return how many files and connections the process may have open."""
    return _bounded(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def raise_descriptor_limit() -> int:
    """Let the process have as many files and connections open as the system allows it, and return how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _bounded(hard)
    if _bounded(soft) < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return descriptor_limit()


def _bounded(limit: int) -> int:
    return _MOST_DESCRIPTORS if limit == resource.RLIM_INFINITY else min(limit, _MOST_DESCRIPTORS)
