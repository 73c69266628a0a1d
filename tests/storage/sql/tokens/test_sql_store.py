import json
import multiprocessing
import queue
from collections import Counter

import pytest
from sqlalchemy import event, text

from service.wechat.protocol import parse_userinfo
from storage.sql.core.engine import Database
from storage.sql.tokens.store import SqlTokenStore
from storage.testing import TokenStoreContract, a_grant
from storage.user_search import SearchField, TextMatch, UserFilter, UserQuery, UserSort
from storage.users import Profile

APPID = a_grant().appid
NOW = a_grant().authorized_at


class TestOnSQLite(TokenStoreContract):
    @pytest.fixture
    def url(self, sqlite_url):
        return sqlite_url

    @pytest.fixture
    def store(self, database):
        return SqlTokenStore(database)


class TestOnPostgreSQL(TokenStoreContract):
    @pytest.fixture
    def url(self, postgresql_url):
        return postgresql_url

    @pytest.fixture
    def store(self, postgresql_database):
        return SqlTokenStore(postgresql_database)


class TestOnMariaDB(TokenStoreContract):
    @pytest.fixture
    def url(self, mysql_url):
        return mysql_url

    @pytest.fixture
    def store(self, mysql_database):
        return SqlTokenStore(mysql_database)


class WithoutSkipping(SqlTokenStore):
    """Takes the database for one that cannot leave out locked rows, in other processes too."""

    def __init__(self, database):
        super().__init__(database)
        self._skips_locked_rows = False


class TestWhereLockedRowsCannotBeSkipped(TokenStoreContract):
    @pytest.fixture
    def url(self, mysql_url):
        return mysql_url

    @pytest.fixture
    def store(self, mysql_database):
        return WithoutSkipping(mysql_database)

    # A sample is picked by chance, so the longest due come first only where all that are due are wanted.
    def test_due_users_are_claimed_longest_due_first(self, store):
        due = {"o-1": NOW + 30, "o-2": NOW + 10, "o-3": NOW + 20}
        store.save([a_grant(openid, next_refresh_at=at) for openid, at in due.items()])
        leases = store.claim_due(APPID, "first", 3, 600, NOW + 30)
        assert [lease.authorization.openid for lease in leases] == ["o-2", "o-3", "o-1"]


@pytest.fixture
def store(database):
    return SqlTokenStore(database)


@pytest.fixture
def seen(database):
    """Collect the statements that run, with their parameters."""
    seen = []

    def note(_connection, _cursor, statement, parameters, _context, _many):
        seen.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    return seen


def claim_all(url, owner, start, claimed):
    store = SqlTokenStore.open(url)
    start.wait()
    while leases := store.claim_due(APPID, owner, 50, 600, NOW):
        claimed.put([lease.authorization.openid for lease in leases])
    claimed.put(None)


def test_processes_claim_each_due_user_of_a_file_once(store, sqlite_url):
    openids = [f"o-{number:04}" for number in range(3000)]
    store.save([a_grant(openid, next_refresh_at=NOW) for openid in openids])
    spawn = multiprocessing.get_context("spawn")
    start, claimed = spawn.Barrier(4), spawn.Queue()
    processes = [spawn.Process(target=claim_all, args=(sqlite_url, f"owner-{n}", start, claimed)) for n in range(4)]
    for process in processes:
        process.start()
    counted, finished = Counter(), 0
    try:
        while finished < len(processes):
            batch = claimed.get(timeout=60)
            finished += batch is None
            counted.update(batch or [])
    except queue.Empty:
        pytest.fail("the processes did not finish")
    finally:
        for process in processes:
            process.join(10)
    assert counted == Counter(openids)


def test_lists_select_no_sealed_column(store, seen):
    store.save([a_grant()])
    seen.clear()
    store.user_search(60).page(UserQuery())
    store.counts()
    assert seen
    assert not [statement for statement, _ in seen if "_token" in statement]


def test_batch_is_one_transaction_of_two_statements(store, seen):
    store.save([a_grant("o-1"), a_grant("o-2"), a_grant("o-1")])
    words = [statement.split("(")[0].strip() for statement, _ in seen]
    assert words == ["BEGIN IMMEDIATE", "INSERT INTO authorizations", "INSERT INTO activity"]


def explained(database, seen):
    """Return SQLite's plan of the last statement."""
    statement, parameters = seen[-1]
    with database.engine.connect() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(parameters)).all()
    return " / ".join(row.detail for row in rows)


def test_due_users_are_found_by_an_index_in_order(store, database, seen):
    store.claim_due(APPID, "first", 10, 60, NOW)
    plan = explained(database, seen)
    assert "ix_authorizations_appid_next_refresh_at_id (appid=? AND next_refresh_at<?)" in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize(
    ("appid", "sort"),
    [*((None, sort) for sort in UserSort), (APPID, UserSort.ID), (APPID, UserSort.AUTHORIZED_AT)],
)
@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("after", [None, (NOW, 7)])
def test_pages_are_read_from_an_index_in_order(store, database, seen, sort, descending, appid, after):
    query = UserQuery(filter=UserFilter(appid=appid), sort=sort, descending=descending, after=after)
    store.user_search(60).page(query)
    plan = explained(database, seen)
    assert "TEMP B-TREE" not in plan
    if sort is not UserSort.ID or appid is not None:
        assert "USING INDEX ix_authorizations" in plan
    if after is not None:
        assert "SEARCH" in plan


@pytest.mark.parametrize(
    "wanted",
    [
        UserFilter(searched=TextMatch(SearchField.OPENID, "o-1")),
        UserFilter(searched=TextMatch(SearchField.UNIONID, "u-1")),
        UserFilter(searched=TextMatch(SearchField.OPENID, "o"), appid=APPID),
    ],
)
def test_search_for_one_user_enters_an_index(store, database, seen, wanted):
    store.user_search(60).page(UserQuery(filter=wanted))
    assert "SEARCH authorizations USING INDEX" in explained(database, seen)


def test_code_is_found_by_an_index(store, database, seen):
    store.find_by_code(b"d" * 32, NOW)
    assert "ix_authorizations_code_digest" in explained(database, seen)


def test_state_of_the_schema_is_told_without_changing_it(sqlite_url):
    store = SqlTokenStore.open(sqlite_url)
    assert store.check_schema().state == "empty"
    database = Database.open(sqlite_url)
    tables = database.read(lambda connection: connection.execute(text("SELECT name FROM sqlite_master")).all())
    assert tables == []
    database.close()
    store.close()


@pytest.mark.parametrize("letters", [253, 254, 255])
def test_nickname_longer_than_its_column_is_cut_at_a_character(any_database, letters):
    name = "明" * letters + "😀" * (300 - letters)
    store = SqlTokenStore(any_database)
    grant = a_grant()
    store.save([grant])
    shown = parse_userinfo(json.dumps({"openid": grant.openid, "nickname": name}).encode())
    assert store.save_profile(Profile(grant.appid, grant.openid, shown.nickname, shown.avatar_url, NOW))
    kept = store.get(grant.appid, grant.openid).nickname
    assert kept == "明" * letters + "😀" * (255 - letters)
