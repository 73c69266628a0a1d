"""`make reliability`: what faults of stores do to visitors, at full size, as a table of docs/reliability.md."""

import argparse
import asyncio

from tests.reliability.faults import FAULTS
from tests.reliability.outages import try_fault
from tests.reliability.page import write_figures

PER_SECOND = 100
#: Workers, and for how long the fault lasts, in seconds.
TRIALS = ((1, 10), (2, 20))


async def _try_all(only: str, *, write: bool) -> None:
    for fault in FAULTS:
        if only not in fault.name:
            continue
        acknowledged = lost = ended = 0
        cells = []
        for workers, seconds in TRIALS:
            done = await try_fault(fault, per_second=PER_SECOND, seconds=seconds, workers=workers)
            print(f"{fault.name}, {workers} workers, {seconds} s: {done}", flush=True)
            acknowledged += done.acknowledged
            lost += done.lost
            ended += done.ended
            cells += [str(done.in_vain), f"{done.recovery_seconds:.1f}"]
        if write:
            write_figures({fault.name: [f"{acknowledged:,}", str(lost), str(ended), *cells]})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="faults whose name holds this")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/reliability.md and its twin")
    asked = parser.parse_args()
    asyncio.run(_try_all(asked.only, write=asked.write))
