"""A database whose host vanished: connections that there are go silent, and a new server answers at the address."""

import threading
import time

import pytest
from sqlalchemy import make_url

from storage.base.errors import StoreUnavailable
from storage.redis.store import RedisTokenStore
from storage.sql.core.migrations import upgrade
from storage.sql.tokens.store import SqlTokenStore
from storage.testing import a_grant
from tests.network_path import network_path_to
from tests.servers import database_of_its_own, mysql_server, postgresql_server, redis_prefix_of_its_own, redis_server
from tests.waiting import DEADLINE_SECONDS

SERVERS = {"postgresql": postgresql_server, "mysql": mysql_server, "redis": redis_server}
GRANT = a_grant()


@pytest.fixture(params=SERVERS)
def reached(request):
    """A store that reaches its server by a path, with several connections open, and the path."""
    server = SERVERS[request.param]()
    on_it = redis_prefix_of_its_own if request.param == "redis" else database_of_its_own
    with on_it(server) as url:
        address = make_url(url)
        with network_path_to(address.host, address.port) as path:
            through = address.set(host="127.0.0.1", port=path.port).render_as_string(hide_password=False)
            if request.param == "redis":
                store = RedisTokenStore.open(through)
            else:
                store = SqlTokenStore.open(through)
                upgrade(store._database.engine)
            store.save([GRANT])
            in_threads(store)
            yield store, path
            store.close()


def in_threads(store):
    """Ask the store by several connections at once; return those that were not answered."""
    failures = []

    def ask():
        try:
            assert store.get(GRANT.appid, GRANT.openid) is not None
        except StoreUnavailable as error:
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_SECONDS)
    assert not any(thread.is_alive() for thread in threads)
    return failures


def test_new_server_is_used_after_one_call_that_was_late(reached, record_property):
    store, path = reached
    path.forget_open_connections()
    began_at = time.monotonic()

    late = 0
    while True:
        try:
            store.save([GRANT])
            break
        except StoreUnavailable:
            late += 1
    seconds = time.monotonic() - began_at

    record_property("seconds until the new server was used", round(seconds, 1))
    print(f"back after {seconds:.1f} s, {late} calls late")
    assert late <= 1
    assert in_threads(store) == []


def test_threads_that_wait_for_a_server_that_vanished_are_set_free(reached):
    store, path = reached
    path.forget_open_connections()

    in_threads(store)

    assert in_threads(store) == []
