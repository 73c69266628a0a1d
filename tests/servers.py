"""The servers that tests use where they answer: PostgreSQL, MySQL or MariaDB, and Redis.

Each test run makes a database (in Redis: a prefix of keys) of its own on them and takes it away at the end, so any
server will do. Where none answers, its tests are skipped; with CI=true, as CI services set it, they fail instead, so
that nobody takes for tested what was not.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn
from urllib.parse import urlencode

import pytest
from sqlalchemy import create_engine, make_url

CONNECT_SECONDS = 3


def postgresql_server() -> str:
    return os.environ.get("TEST_POSTGRESQL_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres")


def mysql_server() -> str:
    return os.environ.get("TEST_MYSQL_URL", "mysql+pymysql://root@127.0.0.1:3306/mysql")


def redis_server() -> str:
    return os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/0")


def none_answers(kind: str, error: Exception) -> NoReturn:
    """Skip the test, or fail it where every server must be there."""
    reason = f"no {kind} answers here: {type(error).__name__}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@contextmanager
def database_of_its_own(server_url: str, options: str = "") -> Iterator[str]:
    """Make an empty database on a server, with options of CREATE DATABASE, give its URL, and drop it at the end."""
    name = f"wechat_openid_test_{uuid.uuid4().hex[:12]}"
    server = create_engine(server_url, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": CONNECT_SECONDS})
    try:
        with server.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} {options}")
    except Exception as error:  # noqa: BLE001 - whatever it is, there is nothing to test on
        none_answers(make_url(server_url).get_backend_name(), error)
    try:
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name}")
        server.dispose()


@contextmanager
def redis_prefix_of_its_own(server_url: str) -> Iterator[str]:
    """Give the server's URL with a prefix of keys that nobody else uses, and delete those keys at the end."""
    import redis  # noqa: PLC0415 - the other servers' tests need no Redis client

    prefix = f"wechat-openid-test-{uuid.uuid4().hex[:12]}:"
    with redis.Redis.from_url(server_url, socket_connect_timeout=CONNECT_SECONDS) as server:
        try:
            server.ping()
        except redis.RedisError as error:
            none_answers("redis", error)
        yield f"{server_url}{'&' if '?' in server_url else '?'}{urlencode({'prefix': prefix})}"
        for key in server.scan_iter(match=f"{prefix}*", count=1000):
            server.delete(key)
