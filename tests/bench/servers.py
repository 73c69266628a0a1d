"""What a measurement starts and stops: servers, the stand-in for WeChat, databases of its own."""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.waiting import accepts, answers, wait_until

HERE = Path(__file__).parent
PORT, ADMIN_PORT, UPSTREAM_PORT = 18888, 18889, 18890
#: What the alternatives store in.
TABLE = """
CREATE TABLE IF NOT EXISTS tokens (
  openid varchar(64) PRIMARY KEY, access_token varchar(600) NOT NULL, refresh_token varchar(600) NOT NULL,
  scope varchar(64) NOT NULL, expires_at bigint NOT NULL)
"""


@contextmanager
def running(command, environment, port=PORT):
    """Start a server, wait until it answers, and stop it in the end."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            wait_for_answer(process, log, port)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for_answer(process, log, port):
    wait_until(lambda: process.poll() is not None or answers(f"http://127.0.0.1:{port}/"))
    if process.poll() is not None:
        log.seek(0)
        raise SystemExit(f"{process.args} ended:\n{log.read().decode()}")


@contextmanager
def upstream(latency=0.0, certificate=None, *, port=UPSTREAM_PORT, token_seconds=7200):
    """Run the stand-in for WeChat, over TLS where there is a certificate; give its URL."""
    arguments = [str(port), str(latency), str(token_seconds)]
    if certificate:
        arguments += [str(certificate.path), str(certificate.key_path)]
    process = subprocess.Popen([sys.executable, str(HERE / "upstream.py"), *arguments])
    try:
        wait_until(lambda: process.poll() is not None or accepts(port))
        assert process.poll() is None, "the upstream ended"
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{port}"
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
