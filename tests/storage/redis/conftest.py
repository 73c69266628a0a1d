import pytest

from storage.redis.store import RedisTokenStore
from tests.servers import redis_prefix_of_its_own, redis_server


@pytest.fixture
def redis_url():
    with redis_prefix_of_its_own(redis_server()) as url:
        yield url


@pytest.fixture
def redis_store(redis_url):
    store = RedisTokenStore.open(redis_url)
    yield store
    store.close()
