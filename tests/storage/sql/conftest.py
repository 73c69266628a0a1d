import os
import uuid
from contextlib import contextmanager

import pytest
from sqlalchemy import create_engine, make_url

from storage.sql.engine import Database
from storage.sql.migrations import upgrade
from storage.sql.schema import metadata


@pytest.fixture
def sqlite_url(tmp_path):
    return f"sqlite:///{tmp_path}/authorizations.db"


@pytest.fixture
def database(sqlite_url):
    database = Database.open(sqlite_url)
    upgrade(database.engine)
    yield database
    database.close()


@contextmanager
def database_of_its_own(server_url):
    """Make an empty database on a server and drop it at the end; skip where no server answers."""
    name = f"wechat_openid_test_{uuid.uuid4().hex[:12]}"
    server = create_engine(server_url, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3})
    try:
        with server.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
    except Exception as error:  # noqa: BLE001 - whatever it is, there is nothing to test on
        pytest.skip(f"no {make_url(server_url).get_backend_name()} answers here: {type(error).__name__}")
    try:
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name}")
        server.dispose()


@pytest.fixture(scope="session")
def postgresql_url():
    server = os.environ.get("TEST_POSTGRESQL_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres")
    with database_of_its_own(server) as url:
        yield url


@pytest.fixture(scope="session")
def mysql_url():
    server = os.environ.get("TEST_MYSQL_URL", "mysql+pymysql://root@127.0.0.1:3306/mysql")
    with database_of_its_own(server) as url:
        yield url


@pytest.fixture(scope="session")
def migrated_servers():
    return set()


@contextmanager
def emptied(url, migrated_servers):
    """Open a database of a server, migrated once and emptied for each test."""
    database = Database.open(url)
    if url not in migrated_servers:
        upgrade(database.engine)
        migrated_servers.add(url)
    with database.engine.begin() as connection:
        for table in metadata.sorted_tables:
            connection.execute(table.delete())
    yield database
    database.close()


@pytest.fixture
def mysql_database(mysql_url, migrated_servers):
    with emptied(mysql_url, migrated_servers) as database:
        yield database


@pytest.fixture
def postgresql_database(postgresql_url, migrated_servers):
    with emptied(postgresql_url, migrated_servers) as database:
        yield database


@pytest.fixture(params=["postgresql_database", "mysql_database"])
def server_database(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["database", "postgresql_database", "mysql_database"])
def any_database(request):
    return request.getfixturevalue(request.param)
