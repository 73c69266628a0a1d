"""Load by `wrk`, and what it cost the server that bore it."""

import json
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.bench.processes import cpu_seconds, resident_megabytes
from tests.bench.servers import PORT

SCRIPT = Path(__file__).parent / "post_codes.lua"


@dataclass(frozen=True)
class Sample:
    """What one round of load gave."""

    cpu_microseconds: float
    per_second: float
    p50_ms: float
    p99_ms: float
    megabytes: float


def sample(pid, seconds, connections, *, port=PORT, warm_seconds=1, people=0):
    """Load a server for a while, after a moment of warming up.

    Args:
        pid: The server's process.
        seconds: How long.
        connections: Pages that post at once.
        port: Where it listens.
        warm_seconds: How long it is loaded before; 0 for one that is warm.
        people: How many post by turns; 0 for somebody new each time.
    """
    run = f"{time.time_ns()}"
    if warm_seconds:
        load(f"{run}w", warm_seconds, connections, port, people)
    before = cpu_seconds(pid)
    result = load(run, seconds, connections, port, people)
    used = cpu_seconds(pid) - before
    if result["errors"]:
        raise SystemExit(f"{result['errors']} of {result['requests']} requests failed; a cost would mean nothing")
    return Sample(
        cpu_microseconds=1e6 * used / result["requests"],
        per_second=1e6 * result["requests"] / result["microseconds"],
        p50_ms=result["p50"] / 1000,
        p99_ms=result["p99"] / 1000,
        megabytes=resident_megabytes(pid),
    )


def median(samples, figure):
    """Return the median of one figure of several samples."""
    return statistics.median(getattr(one, figure) for one in samples)


def load(run, seconds, connections, port=PORT, people=0):
    """Post new codes, as many as the server takes; return what `wrk` counted."""
    wrk = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s", "--timeout", "10s"]
    output = subprocess.run(
        [*wrk, "--script", str(SCRIPT), f"http://127.0.0.1:{port}", "--", run, str(people)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return json.loads(output.partition("RESULT ")[2])
