"""The folder in which the metrics of several workers are added up by prometheus_client."""

import os
from pathlib import Path

from prometheus_client.multiprocess import mark_process_dead

__all__ = ["forget_worker", "is_shared", "worker_environment"]

#: prometheus_client reads this variable when it is imported, so a worker must be started with it.
_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def is_shared() -> bool:
    """Return whether this process adds its metrics to those of other workers."""
    return _VARIABLE in os.environ


def worker_environment(folder: Path) -> dict[str, str]:
    """Return the environment of a worker that shares its metrics in a folder."""
    return {**os.environ, _VARIABLE: str(folder)}


def forget_worker(pid: int, folder: Path) -> None:
    """Remove the gauges of a worker that ended; its counters stay."""
    mark_process_dead(pid, str(folder))
