"""TLS to a server that has it: encrypted, and verified as far as the options of the address ask."""

import datetime as dt
import os
import shutil

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import text

from storage.base.errors import StoreUnavailable
from storage.sql.core.engine import Database
from tests.engine_processes import folder_of_its_own
from tests.mariadb_server import OWNER, mariadb_of_its_own

NAME = "db.example.com"


def name_of(common):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def certificate(folder, name, issuer=None, issuer_key=None):
    """Make a key and a certificate, an authority's where nobody issues it, and write both into files."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name_of(name))
        .issuer_name(issuer.subject if issuer else name_of(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(issuer_key or key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    (folder / f"{name}.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, *private))
    return made, key


@pytest.fixture(scope="module")
def server():
    with folder_of_its_own("tls", OWNER) as folder:
        authority, key = certificate(folder, "authority")
        certificate(folder, "stranger")
        certificate(folder, NAME, authority, key)
        if os.geteuid() == 0:
            for file in folder.iterdir():
                shutil.chown(file, OWNER)
        options = (f"--ssl-cert={folder / NAME}.pem", f"--ssl-key={folder / NAME}.key")
        with mariadb_of_its_own(*options) as running:
            yield running, folder


def cipher_of(server, options):
    """Return what the connection is encrypted by, or nothing."""
    running, folder = server
    options = options.replace("AUTHORITY", str(folder / "authority.pem")).replace("STRANGER", f"{folder}/stranger.pem")
    database = Database.open(f"{running.url}?{options}")
    try:
        return database.read(lambda connection: connection.execute(text("SHOW STATUS LIKE 'Ssl_cipher'")).one()[1])
    finally:
        database.close()


@pytest.mark.parametrize(
    "options",
    [
        "",
        "ssl-mode=PREFERRED",
        "ssl-mode=REQUIRED",
        "sslmode=require",
        "ssl=true",
        "useSSL=true",
        "tls=skip-verify",
        "ssl_disabled=false",
        "ssl-mode=VERIFY_CA&ssl_ca=AUTHORITY",
        "ssl_ca=AUTHORITY&ssl_check_hostname=false",
        "sslmode=verify-ca&sslrootcert=AUTHORITY",
        "ssl_verify_cert=true&ssl_ca=AUTHORITY&ssl_check_hostname=false",
    ],
)
def test_the_connection_is_encrypted(server, options):
    assert cipher_of(server, options) != ""


@pytest.mark.parametrize("options", ["ssl-mode=DISABLED", "ssl=false", "ssl_disabled=true", "tls=false"])
def test_the_connection_is_not_encrypted_where_that_is_asked_for(server, options):
    assert cipher_of(server, options) == ""


@pytest.mark.parametrize(
    "options",
    [
        # another authority
        "ssl-mode=VERIFY_CA&ssl_ca=STRANGER",
        "ssl_ca=STRANGER",
        # the system's authorities, none of which knows this one
        "ssl-mode=VERIFY_CA",
        "ssl_verify_cert=true",
        "tls=true",
        # the right authority, and another name than the address has
        "ssl-mode=VERIFY_IDENTITY&ssl_ca=AUTHORITY",
        "ssl_ca=AUTHORITY",
        "sslmode=verify-full&ssl-ca=AUTHORITY",
        "ssl_verify_identity=true&ssl_ca=AUTHORITY",
    ],
)
def test_a_server_that_cannot_be_verified_is_not_spoken_to(server, options):
    with pytest.raises(StoreUnavailable):
        cipher_of(server, options)
