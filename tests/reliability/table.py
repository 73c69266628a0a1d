"""`make reliability`: what faults of stores do to the codes of visitors, at full size, as a table."""

import argparse
import asyncio

from tests.reliability.outages import FAULTS, try_fault


async def _print(per_second: float, seconds: float, workers: int, only: str) -> None:
    print(f"{per_second:g} visitors a second, {seconds:g} s, {workers} workers\n")
    print("| fault | visitors meanwhile | codes spent in vain | of these answered later | lines logged |")
    print("|---|---:|---:|---:|---:|")
    for fault in FAULTS:
        if only in fault.name:
            done = await try_fault(fault, per_second=per_second, seconds=seconds, workers=workers)
            figures = (done.visitors, done.in_vain, done.answered_later, done.log_lines)
            print(f"| {fault.name} | {' | '.join(map(str, figures))} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--per-second", type=float, default=100)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", default="", help="faults whose name holds this")
    asked = parser.parse_args()
    asyncio.run(_print(asked.per_second, asked.seconds, asked.workers, asked.only))
