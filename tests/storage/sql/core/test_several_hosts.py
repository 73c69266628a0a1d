"""Addresses of several hosts, some of which are not there, say nothing, or take no writes."""

import socket

import pytest
from sqlalchemy import make_url, text

from storage.base.errors import StoreUnavailable
from storage.sql.core.engine import Database
from tests.mariadb_server import DATABASE, mariadb_of_its_own


@pytest.fixture
def absent():
    """Give a host that refuses connections."""
    with socket.socket() as bound_but_not_listening:
        bound_but_not_listening.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound_but_not_listening.getsockname()[1]}"


@pytest.fixture
def silent():
    """Give a host that takes connections and says nothing, as one that was stopped."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def through(url, *before, options=""):
    """Return an address whose first hosts are others."""
    address = make_url(url)
    hosts = ",".join((*before, f"{address.host}:{address.port}"))
    return f"{address.get_backend_name()}://{address.username}@{hosts}/{address.database}?{options}"


def answers(url):
    database = Database.open(url)
    try:
        return database.read(lambda connection: connection.scalar(text("SELECT 1"))) == 1
    finally:
        database.close()


@pytest.mark.parametrize("kind", ["postgresql_url", "mysql_url"])
def test_the_host_that_answers_is_used(request, kind, absent, silent):
    url = request.getfixturevalue(kind)
    assert answers(through(url, absent))
    assert answers(through(url, absent, silent, options="connect_timeout=2"))


@pytest.mark.parametrize("backend", ["postgresql", "mysql"])
def test_where_no_host_answers_all_are_named(backend, absent, silent):
    with pytest.raises(StoreUnavailable, match=f"{backend} at {absent}, {silent} does not answer"):
        answers(f"{backend}://user@{absent},{silent}/name?connect_timeout=2")


def test_one_silent_host_does_not_hold_anybody_up(silent):
    """Its time is that of connecting, not the longer one of statements."""
    with pytest.raises(StoreUnavailable):
        answers(f"mysql://user@{silent}/name?connect_timeout=0.2&read_timeout=3600")


def test_the_host_that_takes_writes_is_used(mysql_url):
    with mariadb_of_its_own("--read-only=ON") as replica:
        address = make_url(mysql_url).set(database="")
        database = Database.open(through(str(address), replica.address))
        asked = text("SELECT @@port, @@read_only")
        assert database.read(lambda connection: connection.execute(asked).one()) == (make_url(mysql_url).port, 0)
        database.close()
        assert answers(f"mysql://root@{replica.address}/{DATABASE}")


def test_a_connection_is_given_up_when_its_host_takes_no_writes_any_more(mysql_url):
    """The address leads to the next host from then on."""
    with mariadb_of_its_own() as first:
        address = make_url(mysql_url).set(database="")
        database = Database.open(through(str(address), first.address))
        port = text("SELECT @@port")
        assert database.read(lambda connection: connection.scalar(port)) == first.port
        first.kill()
        assert database.read(lambda connection: connection.scalar(port)) == make_url(mysql_url).port
        database.close()
