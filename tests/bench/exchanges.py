"""Measures what an exchange costs here and in the stacks a team would write instead, in one run on one machine.

The figure that is stable on a noisy machine is processor time per exchange, as the operating system accounts it to the
server's processes. Rounds are interleaved, medians are compared, and every ratio is within the run.

Usage: python -m tests.bench.exchanges [--rounds N] [--seconds N] [--connections N] [--write]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import psycopg
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.bench.processes import cpu_seconds, resident_megabytes
from tests.bench.stacks import environment_for, prepare, stacks

HERE = Path(__file__).parent
REPORT = Path("docs/performance.md")
PORT, ADMIN_PORT, UPSTREAM_PORT = 18888, 18889, 18890
TABLE = """
CREATE TABLE IF NOT EXISTS tokens (
  openid varchar(64) PRIMARY KEY, access_token varchar(600) NOT NULL, refresh_token varchar(600) NOT NULL,
  scope varchar(64) NOT NULL, expires_at bigint NOT NULL)
"""


@dataclass(frozen=True)
class Scenario:
    """Under which conditions to measure."""

    name: str
    workers: int = 1
    latency: float = 0.0
    tls: bool = False


@dataclass(frozen=True)
class Sample:
    """What one round of one stack gave."""

    cpu_microseconds: float
    per_second: float
    p50_ms: float
    p99_ms: float
    megabytes: float


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
        certificate = make_certificate(folder)
        for scenario in SCENARIOS[: arguments.scenarios]:
            results = measure(scenario, arguments, folder, certificate, left_out)
            sections.append(section(scenario, results))
    report = "\n".join([conditions(arguments, left_out), *sections])
    print(report)
    if arguments.write:
        write_report(report)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--scenarios", type=int, default=len(SCENARIOS), help="only the first so many")
    parser.add_argument("--only", nargs="+", default=[""], help="only stacks whose names hold one of these")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {REPORT}")
    return parser.parse_args()


def measure(scenario, arguments, folder, certificate, left_out):
    """Return the samples of each stack, taken in turns."""
    samples = defaultdict(list)
    with upstream(scenario, certificate) as upstream_url:
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
                        ca_file=certificate[0] if scenario.tls else None,
                        postgresql=postgresql,
                    )
                    if "this service" in stack.name:
                        migrate(environment)
                    with running(stack.command, environment) as process:
                        samples[stack.name].append(sample(process.pid, arguments))
    return samples


def sample(pid, arguments):
    """Load a server for a while, after a moment of warming up."""
    run = f"{time.time_ns()}"
    load(f"{run}w", 1, arguments.connections)
    before = cpu_seconds(pid)
    result = load(run, arguments.seconds, arguments.connections)
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


def load(run, seconds, connections):
    output = subprocess.run(
        [
            *(
                "wrk",
                "--threads",
                "1",
                "--connections",
                str(connections),
                "--duration",
                f"{seconds}s",
                "--timeout",
                "10s",
            ),
            *("--script", str(HERE / "post_codes.lua"), f"http://127.0.0.1:{PORT}", "--", run),
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return json.loads(output.partition("RESULT ")[2])


@contextmanager
def running(command, environment):
    """Start a server, wait until it answers, and stop it in the end."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            wait_for_answer(process, log)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for_answer(process, log):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/", timeout=2)
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    log.seek(0)
    raise SystemExit(f"{process.args} does not answer:\n{log.read().decode()}")


@contextmanager
def upstream(scenario, certificate):
    """Run the stand-in for WeChat."""
    arguments = [str(UPSTREAM_PORT), str(scenario.latency)]
    if scenario.tls:
        arguments += [str(path) for path in certificate]
    process = subprocess.Popen([sys.executable, str(HERE / "upstream.py"), *arguments])
    try:
        time.sleep(0.5)
        yield f"{'https' if scenario.tls else 'http'}://127.0.0.1:{UPSTREAM_PORT}"
    finally:
        process.kill()
        process.wait()


def migrate(environment):
    subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"], env=environment, check=True, capture_output=True
    )


@contextmanager
def postgresql_database():
    """Make a database of our own and drop it in the end."""
    server = os.environ.get("TEST_POSTGRESQL_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres")
    base, _, _ = server.rpartition("/")
    plain = server.replace("+psycopg", "")
    name = f"bench_{os.getpid()}_{time.time_ns()}"
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = f"{base}/{name}"
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(TABLE)
    try:
        yield url
    finally:
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def make_certificate(folder):
    """Make a certificate for the loopback, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


def conditions(arguments, left_out):
    rounds = f"{arguments.rounds} interleaved rounds of {arguments.seconds} s with {arguments.connections} connections"
    lines = [f"{rounds}: medians, least and most in brackets. The ratio is that of processor time to the first row's."]
    lines += [f"Left out: {name}." for name in left_out]
    return "\n".join(lines) + "\n"


def section(scenario, results):
    yardstick = statistics.median(one.cpu_microseconds for one in next(iter(results.values())))
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
            f"{statistics.median(one.p50_ms for one in samples):.1f}",
            f"{statistics.median(one.p99_ms for one in samples):.1f}",
            f"{statistics.median(one.megabytes for one in samples):.0f}",
            f"{statistics.median(one.cpu_microseconds for one in samples) / yardstick:.2f}",
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def spread(values, form):
    middle, least, most = (form.format(f(values)) for f in (statistics.median, min, max))
    return f"{middle} ({least}–{most})"


def write_report(report):
    """Put the tables into their chapter of the documentation, in place of those of the last run."""
    heading, next_heading = "## Exchanges\n", "## Scheduled refreshes\n"
    text = REPORT.read_text(encoding="utf-8")
    before, _, rest = text.partition(heading)
    _, _, after = rest.partition(next_heading)
    REPORT.write_text(f"{before}{heading}\n{report}\n{next_heading}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
