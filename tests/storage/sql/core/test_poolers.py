"""A pooler that gives each transaction any session there is."""

import threading

import pytest
from sqlalchemy import text

from storage.base.errors import StorageError
from storage.sql.core.engine import Database
from storage.sql.core.migrations import upgrade
from storage.sql.tokens.store import SqlTokenStore
from storage.testing import TokenStoreContract, a_grant
from tests.pooler import pgbouncer_of_its_own

APPID = a_grant().appid
CLIENTS = 6
ROUNDS = 40


@pytest.fixture
def pooled_url(postgresql_database):
    address = postgresql_database.engine.url.render_as_string(hide_password=False)
    with pgbouncer_of_its_own(address) as url:
        yield url


@pytest.mark.clusters
class TestThroughAPooler(TokenStoreContract):
    @pytest.fixture
    def url(self, pooled_url):
        return pooled_url

    @pytest.fixture
    def store(self, url):
        store = SqlTokenStore.open(url)
        yield store
        store.close()


def save_and_get(url, failures):
    """Do often what clients of a service do, each its own number of statements, so that none is in step."""
    stores = [SqlTokenStore.open(url) for _ in range(CLIENTS)]

    def work(number):
        try:
            for at in range(ROUNDS + number):
                stores[number].save([a_grant(f"o-{number}-{at}")])
                assert stores[number].get(APPID, f"o-{number}-{at}").openid == f"o-{number}-{at}"
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
            failures.append(error)

    threads = [threading.Thread(target=work, args=[number]) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for store in stores:
        store.close()


def test_clients_that_share_sessions_never_meet_each_others_statements(pooled_url):
    failures = []
    save_and_get(pooled_url, failures)
    assert failures == []


def test_an_option_of_the_url_says_that_sessions_are_shared(pooled_url):
    failures = []
    save_and_get(f"{pooled_url}?prepare_threshold=none", failures)
    assert failures == []


@pytest.mark.parametrize("said", ["prepare_threshold=none", "pgbouncer=true"])
def test_nothing_is_prepared_where_the_url_says_so(postgresql_url, said):
    database = Database.open(f"{postgresql_url}?{said}")
    for _ in range(10):
        database.read(lambda connection: connection.execute(text("SELECT 1")))
    prepared = text("SELECT count(*) FROM pg_prepared_statements")
    assert database.read(lambda connection: connection.scalar(prepared)) == 0
    database.close()


def test_statements_are_prepared_where_sessions_are_the_clients_own(postgresql_url):
    database = Database.open(postgresql_url)
    for _ in range(10):
        database.read(lambda connection: connection.execute(text("SELECT 1")))
    prepared = text("SELECT count(*) FROM pg_prepared_statements")
    assert database.read(lambda connection: connection.scalar(prepared)) > 0
    database.close()


@pytest.mark.parametrize("sqlstate", ["26000", "42P05", "08P01"])
def test_a_transaction_that_meets_another_clients_statements_is_repeated_and_prepares_none_any_more(
    postgresql_database, sqlstate
):
    """As behind a pooler that hands out the server's own process numbers."""
    thresholds = []

    def work(connection):
        thresholds.append(connection.connection.driver_connection.prepare_threshold)
        if len(thresholds) == 1:
            connection.exec_driver_sql(f"DO $$ BEGIN RAISE SQLSTATE '{sqlstate}'; END $$")

    postgresql_database.write(work)
    assert thresholds == [5, None]


def test_migrations_are_refused_a_session_that_is_not_their_own(pooled_url):
    database = Database.open(pooled_url)
    with pytest.raises(StorageError, match="a pooler between"):
        upgrade(database.engine)
    database.close()


def test_migrations_run_through_a_pooler_that_keeps_sessions(postgresql_database):
    address = postgresql_database.engine.url.render_as_string(hide_password=False)
    with pgbouncer_of_its_own(address, mode="session") as url:
        database = Database.open(f"{url}?prepare_threshold=5")
        upgrade(database.engine)
        database.close()
