"""Certificates that nobody trusts, made for a test's own servers."""

import datetime as dt
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, in PEM files and as objects.

    Attributes:
        path: The certificate, which is also what to trust where it signed itself.
        key_path: Its key.
    """

    path: Path
    key_path: Path
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def make_certificate(folder: Path, *hosts: str, issuer: Certificate | None = None) -> Certificate:
    """Make a certificate for hosts, by name or by address, and write it into a folder.

    Without an issuer it signs itself, and can issue others.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, hosts[0])])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .sign(issuer.key if issuer else key, hashes.SHA256())
    )
    made = Certificate(folder / f"{hosts[0]}.pem", folder / f"{hosts[0]}.key", certificate, key)
    made.path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    # The form of the key that every TLS library of a database reads.
    form = serialization.PrivateFormat.TraditionalOpenSSL
    made.key_path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return made


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
