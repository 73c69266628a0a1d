"""MariaDB Galera: three nodes that each take writes."""

import os
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import replace

import pytest

from storage.sql.core.engine import Database
from storage.sql.core.schema import authorizations, metadata
from storage.sql.tokens.store import SqlTokenStore
from storage.testing import TokenStoreContract, a_grant
from tests.clusters.failing_over import Trial, in_flight
from tests.clusters.galera import galera_of_its_own

APPID = a_grant().appid
NOW = a_grant().authorized_at
USERS = [f"o-{number:03}" for number in range(120)]
ROUNDS = 25


@pytest.fixture(scope="module")
def galera():
    with galera_of_its_own() as cluster:
        migrate(cluster, cluster.nodes[:1])
        yield cluster


@pytest.fixture
def own_galera():
    """Give a cluster that a test may break."""
    with galera_of_its_own() as cluster:
        migrate(cluster, cluster.nodes[:1])
        yield cluster


def test_migrations_through_each_node_at_once_make_the_tables():
    with galera_of_its_own() as cluster:
        migrate(cluster, cluster.nodes)


def migrate(cluster, nodes):
    """Migrate through each of the nodes at once; their named locks know nothing of each other."""
    command = [sys.executable, "-m", "service", "migrate"]
    running = [
        subprocess.Popen(
            command,
            env={**os.environ, "WECHAT_OPENID_DATABASE_URL": cluster.url_of(node)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for node in nodes
    ]
    ended = [(process.communicate()[0].decode(), process.returncode) for process in running]
    assert [output for output, status in ended if status] == []


def at_once(works):
    """Run each in a thread, and raise what any of them raises."""
    start, failures = threading.Barrier(len(works)), []

    def run(work):
        try:
            start.wait()
            work()
        except BaseException as error:  # noqa: BLE001 - raised below
            failures.append(error)

    threads = [threading.Thread(target=run, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def emptied(url):
    database = Database.open(url)
    with database.engine.begin() as connection:
        for table in metadata.sorted_tables:
            connection.execute(table.delete())
    return SqlTokenStore(database)


@pytest.fixture
def stores(galera):
    """Give an empty store, through each node."""
    opened = [SqlTokenStore.open(galera.url_of(node)) for node in galera.nodes]
    emptied(galera.url).close()
    yield opened
    for store in opened:
        store.close()


class TestThroughGalera(TokenStoreContract):
    """The store is on one node, and other processes are on another."""

    @pytest.fixture
    def url(self, galera):
        return galera.url_of(*galera.nodes[1:])

    @pytest.fixture
    def store(self, galera):
        store = emptied(galera.url)
        yield store
        store.close()


@pytest.mark.quick
def test_what_is_due_is_claimed_by_one_node_each(stores):
    """Rows that one node has locked are not to the others, so SKIP LOCKED passes over none of them."""
    stores[0].save([a_grant(openid, next_refresh_at=NOW) for openid in USERS])
    claimed = []

    def claim(store, number):
        while leases := store.claim_due(APPID, f"node {number}", 10, 300, NOW):
            claimed.extend(lease.authorization.openid for lease in leases)

    at_once([lambda one=one: claim(*one) for one in zip(stores, range(3), strict=True)])
    claim(stores[0], 0)
    assert Counter(claimed) == Counter(USERS)


@pytest.mark.quick
def test_of_nodes_that_claim_a_user_at_once_one_gets_it(stores):
    stores[0].save([a_grant(openid) for openid in USERS])
    claimed = []

    def claim(store, number):
        claimed.extend(openid for openid in USERS if store.claim(APPID, openid, f"node {number}", 300))

    at_once([lambda one=one: claim(*one) for one in zip(stores, range(3), strict=True)])
    assert Counter(claimed) == Counter(USERS)


def test_grants_of_one_user_on_all_nodes_are_all_written_and_all_counted(stores):
    at_once([lambda store=store: [store.save([a_grant("o-1")]) for _ in range(ROUNDS)] for store in stores])
    assert stores[0].get(APPID, "o-1").version == 3 * ROUNDS
    assert sum(one.count for one in stores[1].activity(0)) == 3 * ROUNDS


@pytest.mark.quick
def test_a_transaction_that_another_node_contradicts_is_repeated(stores):
    """The node that comes second gives its own up, while it is under way or at its commit."""
    stores[0].save([a_grant("o-1")])
    runs = []

    def work(connection):
        runs.append(connection.execute(authorizations.update().values(refresh_failures=len(runs))))
        if len(runs) == 1:
            stores[1].save([a_grant("o-1")])

    stores[0]._database.write(work)
    assert len(runs) > 1
    assert stores[2].get(APPID, "o-1").version == 2


def test_what_one_node_has_committed_is_seen_on_the_others_at_once(stores):
    for number in range(ROUNDS):
        stores[number % 3].save([a_grant(f"o-{number}")])
        assert stores[(number + 1) % 3].get(APPID, f"o-{number}") is not None


def reached(cluster, count):
    """Return the settings of so many instances, each of which begins with another node."""
    turned = [cluster.nodes[number:] + cluster.nodes[:number] for number in range(count)]
    return [{"WECHAT_OPENID_DATABASE_URL": cluster.url_of(*nodes)} for nodes in turned]


LOSSES = {
    "killed": lambda cluster: cluster.nodes[0].kill(),
    "paused": lambda cluster: cluster.nodes[0].pause(),
    # It goes on answering its clients, and refuses their statements.
    "cut off": lambda cluster: cluster.nodes[0].ask("SET GLOBAL wsrep_provider_options = 'gmcast.isolate=1'"),
}


@pytest.mark.timeout(400)
@pytest.mark.gen_test(timeout=300)
@pytest.mark.parametrize("how", [pytest.param("killed", marks=pytest.mark.quick), "paused", "cut off"])
async def test_a_node_that_is_lost_takes_no_acknowledged_exchange_along(
    own_galera, wechat, http, start_server, page_at, note, how
):
    trial = Trial(wechat, http, start_server, page_at)
    others = own_galera.url_of(*own_galera.nodes[1:])
    found = await trial.exchange_while(
        lambda: LOSSES[how](own_galera), lambda: SqlTokenStore.open(others), reached(own_galera, 2)
    )
    note(f"Galera, a node {how}", found)
    assert found["lost"] == set()
    assert found["others"] == []


@pytest.fixture
def settings(settings, own_galera):
    return replace(settings, database_url=own_galera.url)


@pytest.mark.timeout(400)
@pytest.mark.gen_test(timeout=300)
@pytest.mark.parametrize("how", [None, "killed"])
async def test_instances_on_nodes_of_their_own_refresh_each_token_once(
    own_galera, service, wechat, http, start_server, page_at, note, how
):
    trial = Trial(wechat, http, start_server, page_at)
    lose = None if how is None else lambda: LOSSES[how](own_galera)
    found = await trial.refresh_while(lose, service, reached(own_galera, 3))
    note(f"Galera, a node {how or 'not lost'}", found)
    assert found["twice"] <= (0 if how is None else in_flight(3))
