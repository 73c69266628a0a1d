"""How often an exchange waits for an answer of the database, counted on the path between them."""

import pytest

from storage.base.errors import InvalidRecord
from storage.sql.tokens.store import SqlTokenStore
from storage.testing.samples import APPID, a_grant
from tests.network_path import network_path_to

#: Longer than it takes to say anything, so that an answer to the first half of a message never counts.
DELAY_SECONDS = 0.02


@pytest.fixture
def path(server_database):
    address = server_database.engine.url
    with network_path_to(address.host, address.port) as path:
        yield path


@pytest.fixture
def distant(server_database, path):
    """Give a store whose database is far away."""
    address = server_database.engine.url.set(host="127.0.0.1", port=path.port)
    store = SqlTokenStore.open(address.render_as_string(hide_password=False))
    path.delay_seconds = DELAY_SECONDS
    yield store
    store.close()


def trips_of(path, work):
    before = path.round_trips
    work()
    return path.round_trips - before


@pytest.mark.parametrize("count", [1, 20])
def test_a_batch_of_grants_is_stored_in_one_round_trip(path, distant, count):
    distant.save([a_grant()])  # which connects
    trips = [trips_of(path, lambda: distant.save([a_grant(f"o-{n}") for n in range(count)])) for _ in range(8)]
    assert trips == [1] * 8
    assert distant.get(APPID, f"o-{count - 1}") is not None


def test_a_batch_that_the_database_refuses_changes_nothing_and_the_next_is_stored(path, distant):
    for _ in range(3):
        with pytest.raises(InvalidRecord):
            distant.save([a_grant("o-1"), a_grant("o-2", scope="s" * 300), a_grant("o-3")])
        assert [distant.get(APPID, f"o-{n}") for n in (1, 2, 3)] == [None] * 3
    distant.save([a_grant("o-1")])
    assert trips_of(path, lambda: distant.save([a_grant("o-2")])) == 1
