from contextlib import contextmanager

import pytest

from storage.sql.core.engine import Database
from storage.sql.core.migrations import upgrade
from storage.sql.core.schema import metadata
from tests.servers import database_of_its_own, mysql_server, postgresql_server


@pytest.fixture
def sqlite_url(tmp_path):
    return f"sqlite:///{tmp_path}/authorizations.db"


@pytest.fixture
def database(sqlite_url):
    database = Database.open(sqlite_url)
    upgrade(database.engine)
    yield database
    database.close()


@pytest.fixture(scope="session")
def postgresql_url():
    with database_of_its_own(postgresql_server()) as url:
        yield url


@pytest.fixture(scope="session")
def mysql_url():
    with database_of_its_own(mysql_server()) as url:
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
