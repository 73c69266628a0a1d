from dataclasses import replace

import pytest
from sqlalchemy import event, text, update

from storage.base.errors import StoreTooSlow
from storage.sql.core.schema import authorizations
from storage.sql.tokens.store import SqlTokenStore
from storage.sql.tokens.user_search import SqlUserSearch
from storage.testing import a_grant
from storage.user_search import CappedCount, SearchField, TextMatch, TimeRange, UserFilter, UserQuery
from storage.users import Profile, Status

NOW = 1_800_000_000
APPID = "wx-a"


@pytest.fixture
def store(any_database):
    return SqlTokenStore(any_database)


@pytest.fixture
def user_search(store):
    return store.user_search(10)


def save(store, *openids, **changes):
    for openid in openids:
        store.save([replace(a_grant(), **{"appid": APPID, "openid": openid, "code_digest": None, **changes})])


def found(user_search, **changes):
    return [user.openid for user in user_search.page(UserQuery(filter=UserFilter(**changes))).users]


def search(field, words, *, exact=False):
    return TextMatch(SearchField(field), words, exact)


def walk(user_search, query):
    openids = []
    while True:
        page = user_search.page(query)
        openids += [user.openid for user in page.users]
        if page.next_cursor is None:
            return openids
        query = replace(query, after=page.next_cursor)


@pytest.mark.parametrize(
    ("name", "column"), [("authorized", "authorized_at"), ("used", "last_used_at"), ("ending", "refresh_expires_at")]
)
def test_ranges_begin_with_their_first_second_and_end_before_their_last(any_database, store, user_search, name, column):
    save(store, "o1", "o2", "o3")
    for openid, at in (("o1", 100), ("o2", 200), ("o3", 300)):
        statement = update(authorizations).where(authorizations.c.openid == openid).values({column: at})
        any_database.write(lambda connection, statement=statement: connection.execute(statement))
    assert found(user_search, **{name: TimeRange(200, 300)}) == ["o2"]
    assert found(user_search, **{name: TimeRange(since=200)}) == ["o3", "o2"]
    assert found(user_search, **{name: TimeRange(until=200)}) == ["o1"]


@pytest.mark.parametrize("field", ["openid", "unionid", "nickname"])
def test_search_by_beginning_and_by_the_whole(store, user_search, field):
    texts = {"a": "小明", "b": "小明明", "c": "小红", "d": "小_明%"}
    for openid, value in texts.items():
        if field == "openid":
            save(store, value)
        else:
            save(store, openid, **({"unionid": value} if field == "unionid" else {}))
        if field == "nickname":
            store.save_profile(Profile(APPID, openid, value, "", NOW))

    def values(searched):
        return {
            getattr(user, field) for user in user_search.page(UserQuery(filter=UserFilter(searched=searched))).users
        }

    assert values(search(field, "小明")) == {"小明", "小明明"}
    assert values(search(field, "小_")) == {"小_明%"}
    assert values(search(field, "小明", exact=True)) == {"小明"}
    assert values(search(field, "明")) == set()


@pytest.mark.parametrize("descending", [True, False])
def test_pages_of_a_search_list_everybody_once(store, user_search, descending):
    for number in range(5):
        save(store, f"o{number}")
        store.save_profile(Profile(APPID, f"o{number}", "同名", "", NOW))
    wanted = UserFilter(searched=search("nickname", "同"))
    openids = walk(user_search, UserQuery(filter=wanted, descending=descending, limit=2))
    assert sorted(openids) == [f"o{number}" for number in range(5)]


def test_users_in_a_state_by_its_former_name_are_listed_and_counted_with_the_others(any_database, store, user_search):
    save(store, "o1", "o2")
    store.settle([store.claim(APPID, "o1", "me", 60).rejected(error_code=42002, error_kind="reauthorize", at=NOW)])
    former = update(authorizations).where(authorizations.c.openid == "o2").values(status="needs_reauthorization")
    any_database.write(lambda connection: connection.execute(former))
    assert {user.status for user in user_search.page(UserQuery()).users} == {Status.REAUTHORIZATION_REQUIRED}
    assert store.counts().by_status == {(APPID, Status.REAUTHORIZATION_REQUIRED): 2}


def test_forecast_tells_what_is_due_and_what_ends(store, user_search):
    save(store, "late", next_refresh_at=NOW - 5, refresh_expires_at=NOW + 3600)
    save(store, "soon", next_refresh_at=NOW + 1800, refresh_expires_at=NOW + 30 * 86_400, is_snapshotuser=True)
    save(store, "unscheduled", next_refresh_at=None, refresh_expires_at=NOW - 1)
    save(store, "another's", appid="wx-b", next_refresh_at=NOW - 10, refresh_expires_at=NOW + 40 * 86_400)
    forecast = user_search.forecast([APPID], NOW)
    assert forecast.oldest_due_at == NOW - 5
    assert forecast.overdue == CappedCount(1)
    assert [(seconds, count.number) for seconds, count in forecast.due] == [(1800, 0), (3600, 1), (7200, 0)]
    assert forecast.ending == (3 * 86_400, CappedCount(1))
    assert forecast.snapshot_users == CappedCount(1)
    assert user_search.forecast([], NOW).oldest_due_at is None


ENDLESS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
    "postgresql": "SELECT pg_sleep(60)",
    "mysql": "SELECT COUNT(*) FROM " + ", ".join(f"information_schema.collations AS c{n}" for n in range(5)),
}


def test_an_answer_that_takes_too_long_is_given_up(any_database):
    statement = text(ENDLESS[any_database.engine.dialect.name.replace("mariadb", "mysql")])
    with pytest.raises(StoreTooSlow):
        any_database.read_within(0.1, lambda connection: connection.execute(statement).all())
    # The connection is as good as before, and without the limit.
    assert any_database.read(lambda connection: connection.scalar(text("SELECT 1"))) == 1
    assert SqlUserSearch(any_database).count(UserFilter()) == CappedCount(0)


INDEXES = {
    "ix_authorizations_status_id_appid_scope": UserFilter(status=Status.REVOKED),
    "ix_authorizations_last_error_code_id": UserFilter(last_error_code=40001),
    "ix_authorizations_is_snapshotuser_id": UserFilter(is_snapshotuser=True),
    "ix_authorizations_nickname_id": UserFilter(searched=search("nickname", "小")),
    # SQLite calls the index of a unique constraint, the one of openid and appid, by a name of its own.
    "sqlite_autoindex_authorizations_1": UserFilter(searched=search("openid", "o")),
    "ix_authorizations_unionid": UserFilter(searched=search("unionid", "u")),
}


@pytest.fixture
def plan_on_sqlite(database):
    """Tell how SQLite, without statistics, looks for the users of a filter."""
    seen = []

    def trace(connection, cursor, statement, parameters, context, executemany):
        seen.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", trace)

    def plan(wanted):
        seen.clear()
        SqlUserSearch(database).page(UserQuery(filter=wanted))
        statement, parameters = next(one for one in seen if "SELECT authorizations" in one[0])
        with database.engine.connect() as connection:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
        return " ".join(row[3] for row in rows)

    return plan


@pytest.mark.parametrize("index", INDEXES)
def test_filter_enters_the_index_made_for_it_on_sqlite(plan_on_sqlite, index):
    assert f"INDEX {index}" in plan_on_sqlite(INDEXES[index])


@pytest.mark.parametrize("index", INDEXES)
def test_account_and_scope_beside_something_rarer_do_not_lead_sqlite_astray(plan_on_sqlite, index):
    shared = replace(INDEXES[index], appid=APPID, scope="snsapi_base")
    assert f"INDEX {index}" in plan_on_sqlite(shared)


def test_scope_alone_enters_its_index_on_sqlite(plan_on_sqlite):
    assert "INDEX ix_authorizations_scope_id" in plan_on_sqlite(UserFilter(scope="snsapi_base"))
