"""Transports, and what a peer answers them."""

import datetime as dt
import ipaddress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from service.wechat.transports import make_transport
from tests.service.peer import TIMEOUT_SECONDS, answer, http


@pytest.fixture
def http_reply():
    return http


@pytest.fixture
def answering():
    return answer


@pytest.fixture
def open_transport(io_loop):
    transports = []

    def open_(name, max_connections=2, timeout_seconds=TIMEOUT_SECONDS):
        transports.append(make_transport(name, timeout_seconds, max_connections))
        return transports[-1]

    yield open_
    for transport in transports:
        io_loop.run_sync(transport.close)


@pytest.fixture(params=["curl", "requests"])
def transport_name(request):
    return request.param


@pytest.fixture
def transport(open_transport, transport_name):
    return open_transport(transport_name)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate for the loopback, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "loopback.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return str(path)
