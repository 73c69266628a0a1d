"""Redis with replicas and Sentinels, which name another primary when one dies."""

from dataclasses import replace

import pytest

from storage.base.errors import StoreUnavailable
from storage.redis.store import RedisTokenStore
from storage.testing import TokenStoreContract, a_grant
from tests.clusters.failing_over import Trial, in_flight
from tests.clusters.redis_servers import watched_redis_of_its_own

APPID = a_grant().appid


@pytest.fixture(scope="module")
def watched():
    with watched_redis_of_its_own() as servers:
        yield servers


@pytest.fixture
def own_watched():
    """Give servers that a test may break."""
    with watched_redis_of_its_own() as servers:
        yield servers


class TestThroughSentinel(TokenStoreContract):
    """Each write waits for a replica."""

    @pytest.fixture
    def url(self, watched):
        return watched.url("?wait_replicas=1")

    @pytest.fixture
    def store(self, watched, url):
        watched.primary.client().flushall()
        store = RedisTokenStore.open(url)
        yield store
        store.close()


LOSSES = {"killed": lambda servers: servers.primary.kill(), "paused": lambda servers: servers.primary.pause()}


@pytest.mark.timeout(300)
@pytest.mark.gen_test(timeout=240)
@pytest.mark.parametrize("how", [pytest.param("killed", marks=pytest.mark.quick), "paused"])
async def test_a_replica_that_takes_over_has_every_exchange_that_waited_for_it(
    own_watched, wechat, http, start_server, page_at, note, how
):
    settings = {
        "WECHAT_OPENID_TOKEN_STORE": "redis",
        "WECHAT_OPENID_TOKEN_STORE_URL": own_watched.url("?wait_replicas=1&wait_milliseconds=2000"),
    }
    trial = Trial(wechat, http, start_server, page_at)
    found = await trial.exchange_while(
        lambda: LOSSES[how](own_watched), lambda: RedisTokenStore.open(own_watched.url()), [settings, settings]
    )
    note(f"Redis by Sentinel, the primary {how}", found)
    assert own_watched.current_primary() != own_watched.primary.port
    assert found["lost"] == set()
    assert found["others"] == []


def test_a_write_that_too_few_replicas_have_is_not_said_to_be_done(own_watched):
    store = RedisTokenStore.open(own_watched.url("?wait_replicas=2&wait_milliseconds=100"))
    store.save([a_grant()])
    own_watched.replicas[0].pause()
    with pytest.raises(StoreUnavailable, match="too few replicas"):
        store.save([a_grant("o-2")])
    assert store.get(APPID, "o-2") is not None
    own_watched.replicas[0].resume()
    store.close()


@pytest.fixture
def settings(settings, own_watched):
    return replace(settings, token_store="redis", token_store_url=own_watched.url("?wait_replicas=1"))


@pytest.mark.timeout(300)
@pytest.mark.gen_test(timeout=240)
async def test_instances_refresh_each_token_once_while_a_replica_takes_over(
    own_watched, settings, service, wechat, http, start_server, page_at, note
):
    own = {"WECHAT_OPENID_TOKEN_STORE": "redis", "WECHAT_OPENID_TOKEN_STORE_URL": settings.token_store_url}
    trial = Trial(wechat, http, start_server, page_at)
    found = await trial.refresh_while(own_watched.primary.kill, service, [own, own])
    note("Redis by Sentinel, the primary killed", found)
    assert found["twice"] <= in_flight(2)
