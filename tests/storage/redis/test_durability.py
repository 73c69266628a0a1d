"""What a Redis server may lose is said before it does, on servers that are set up in each way."""

import pytest

from storage.base.errors import StorageError
from storage.base.risks import StoreRisk
from storage.redis.store import RedisTokenStore
from storage.testing import a_grant
from tests.clusters.redis_servers import PASSWORD, RedisServer
from tests.engine_processes import folder_of_its_own

DURABLE = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}


@pytest.fixture(scope="module")
def server():
    with folder_of_its_own("redis") as folder:
        server = RedisServer(folder / "server", requirepass=PASSWORD)
        try:
            server.begin()
            yield server
        finally:
            server.kill()


@pytest.fixture
def set_up(server):
    """Set the server up; it is as durable as can be before each test."""

    def set_up(**settings):
        with server.client() as client:
            for name, value in {**DURABLE, **settings}.items():
                client.config_set(name.replace("_", "-"), value)

    set_up()
    return set_up


@pytest.fixture
def open_store(server):
    opened = []

    def open_store(options="", user=""):
        opened.append(RedisTokenStore.open(f"redis://{user}:{PASSWORD}@{server.address}/0{options}"))
        return opened[-1]

    yield open_store
    for store in opened:
        store.close()


def test_a_durable_server_has_no_risk(set_up, open_store):
    assert open_store().risks() == []


@pytest.mark.parametrize(
    ("settings", "risk"),
    [
        ({"appendonly": "no"}, StoreRisk.CRASH_LOSES_MUCH),
        ({"appendfsync": "everysec"}, StoreRisk.CRASH_LOSES_LAST),
        ({"appendfsync": "no"}, StoreRisk.CRASH_LOSES_LAST),
        ({"maxmemory_policy": "volatile-lru"}, StoreRisk.DROPS_EXPIRING),
    ],
)
def test_a_server_that_forgets_is_said_to(set_up, open_store, settings, risk):
    set_up(**settings)
    assert open_store().risks() == [risk]


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu", "allkeys-random"])
def test_a_server_that_drops_users_is_refused_unless_that_is_meant(set_up, open_store, policy):
    set_up(maxmemory_policy=policy)
    with pytest.raises(StorageError, match=f"{policy}.*noeviction.*evicting=allowed"):
        open_store().risks()
    with pytest.raises(StorageError, match=policy):
        open_store("?evicting=refused").risks()
    assert open_store("?evicting=allowed").risks() == [StoreRisk.DROPS_USERS]


def test_what_a_managed_server_hides_is_said_to_be_unknown_and_the_rest_is_told(set_up, server, open_store):
    with server.client() as client:
        client.acl_setuser(
            "tenant", enabled=True, passwords=[f"+{PASSWORD}"], keys=["*"], commands=["+@all", "-config"]
        )
        client.acl_setuser(
            "guest", enabled=True, passwords=[f"+{PASSWORD}"], keys=["*"], commands=["+@all", "-config", "-info"]
        )
    set_up(appendonly="no")
    assert open_store(user="tenant").risks() == [StoreRisk.CRASH_LOSES_MUCH, StoreRisk.UNKNOWN]
    set_up(maxmemory_policy="allkeys-lru")
    with pytest.raises(StorageError, match="allkeys-lru"):
        open_store(user="tenant").risks()
    assert open_store(user="guest").risks() == [StoreRisk.UNKNOWN]


def test_no_user_of_this_store_is_one_that_expires(set_up, server, open_store):
    store = open_store("?prefix=expiring:")
    store.save([a_grant(unionid="u-1", next_refresh_at=1_800_000_000, code_digest=b"d" * 32)])
    store.claim(a_grant().appid, a_grant().openid, "owner", 60)
    with server.client() as client:
        keys = list(client.scan_iter("expiring:*"))
        assert len(keys) > 5
        assert {client.ttl(key) for key in keys} == {-1}
