"""Fails when an exchange has come to cost more: a quick check of one ratio, which hardly depends on the machine.

The yardstick is the least that Tornado and its curl client can do (`alternatives/bare_tornado.py`, which never
changes). It and the service, with SQLite, bear the same short loads in turns, and the ratio of their processor time is
compared with the one written down here.

Usage: python -m tests.bench.guard [--rounds N] [--write]
"""

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path

from tests.bench.load import load, sample
from tests.bench.servers import ADMIN_PORT, PORT, migrate, running, upstream
from tests.bench.stacks import bare_tornado, environment_for, this_service

#: The service's processor time by the yardstick's. `--write` puts the measured one here: after a gain, to keep it.
RATIO = 1.61
#: How much more is a loss.
TOLERANCE = 1.15
BARE_PORT = PORT + 10
CONNECTIONS = 64
SECONDS = 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--write", action="store_true", help="make the measured ratio the one to keep")
    arguments = parser.parse_args()
    ratio = measured(arguments.rounds)
    print(f"An exchange costs {ratio:.2f} times the yardstick; {RATIO} is kept, {RATIO * TOLERANCE:.2f} is a loss.")
    if arguments.write:
        here = Path(__file__)
        text = re.sub(r"^RATIO = .*$", f"RATIO = {ratio:.2f}", here.read_text(encoding="utf-8"), flags=re.MULTILINE)
        here.write_text(text, encoding="utf-8")
    elif ratio > RATIO * TOLERANCE:
        sys.exit("An exchange has come to cost more. `make bench` and a profile tell where; see docs/performance.md.")


def measured(rounds):
    """Return the ratio of the least costs, both servers under load in turns: whatever else runs only adds to a cost."""
    with tempfile.TemporaryDirectory() as folder, upstream() as upstream_url:
        ours = this_service("ours", f"sqlite:///{folder}/guard.db", port=PORT, admin_port=ADMIN_PORT)
        bare = bare_tornado()
        environments = [environment_for(ours, port=PORT, upstream=upstream_url)]
        environments += [environment_for(bare, port=BARE_PORT, upstream=upstream_url)]
        migrate(environments[0])
        with (
            running(ours.command, environments[0]) as our_process,
            running(bare.command, environments[1], BARE_PORT) as bare_process,
        ):
            both = [(our_process.pid, PORT), (bare_process.pid, BARE_PORT)]
            for _, port in both:
                load(f"warm-{os.getpid()}-{port}", 2, CONNECTIONS, port)
            samples = [
                [sample(pid, SECONDS, CONNECTIONS, port=port, warm_seconds=0) for pid, port in both]
                for _ in range(rounds)
            ]
    mine, its = (min(one.cpu_microseconds for one in each) for each in zip(*samples, strict=True))
    return mine / its


if __name__ == "__main__":
    main()
