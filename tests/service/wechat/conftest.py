"""Transports, and what a peer answers them."""

import ssl

import pytest

from service.wechat.transports import make_transport
from tests.certificates import make_certificate
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

    def open_(name, max_connections=2, timeout_seconds=TIMEOUT_SECONDS, **options):
        transports.append(make_transport(name, timeout_seconds, max_connections, **options))
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
    """A self-signed certificate for the loopback, and its key."""
    return make_certificate(tmp_path_factory.mktemp("tls"), "127.0.0.1")


@pytest.fixture
def tls(certificate):
    """Settings of a server with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.path, certificate.key_path)
    return context
