"""What a person reads whose DATABASE_URL leads to no database: what is wrong there, and never a password."""

import pytest
from sqlalchemy import make_url

from storage.base.errors import StoreUnavailable
from storage.sql.core.engine import Database
from storage.sql.core.revisions import schema_report
from tests.servers import database_of_its_own, mysql_server, postgresql_server
from tests.service.harness import free_port

SECRET = "hunter2-the-secret"


@pytest.fixture(params=[postgresql_server, mysql_server], ids=["postgresql", "mysql"])
def address(request):
    with database_of_its_own(request.param()) as url:
        yield make_url(url)


def said_of(address):
    database = Database.open(address.render_as_string(hide_password=False))
    try:
        with pytest.raises(StoreUnavailable) as failure:
            database.read(schema_report)
    finally:
        database.close()
    assert SECRET not in str(failure.value)
    return str(failure.value)


def test_a_database_that_is_not_there_is_named_with_the_statement_that_makes_it(address):
    said = said_of(address.set(database="nobody_made_this"))
    assert f"at {address.host}" in said
    assert 'has no database "nobody_made_this": make it by CREATE DATABASE nobody_made_this' in said


def test_a_user_or_password_that_is_refused_is_told_as_such(address):
    said = said_of(address.set(username="nobody_has_this", password=SECRET))
    assert "refuses the user or the password of DATABASE_URL" in said


def test_a_port_without_a_server_is_told_from_a_server_that_hangs(address):
    port = free_port()
    said = said_of(address.set(port=port))
    assert f"{address.host}:{port} does not answer: nothing listens at that address" in said


def test_a_host_that_no_name_server_knows_is_told(address):
    said = said_of(address.set(host="nobody-has.this-host.invalid"))
    assert "at nobody-has.this-host.invalid" in said
    assert "its host's name is not known" in said


def test_of_several_hosts_no_reason_is_given_that_may_be_another_hosts(address):
    ports = free_port(), free_port()
    several = f"{address.drivername.partition('+')[0]}://user:{SECRET}@" + ",".join(f"127.0.0.1:{p}" for p in ports)
    database = Database.open(f"{several}/name")
    with pytest.raises(StoreUnavailable, match=r"does not answer \("):
        database.read(schema_report)
    database.close()
