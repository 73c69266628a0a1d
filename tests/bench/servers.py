"""What a measurement starts and stops: servers, the stand-in for WeChat, databases of its own, a certificate."""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import psycopg
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

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
def upstream(latency=0.0, certificate=None):
    """Run the stand-in for WeChat, over TLS where there is a certificate; give its URL."""
    arguments = [str(UPSTREAM_PORT), str(latency)]
    if certificate:
        arguments += [str(path) for path in certificate]
    process = subprocess.Popen([sys.executable, str(HERE / "upstream.py"), *arguments])
    try:
        wait_until(lambda: process.poll() is not None or accepts(UPSTREAM_PORT))
        assert process.poll() is None, "the upstream ended"
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{UPSTREAM_PORT}"
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
