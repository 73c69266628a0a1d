"""Fills a database with made-up users, a million or ten, as a busy account has them after some months."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

from storage.grants import Resealing, SealedRow
from storage.sealing import KeyRing, Tokens
from storage.sql.core.engine import Database
from storage.sql.core.migrations import upgrade
from storage.sql.core.schema import authorizations, metadata
from storage.sql.core.table_options import with_options
from storage.sql.tokens.store import SqlTokenStore
from storage.user_search import UserFilter, UserQuery
from storage.users import Status

#: The accounts; nine in ten users are the first one's.
APPIDS = ("wx51a7ed0000000001", "wx51a7ed0000000002")
#: Users in one statement, which takes less than the time that the service's connections give one.
_BATCH = 25_000
_DAY = 86_400

#: How each database counts from one number to another.
_NUMBERS = {
    "postgresql": "SELECT n FROM generate_series(CAST(:low AS BIGINT), CAST(:high AS BIGINT)) AS g(n)",
    "sqlite": "WITH RECURSIVE g(n) AS (SELECT :low UNION ALL SELECT n + 1 FROM g WHERE n < :high) SELECT n FROM g",
}
_BLOB = {"postgresql": "decode(repeat('5a', 160), 'hex')", "sqlite": "zeroblob(160)"}

#: `n` is the user's number. One in fifty has ended, one in a hundred was revoked, one in two hundred failed last time,
#: one in three hundred is a snapshot user; 60 % have shown a profile.
_USERS = """
INSERT INTO authorizations (
  appid, openid, unionid, scope, is_snapshotuser, access_token, refresh_token, expires_at, refresh_expires_at, status,
  version, next_refresh_at, code_digest, code_binding, code_scope, first_authorized_at, authorized_at, refreshed_at,
  last_used_at, refresh_failures, last_error_code, last_error_kind, last_error_at, nickname, avatar_url, profile_at)
SELECT
  CASE WHEN n % 10 = 0 THEN '{small}' ELSE '{main}' END,
  'o' || substr({hash}, 1, 27),
  CASE WHEN n % 5 < 3 THEN 'u' || substr({hash}, 5, 27) END,
  CASE WHEN n % 5 < 3 THEN 'snsapi_userinfo' ELSE 'snsapi_base' END,
  n % 300 = 0,
  {blob}, {blob},
  :now + n % 7200,
  :now + 30 * {day} - (:users - n) % (30 * {day}),
  CASE WHEN n % 50 = 7 THEN 'reauthorization_required' WHEN n % 100 = 8 THEN 'revoked' ELSE 'active' END,
  1 + n % 40,
  CASE WHEN n % 50 = 7 OR n % 100 = 8 OR n % 4 = 0 THEN NULL ELSE :now - 60 + n % 7200 END,
  {digest}, {digest},
  'snsapi_base',
  :now - (:users - n) % (180 * {day}),
  :now - (:users - n) % (30 * {day}),
  :now - n % 7200,
  :now - (n * 7919) % (30 * {day}),
  CASE WHEN n % 200 = 9 OR n % 50 = 7 THEN 1 + n % 5 ELSE 0 END,
  CASE WHEN n % 200 = 9 THEN 45011 WHEN n % 50 = 7 THEN 42002 END,
  CASE WHEN n % 200 = 9 THEN 'rate_limited' WHEN n % 50 = 7 THEN 'reauthorize' END,
  CASE WHEN n % 200 = 9 OR n % 50 = 7 THEN :now - n % 86400 END,
  CASE WHEN n % 5 < 3 THEN substr('王李张刘陈杨赵黄周吴徐孙胡朱高', CAST(1 + n % 15 AS INTEGER), 1)
    || substr('小大明红阳春花', CAST(1 + n % 7 AS INTEGER), 1) || substr({hash}, 9, 6) END,
  CASE WHEN n % 5 < 3 THEN 'https://thirdwx.qlogo.cn/mmopen/' || {hash} || '/132' END,
  CASE WHEN n % 5 < 3 THEN :now - n % 86400 END
FROM ({numbers}) AS numbers
"""

_ACTIVITY = """
INSERT INTO activity (hour, appid, kind, errcode, count)
SELECT CAST(:now AS BIGINT) / 3600 * 3600 - (n - 1) * 3600, '{main}', kind, errcode, base + (n * 7919) % 5000
FROM ({numbers}) AS numbers,
  (SELECT 'authorized' AS kind, 0 AS errcode, 20000 AS base UNION ALL SELECT 'refreshed', 0, 400000
   UNION ALL SELECT 'refresh_failed', 45011, 10 UNION ALL SELECT 'reauthorization_required', 42002, 900
   UNION ALL SELECT 'exchange_failed', 40163, 300 UNION ALL SELECT 'exchange_failed', 40029, 70) AS kinds
"""
_HOURS = 24 * 30
#: Hashes that both databases have or can be given.
_HASH = {"postgresql": "md5(CAST(n AS TEXT))", "sqlite": "made_up_hash(n)"}
_DIGEST = {"postgresql": "sha256(CAST(CAST(n AS TEXT) AS BYTEA))", "sqlite": "made_up_digest(n)"}


def fill(url: str, users: int, now: int) -> None:
    """Make the tables of an empty database and put so many users into them."""
    database = Database.open(url)
    try:
        upgrade(database.engine)
        kind = database.engine.dialect.name
        words = {
            "main": APPIDS[0],
            "small": APPIDS[1],
            "blob": _BLOB[kind],
            "hash": _HASH[kind],
            "digest": _DIGEST[kind],
            "numbers": _NUMBERS[kind],
            "day": _DAY,
        }
        with without_indexes(database):
            for low in range(1, users + 1, _BATCH):
                values = {"low": low, "high": min(low + _BATCH - 1, users), "users": users, "now": now}
                database.write(lambda connection, values=values: _insert(connection, _USERS.format(**words), values))
        hours = {"low": 1, "high": _HOURS, "now": now}
        database.write(lambda connection: _insert(connection, _ACTIVITY.format(**words), hours))
        analyze(database)
    finally:
        database.close()


def analyze(database: Database) -> None:
    """Let the database learn what is in its tables, as its own housekeeping does in the first minutes."""
    statement = {"postgresql": "VACUUM ANALYZE", "mysql": "ANALYZE TABLE authorizations", "sqlite": "ANALYZE"}
    with _patient_connection(database) as connection:
        connection.exec_driver_sql(statement[database.engine.dialect.name])


def seal_some(url: str, secret_key: str) -> None:
    """Give the oldest and the newest users tokens that open: a service looks at those when it starts."""
    store = SqlTokenStore.open(url)
    keys = KeyRing.parse(secret_key)
    try:
        for descending in (True, False):
            query = UserQuery(filter=UserFilter(status=Status.ACTIVE), descending=descending)
            for user in store.user_search(60).page(query).users:
                tokens = keys.seal(user.appid, user.openid, Tokens("access", "refresh"))
                row = SealedRow(user.id, user.appid, user.openid, store.get(user.appid, user.openid).tokens)
                store.reseal([Resealing(row, tokens)])
    finally:
        store.close()


@contextmanager
def without_indexes(database: Database, wanted: frozenset[str] | None = None) -> Iterator[None]:
    """Drop the users' indexes meanwhile, and make them (or only those wanted) anew: that takes a tenth of the time."""
    with_options(metadata)
    with _patient_connection(database) as connection:
        for index in authorizations.indexes:
            index.drop(connection, checkfirst=True)
    yield
    with _patient_connection(database) as connection:
        for index in sorted(authorizations.indexes, key=lambda one: str(one.name)):
            if wanted is None or index.name in wanted:
                index.create(connection)


@contextmanager
def _patient_connection(database: Database) -> Iterator[Connection]:
    """Give a connection whose statements may take as long as they need; each is a transaction where that is possible.

    The service's own connections give a statement up after some seconds.
    """
    with database.changing_schema() as connection:
        if not connection.in_transaction():  # as SQLite's is
            connection.execution_options(isolation_level="AUTOCOMMIT")
        yield connection


def _insert(connection: Connection, statement: str, values: dict[str, int]) -> None:
    raw = connection.connection.driver_connection
    if hasattr(raw, "create_function"):
        raw.create_function("made_up_hash", 1, made_up_hash, deterministic=True)
        raw.create_function("made_up_digest", 1, _made_up_digest, deterministic=True)
    connection.execute(text(statement), values)


def made_up_hash(number: int) -> str:
    """Return what PostgreSQL's md5 of a number is."""
    return hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()


def _made_up_digest(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()
