"""TLS to a server that has it: encrypted, and verified as far as the options of the address ask."""

import os
import shutil

import pytest
from sqlalchemy import text

from storage.base.errors import StoreUnavailable
from storage.sql.core.engine import Database
from tests.certificates import make_certificate
from tests.engine_processes import folder_of_its_own
from tests.mariadb_server import OWNER, mariadb_of_its_own

NAME = "db.example.com"


@pytest.fixture(scope="module")
def server():
    with folder_of_its_own("tls", OWNER) as folder:
        authority = make_certificate(folder, "authority")
        make_certificate(folder, "stranger")
        own = make_certificate(folder, NAME, issuer=authority)
        if os.geteuid() == 0:
            for file in folder.iterdir():
                shutil.chown(file, OWNER)
        options = (f"--ssl-cert={own.path}", f"--ssl-key={own.key_path}")
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
