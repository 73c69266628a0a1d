import pytest

from storage.base.errors import StorageError
from storage.sql.core.engine import Database
from storage.sql.core.products import product_of

VERSIONS = {
    "PostgreSQL 15.20 (Debian 15.20-0+deb12u1) on x86_64-pc-linux-gnu": "PostgreSQL 15.20",
    "PostgreSQL 11.2-YB-2.18.4.0-b0 on x86_64-pc-linux-gnu, compiled by clang": "YugabyteDB 2.18.4.0",
    "PostgreSQL 15.2-YB-2025.1.0.0-b0 on x86_64-pc-linux-gnu": "YugabyteDB 2025.1.0.0",
    "CockroachDB CCL v23.1.14 (x86_64-pc-linux-gnu, built 2024/01/16)": "CockroachDB 23.1.14",
    "CockroachDB OSS v22.2.0 (x86_64-w64-mingw32)": "CockroachDB 22.2.0",
    "8.0.11-TiDB-v7.5.1": "TiDB 7.5.1",
    "5.7.25-TiDB-v6.5.0": "TiDB 6.5.0",
    "8.0.11-TiDB-Serverless": "TiDB",
    "10.11.19-MariaDB-0+deb12u1": "MariaDB 10.11.19",
    "5.5.5-10.11.6-MariaDB": "MariaDB 10.11.6",
    "8.0.36": "MySQL 8.0.36",
    "8.0.mysql_aurora.3.05.2": "MySQL 8.0",
    "nobody knows": "an unknown database",
}


def test_a_product_is_known_by_its_version(subtests):
    for version, product in VERSIONS.items():
        with subtests.test(version=version):
            assert str(product_of(version)) == product


def test_servers_and_files_say_what_they_are(any_database):
    product = any_database.read(any_database.dialect.product)
    assert product.is_tried
    assert product.version[0].isdigit()


def test_cockroachdb_is_refused_in_a_sentence(postgresql_database):
    """PostgreSQL says what CockroachDB says, by a function of that name before its own."""
    address = postgresql_database.engine.url.render_as_string(hide_password=False)
    with postgresql_database.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE SCHEMA guise; CREATE FUNCTION guise.version() RETURNS text LANGUAGE sql AS "
            "$$ SELECT 'CockroachDB CCL v23.1.14 (x86_64-pc-linux-gnu)' $$"
        )
    disguised = Database.open(f"{address}?options=-c%20search_path%3Dguise,pg_catalog")
    try:
        with pytest.raises(StorageError, match=r"CockroachDB 23\.1\.14, which is not supported"):
            disguised.read(lambda connection: connection.exec_driver_sql("SELECT 1"))
    finally:
        disguised.close()
        with postgresql_database.engine.begin() as connection:
            connection.exec_driver_sql("DROP SCHEMA guise CASCADE")
