"""Redis Cluster: all of a store's keys are in one slot, which a replica takes over when its node dies."""

import re

import pytest

from storage.base.errors import StorageError
from storage.redis.store import RedisTokenStore
from storage.testing import TokenStoreContract, a_grant
from tests.clusters.failing_over import Trial
from tests.clusters.redis_servers import PASSWORD, redis_cluster_of_its_own

PREFIX = "{wechat-openid}:"


@pytest.fixture(scope="module")
def cluster():
    with redis_cluster_of_its_own(replicas=0) as nodes:
        yield nodes


@pytest.fixture
def own_cluster():
    """Give a cluster that a test may break."""
    with redis_cluster_of_its_own() as nodes:
        yield nodes


class TestInARedisCluster(TokenStoreContract):
    @pytest.fixture
    def url(self, cluster):
        return cluster.url()

    @pytest.fixture
    def store(self, cluster, url):
        cluster.primary_of(PREFIX).client().flushall()
        store = RedisTokenStore.open(url)
        yield store
        store.close()


@pytest.mark.quick
def test_an_address_of_one_server_is_refused_on_a_node_of_a_cluster(cluster):
    for node in cluster.nodes:
        store = RedisTokenStore.open(f"redis://:{PASSWORD}@{node.address}/0")
        with pytest.raises(StorageError, match=re.escape("must be redis+cluster://")):
            store.check_schema()
        with pytest.raises(StorageError):
            store.save([a_grant(f"o-{number}") for number in range(9)])
        store.close()


def test_a_prefix_that_does_not_hold_the_keys_together_is_refused(cluster):
    with pytest.raises(ValueError, match="TOKEN_STORE_URL must be"):
        RedisTokenStore.open(cluster.url("?prefix=no-braces:"))
    store = RedisTokenStore.open(cluster.url("?prefix={another}:"))
    store.save([a_grant()])
    assert store.get(a_grant().appid, a_grant().openid) is not None
    store.close()


@pytest.mark.quick
@pytest.mark.timeout(300)
@pytest.mark.gen_test(timeout=240)
async def test_a_node_that_dies_is_replaced_and_the_service_goes_on(
    own_cluster, wechat, http, start_server, page_at, note
):
    """What was answered in the moment before is a matter of luck: a Redis Cluster copies later."""
    settings = {"WECHAT_OPENID_TOKEN_STORE": "redis", "WECHAT_OPENID_TOKEN_STORE_URL": own_cluster.url()}
    node = own_cluster.primary_of(PREFIX)
    trial = Trial(wechat, http, start_server, page_at)
    found = await trial.exchange_while(node.kill, lambda: RedisTokenStore.open(own_cluster.url()), [settings, settings])
    note("Redis Cluster, the node killed", found)
    assert own_cluster.primary_of(PREFIX) is not node
    assert len(found["lost"]) < found["acknowledged"] / 2
    assert found["others"] == []
