"""PostgreSQL with a standby that has each commit before it is answered, reached by an address of both hosts."""

from dataclasses import replace

import pytest

from storage.sql.core.engine import Database
from storage.sql.core.migrations import upgrade
from storage.sql.core.schema import metadata
from storage.sql.tokens.store import SqlTokenStore
from storage.testing import TokenStoreContract
from tests.clusters.failing_over import Trial, in_flight
from tests.postgresql_cluster import replicated_cluster_of_its_own


def url_of(*clusters):
    """Return the address of both, which leads to the one that takes writes."""
    hosts = ",".join(f"127.0.0.1:{cluster.port}" for cluster in clusters)
    return f"postgresql://postgres@{hosts}/postgres?target_session_attrs=read-write"


@pytest.fixture(scope="module")
def pair():
    with replicated_cluster_of_its_own() as clusters:
        migrate(url_of(*clusters))
        yield clusters


@pytest.fixture
def own_pair():
    """Give a pair that a test may break."""
    with replicated_cluster_of_its_own() as clusters:
        migrate(url_of(*clusters))
        yield clusters


def migrate(url):
    database = Database.open(url)
    upgrade(database.engine)
    database.close()


class TestWithAStandby(TokenStoreContract):
    """The standby comes first in the address."""

    @pytest.fixture
    def url(self, pair):
        primary, standby = pair
        return url_of(standby, primary)

    @pytest.fixture
    def store(self, url):
        database = Database.open(url)
        with database.engine.begin() as connection:
            for table in metadata.sorted_tables:
                connection.execute(table.delete())
        yield SqlTokenStore(database)
        database.close()


def fail_over(primary, standby):
    primary.kill()
    standby.promote()


@pytest.mark.quick
@pytest.mark.timeout(300)
@pytest.mark.gen_test(timeout=240)
async def test_the_standby_that_takes_over_has_every_acknowledged_exchange(
    own_pair, wechat, http, start_server, page_at, note
):
    primary, standby = own_pair
    instances = [
        {"WECHAT_OPENID_DATABASE_URL": url_of(primary, standby)},
        {"WECHAT_OPENID_DATABASE_URL": url_of(standby, primary)},
    ]
    trial = Trial(wechat, http, start_server, page_at)
    found = await trial.exchange_while(
        lambda: fail_over(primary, standby), lambda: SqlTokenStore.open(url_of(primary, standby)), instances
    )
    note("PostgreSQL, the primary killed", found)
    assert found["lost"] == set()
    assert found["others"] == []


@pytest.fixture
def settings(settings, own_pair):
    return replace(settings, database_url=url_of(*own_pair))


@pytest.mark.timeout(300)
@pytest.mark.gen_test(timeout=240)
async def test_instances_refresh_each_token_once_while_the_standby_takes_over(
    own_pair, service, wechat, http, start_server, page_at, note
):
    trial = Trial(wechat, http, start_server, page_at)
    found = await trial.refresh_while(lambda: fail_over(*own_pair), service, [{}, {}])
    note("PostgreSQL, the primary killed", found)
    assert found["twice"] <= in_flight(2)


@pytest.mark.gen_test
async def test_the_doctor_and_the_service_read_an_address_of_several_hosts(
    own_pair, settings, start_process, start_server, http
):
    server = await start_server().answers(http)
    assert (await http.fetch(f"{server.admin_url}/readyz")).code == 200
    doctor = start_process("doctor")
    await doctor.ended()
    assert "database: PostgreSQL" in doctor.log.read_text()
