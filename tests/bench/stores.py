"""Measures SQL token stores that hold many users: sizes, claims, pages, and four processes that claim everything due.

Usage: python -m tests.bench.stores [--rows N …] [--databases NAME …] [--seconds N] [--write]

Servers are those of the tests (see `tests/servers.py`); each gets a database of its own, dropped in the end. Rows are
made by the database itself, before its indexes.
"""

import argparse
import multiprocessing
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from sqlalchemy import func, select, text

from storage.base.errors import StoreUnavailable
from storage.sql.core.engine import Database
from storage.sql.core.migrations import upgrade
from storage.sql.core.schema import authorizations
from storage.sql.tokens.store import SqlTokenStore
from storage.user_search import UserFilter, UserQuery, UserSort
from tests.bench.made_up_users import analyze, without_indexes
from tests.servers import database_of_its_own, mysql_server, postgresql_server

T = TypeVar("T")

REPORT = Path("docs/scaling.md")
#: What is written stands between these headings.
BEGIN, END = "\n### Figures\n", "\n## One database\n"
APPID = "wx0123456789abcdef"
NOW = 1_800_000_000
PROCESSES, CLAIM = 4, 250
CHUNK = 100_000
REPEATS = 30

#: How each database counts from :first to :last, and makes 165 bytes that look like a sealed token.
NUMBERS = {
    "postgresql": "generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS numbers(n)",
    "mysql": "(SELECT seq AS n FROM seq_1_to_100000000 WHERE seq BETWEEN :first AND :last) AS numbers",
    "sqlite": "(WITH RECURSIVE c(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM c WHERE n < :last) SELECT n FROM c)",
}
TOKEN = {
    "postgresql": "substr(decode(repeat(md5(n::text), 11), 'hex'), 1, 165)",
    "mysql": "LEFT(UNHEX(REPEAT(MD5(n), 11)), 165)",
    "sqlite": "randomblob(165)",
}
DIGEST = {
    "postgresql": "sha256(n::text::bytea)",
    "mysql": "UNHEX(SHA2(n, 256))",
    "sqlite": "randomblob(32)",
}
#: 28 characters, as WeChat's openids and unionids are.
WORD = {
    "postgresql": "'o' || substr(md5(n::text), 1, 27)",
    "mysql": "CONCAT('o', LEFT(MD5(n), 27))",
    "sqlite": "'o' || printf('%027d', n)",
}
SIZES = {
    "postgresql": "SELECT pg_table_size('authorizations'), pg_indexes_size('authorizations')",
    "mysql": (
        "SELECT data_length, index_length FROM information_schema.tables "
        "WHERE table_schema = DATABASE() AND table_name = 'authorizations'"
    ),
    "sqlite": (
        "SELECT sum(pgsize) FILTER (WHERE name = 'authorizations'), "
        "sum(pgsize) FILTER (WHERE name LIKE '%authorizations_%') FROM dbstat"
    ),
}


#: What claims and pages use.
MEASURED_INDEXES = frozenset({"ix_authorizations_appid_next_refresh_at_id", "ix_authorizations_appid_authorized_at_id"})


@dataclass(frozen=True)
class Measured:
    """One database with so many rows.

    Times are milliseconds, the shortest of many: what it takes when nothing else disturbs the machine. Sizes are
    megabytes for a million rows.
    """

    database: str
    rows: int
    table: str
    indexes: str
    claim: float
    page: float
    deep_page: float


@dataclass(frozen=True)
class Shared:
    """What several processes claimed of what was due."""

    database: str
    rows: int
    claimed: int
    duplicates: int
    per_second: float


@contextmanager
def url_of(name: str) -> Iterator[str]:
    """Give an empty database of a kind."""
    if name == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/many.db"
        return
    with database_of_its_own(postgresql_server() if name == "postgresql" else mysql_server()) as url:
        yield url


def fill(database: Database, rows: int, *, few_indexes: bool) -> None:
    """Bring the table to so many rows, all of them due, and make its indexes anew."""
    name = database.engine.dialect.name
    with database.engine.connect() as connection:
        there = connection.scalar(select(func.max(authorizations.c.id))) or 0
    statement = text(
        "INSERT INTO authorizations (appid, openid, unionid, scope, is_snapshotuser, access_token, refresh_token, "
        "expires_at, refresh_expires_at, next_refresh_at, code_digest, code_binding, code_scope, "
        "first_authorized_at, authorized_at, last_used_at) "
        f"SELECT '{APPID}', {WORD[name]}, {WORD[name]}, 'snsapi_userinfo', false, {TOKEN[name]}, {TOKEN[name]}, "
        f":now - n % 86400 + 7200, :now + 2592000, :now - n % 86400, {DIGEST[name]}, {DIGEST[name]}, "
        f"'snsapi_userinfo', :now - n, :now - n, :now - n FROM {NUMBERS[name]}"
    )
    with without_indexes(database, MEASURED_INDEXES if few_indexes else None):
        for first in range(there + 1, rows + 1, CHUNK):
            values = {"first": first, "last": min(first + CHUNK - 1, rows), "now": NOW}
            database.write(lambda connection, values=values: connection.execute(statement, values))
    analyze(database)


def sizes(database: Database, rows: int) -> tuple[str, str]:
    """Return the megabytes of table and indexes for a million rows."""
    statement = text(SIZES[database.engine.dialect.name])
    try:
        with database.engine.connect() as connection:
            table, indexes = connection.execute(statement).one()
    except Exception:  # noqa: BLE001 - not every SQLite is built with dbstat
        return "–", "–"
    return f"{table / rows:,.0f}", f"{indexes / rows:,.0f}"


def shortest_ms(work: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return min(times) * 1000


def claim_ms(store: SqlTokenStore) -> float:
    """Time claims of 100 rows each; between them the rows are put off, as they are after a refresh."""
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        leases = store.claim_due(APPID, "bench", 100, 60, NOW)
        times.append(time.perf_counter() - begun)
        store.settle([lease.deferred(next_refresh_at=NOW + 7200) for lease in leases])
    return min(times) * 1000


def measure(name: str, database: Database, rows: int) -> Measured:
    store = SqlTokenStore(database)
    table, indexes = sizes(database, rows)
    search = store.user_search(60)
    first = UserQuery(filter=UserFilter(appid=APPID), sort=UserSort.AUTHORIZED_AT)
    deep = replace(first, after=(NOW - rows // 2, rows // 2))
    return Measured(
        name,
        rows,
        table,
        indexes,
        claim_ms(store),
        shortest_ms(lambda: search.page(first)),
        shortest_ms(lambda: search.page(deep)),
    )


def until_it_answers(call: Callable[[], T]) -> T:
    """Call again where a writer of SQLite's file waited in vain: who waits for its lock is not served in order."""
    while True:
        try:
            return call()
        except StoreUnavailable:
            continue


def claim_all(url: str, owner: str, ends_in: float, start: object, claimed: object) -> None:
    """Claim and put off until nothing is due or the time is over; hand over the ids that were claimed."""
    store = SqlTokenStore.open(url)
    start.wait()
    ends_at = time.monotonic() + ends_in
    ids: list[int] = []
    while time.monotonic() < ends_at:
        leases = until_it_answers(lambda: store.claim_due(APPID, owner, CLAIM, 600, NOW))
        if not leases:
            break
        ids += (lease.authorization.id for lease in leases)
        outcomes = [lease.deferred(next_refresh_at=NOW + 7200) for lease in leases]
        until_it_answers(lambda outcomes=outcomes: store.settle(outcomes))
    claimed.put(ids)
    store.close()


def share(name: str, url: str, rows: int, seconds: float) -> Shared:
    """Let processes claim what is due, all at once."""
    spawn = multiprocessing.get_context("spawn")
    start, claimed = spawn.Barrier(PROCESSES + 1), spawn.Queue()
    arguments = [(url, f"process-{number}", seconds, start, claimed) for number in range(PROCESSES)]
    processes = [spawn.Process(target=claim_all, args=one) for one in arguments]
    for process in processes:
        process.start()
    start.wait()
    begun = time.monotonic()
    counted: Counter[int] = Counter()
    for _ in processes:
        counted.update(claimed.get())
    took = time.monotonic() - begun
    for process in processes:
        process.join()
    duplicates = counted.total() - len(counted)
    return Shared(name, rows, counted.total(), duplicates, counted.total() / took)


def tables(measured: list[Measured], shared: list[Shared]) -> str:
    lines = [
        (
            "| Database | Users | Table, MB per million | Indexes, MB per million "
            "| Claim of 100, ms | First page, ms | Page in the middle, ms |"
        ),
        "|---|---:|---:|---:|---:|---:|---:|",
        *(
            f"| {one.database} | {one.rows:,} | {one.table} | {one.indexes} "
            f"| {one.claim:.1f} | {one.page:.1f} | {one.deep_page:.1f} |"
            for one in measured
        ),
        "",
        f"| Database | Users due | Claimed and settled by {PROCESSES} processes | Twice | Users a second |",
        "|---|---:|---:|---:|---:|",
        *(
            f"| {one.database} | {one.rows:,} | {one.claimed:,} | {one.duplicates} | {one.per_second:,.0f} |"
            for one in shared
        ),
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 1_000_000], help="sizes to measure at")
    parser.add_argument("--databases", nargs="+", choices=list(NUMBERS), default=list(NUMBERS))
    parser.add_argument("--share-at", type=int, default=1_000_000, help="the size at which processes claim it all")
    parser.add_argument("--seconds", type=float, default=3600, help="how long they may claim")
    parser.add_argument("--few-indexes", action="store_true", help="make only those that claims and pages use")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {REPORT}")
    options = parser.parse_args()
    measured: list[Measured] = []
    shared: list[Shared] = []
    for name in options.databases:
        with url_of(name) as url:
            database = Database.open(url)
            upgrade(database.engine)
            for rows in sorted(options.rows):
                fill(database, rows, few_indexes=options.few_indexes)
                measured.append(measure(name, database, rows))
                print(measured[-1], flush=True)
            if options.share_at == max(options.rows):
                shared.append(share(name, url, options.share_at, options.seconds))
                print(shared[-1], flush=True)
            database.close()
    print(tables(measured, shared))
    if options.write:
        page = REPORT.read_text(encoding="utf-8")
        before, rest = page.split(BEGIN)
        after = rest.split(END)[1]
        REPORT.write_text(f"{before}{BEGIN}\n{tables(measured, shared)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
