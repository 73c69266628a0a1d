"""Measures what an exchange costs here and in the stacks a team would write instead, in one run on one machine.

The figure that is stable on a noisy machine is processor time per exchange, as the operating system accounts it to the
server's processes. Rounds are interleaved, medians are compared, and every ratio is within the run.

Usage: python -m tests.bench.exchanges [--rounds N] [--seconds N] [--connections N] [--write]
"""

import argparse
import statistics
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from tests.bench.load import median, sample
from tests.bench.report import write_chapter
from tests.bench.servers import ADMIN_PORT, PORT, migrate, postgresql_database, running, upstream
from tests.bench.stacks import environment_for, prepare, stacks
from tests.certificates import make_certificate


@dataclass(frozen=True)
class Scenario:
    """Under which conditions to measure."""

    name: str
    workers: int = 1
    latency: float = 0.0
    tls: bool = False


SCENARIOS = [
    Scenario("one worker, WeChat answers at once"),
    Scenario("one worker, WeChat 50 ms away over TLS", latency=0.05, tls=True),
    Scenario("two workers, WeChat answers at once", workers=2),
]


def main():
    arguments = parse_arguments()
    left_out = prepare()
    sections = []
    with tempfile.TemporaryDirectory(prefix="wechat-openid-bench-") as name:
        folder = Path(name)
        certificate = make_certificate(folder, "127.0.0.1")
        for scenario in SCENARIOS[: arguments.scenarios]:
            results = measure(scenario, arguments, folder, certificate, left_out)
            sections.append(section(scenario, results))
    report = "\n".join([conditions(arguments, left_out), *sections])
    print(report)
    if arguments.write:
        write_chapter("## Exchanges", report)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--scenarios", type=int, default=len(SCENARIOS), help="only the first so many")
    parser.add_argument("--only", nargs="+", default=[""], help="only stacks whose names hold one of these")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    return parser.parse_args()


def measure(scenario, arguments, folder, certificate, left_out):
    """Return the samples of each stack, taken in turns."""
    samples = defaultdict(list)
    with upstream(scenario.latency, certificate if scenario.tls else None) as upstream_url:
        for number in range(arguments.rounds):
            with postgresql_database() as postgresql:
                sqlite = folder / f"{scenario.workers}-{scenario.latency}-{number}.db"
                for stack in stacks(scenario.workers, PORT, ADMIN_PORT, sqlite, postgresql):
                    if stack.missing or not any(part in stack.name for part in arguments.only):
                        continue
                    environment = environment_for(
                        stack,
                        port=PORT,
                        upstream=upstream_url,
                        ca_file=certificate.path if scenario.tls else None,
                        postgresql=postgresql,
                    )
                    if "this service" in stack.name:
                        migrate(environment)
                    with running(stack.command, environment) as process:
                        samples[stack.name].append(sample(process.pid, arguments.seconds, arguments.connections))
    return samples


def conditions(arguments, left_out):
    rounds = f"{arguments.rounds} interleaved rounds of {arguments.seconds} s with {arguments.connections} connections"
    lines = [f"{rounds}: medians, least and most in brackets. The ratio is that of processor time to the first row's."]
    lines += [f"Left out: {name}." for name in left_out]
    return "\n".join(lines) + "\n"


def section(scenario, results):
    yardstick = median(next(iter(results.values())), "cpu_microseconds")
    lines = [
        f"### {scenario.name[0].upper()}{scenario.name[1:]}",
        "",
        "| | CPU µs per exchange | exchanges/s | p50 ms | p99 ms | MB | ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, samples in results.items():
        cells = [
            spread([one.cpu_microseconds for one in samples], "{:.0f}"),
            spread([one.per_second for one in samples], "{:.0f}"),
            f"{median(samples, 'p50_ms'):.1f}",
            f"{median(samples, 'p99_ms'):.1f}",
            f"{median(samples, 'megabytes'):.0f}",
            f"{median(samples, 'cpu_microseconds') / yardstick:.2f}",
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def spread(values, form):
    middle, least, most = (form.format(f(values)) for f in (statistics.median, min, max))
    return f"{middle} ({least}–{most})"


if __name__ == "__main__":
    main()
