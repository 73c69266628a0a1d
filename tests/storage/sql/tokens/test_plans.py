"""How servers go about the statements that must stay fast however many users there are: by an index, without a sort."""

import json
import re

import pytest
from sqlalchemy import event, insert, text

from storage.sql.core.engine import Database
from storage.sql.core.migrations import upgrade
from storage.sql.core.schema import authorizations
from storage.sql.tokens.store import SqlTokenStore
from storage.testing import a_grant
from storage.user_search import SearchField, TextMatch, UserFilter, UserQuery, UserSort
from storage.users import Status
from tests.servers import database_of_its_own, mysql_server, postgresql_server
from tests.storage.sql.many_rows import APPIDS, NOW, rows

COUNT = 6000
REVOKED = 300
APPID = APPIDS[0]
MIDDLE = COUNT // 2
#: By which a search looks which scopes there are.
LOOK = "min(authorizations.scope)"
SHORT = {"access_token": b"a", "refresh_token": b"r"}


@pytest.fixture(scope="module", params=[postgresql_server, mysql_server])
def database(request):
    """A server with enough users for its planner to see the difference."""
    with database_of_its_own(request.param()) as url:
        database = Database.open(url)
        upgrade(database.engine)
        with database.engine.begin() as connection:
            connection.execute(insert(authorizations), [{**row, **SHORT} for row in rows(COUNT)])
            gone = {**SHORT, "status": Status.REVOKED, "next_refresh_at": None}
            connection.execute(insert(authorizations), [{**row, **gone} for row in rows(REVOKED, start=COUNT)])
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            is_postgresql = database.engine.dialect.name == "postgresql"
            connection.execute(text("ANALYZE authorizations" if is_postgresql else "ANALYZE TABLE authorizations"))
        yield database
        database.close()


@pytest.fixture
def store(database):
    return SqlTokenStore(database)


@pytest.fixture
def plan_of(database):
    """Run something and give the plan of its first statement on authorizations, as names and places of its parts."""
    seen = []

    def note(_connection, _cursor, statement, parameters, _context, _many):
        # Which scopes there are is asked before.
        if "FROM authorizations" in statement and LOOK not in statement:
            seen.append((statement, parameters))

    def explain(work):
        event.listen(database.engine, "before_cursor_execute", note)
        work()
        event.remove(database.engine, "before_cursor_execute", note)
        statement, parameters = seen[0]
        with database.engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one()
            else:
                plan = connection.exec_driver_sql(f"EXPLAIN FORMAT=JSON {statement}", parameters).scalar_one()
        return json.dumps(plan if not isinstance(plan, str) else json.loads(plan))

    return explain


def assert_in_order_by_index(plan, index=""):
    assert "Sort" not in plan, plan
    assert "filesort" not in plan, plan
    assert_by_index(plan, index)


def assert_enters_at(plan, column):
    """The index is entered at a value of this column, not read from its beginning or end."""
    conditions = re.findall(r'"Index Cond": "[^"]*"|"used_key_parts": \[[^]]*\]', plan)
    assert [one for one in conditions if re.search(rf"\b{column}\b", one)], plan


def assert_by_index(plan, index):
    assert "Seq Scan" not in plan, plan
    assert '"access_type": "ALL"' not in plan, plan
    assert index in plan, plan


def test_due_users_are_found_in_order(store, plan_of):
    plan = plan_of(lambda: store.claim_due(APPID, "first", 10, 60, NOW))
    assert_in_order_by_index(plan, "ix_authorizations_appid_next_refresh_at_id")
    assert_enters_at(plan, "next_refresh_at")


def test_due_users_are_found_in_order_where_locked_ones_cannot_be_skipped(store, plan_of, monkeypatch):
    monkeypatch.setattr(store, "_skips_locked_rows", False)
    plan = plan_of(lambda: store.claim_due(APPID, "first", 10, 60, NOW))
    assert_in_order_by_index(plan, "ix_authorizations_appid_next_refresh_at_id")
    assert_enters_at(plan, "next_refresh_at")


@pytest.mark.parametrize("sort", list(UserSort))
@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("is_first", [True, False])
def test_pages_are_read_in_order(store, plan_of, sort, descending, is_first):
    # The sample's times fall as its ids rise, all at the same pace.
    value = {UserSort.ID: MIDDLE, UserSort.REFRESH_EXPIRES_AT: NOW - MIDDLE + 30 * 86_400}.get(sort, NOW - MIDDLE)
    query = UserQuery(sort=sort, descending=descending, after=None if is_first else (value, MIDDLE))
    plan = plan_of(lambda: store.user_search(60).page(query))
    assert_in_order_by_index(plan)
    if not is_first:
        assert_enters_at(plan, sort.value)


@pytest.mark.parametrize("sort", [UserSort.ID, UserSort.AUTHORIZED_AT])
@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("is_first", [True, False])
def test_pages_of_an_account_are_read_in_order(store, plan_of, sort, descending, is_first):
    after = None if is_first else (MIDDLE if sort is UserSort.ID else NOW - MIDDLE, MIDDLE)
    query = UserQuery(filter=UserFilter(appid=APPID), sort=sort, descending=descending, after=after)
    plan = plan_of(lambda: store.user_search(60).page(query))
    assert_in_order_by_index(plan)
    if not is_first:
        assert_enters_at(plan, sort.value)


def test_which_scopes_there_are_is_told_by_the_index_in_a_plan_for_any_scope(database, store):
    """The plan that PostgreSQL keeps for a statement which it has prepared, from the sixth use on."""
    if database.engine.dialect.name != "postgresql":
        pytest.skip("only PostgreSQL keeps plans")
    seen = []
    event.listen(database.engine, "before_cursor_execute", lambda *run: LOOK in run[2] and seen.append(run[2:4]))
    store.user_search(60).page(UserQuery(filter=UserFilter(scope="snsapi_userinfo")))
    [(statement, values)] = seen
    for number, name in enumerate(values, 1):
        statement = statement.replace(f"%({name})s", f"${number}")
    words = ", ".join(f"'{value}'" for value in values.values())
    with database.engine.connect() as connection:
        connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")
        connection.exec_driver_sql(f"PREPARE look AS {statement}")
        plan = json.dumps(connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) EXECUTE look ({words})").scalar_one())
    assert_by_index(plan, "ix_authorizations_scope_id")


def test_status_account_and_scope_are_answered_by_one_index(database, store, plan_of):
    query = UserQuery(filter=UserFilter(status=Status.REVOKED, appid=APPID, scope="snsapi_userinfo"))
    plan = plan_of(lambda: store.user_search(60).page(query))
    index = "ix_authorizations_status_id_appid_scope"
    assert_in_order_by_index(plan)
    assert re.search(rf'"(?:Index Name|key)": "{index}"', plan), plan
    if database.engine.dialect.name == "postgresql":
        # MariaDB enters by the status and compares the rows.
        assert_enters_at(plan, "appid")
        assert_enters_at(plan, "scope")


@pytest.mark.parametrize(
    ("searched", "index"),
    [
        (TextMatch(SearchField.OPENID, "o-00000007"), "uq_authorizations_openid_appid"),
        (TextMatch(SearchField.UNIONID, "u-00000007"), "ix_authorizations_unionid"),
    ],
)
def test_one_user_is_found_by_an_index(store, plan_of, searched, index):
    query = UserQuery(filter=UserFilter(searched=searched))
    assert_by_index(plan_of(lambda: store.user_search(60).page(query)), index)


def test_code_is_found_by_an_index(store, plan_of):
    assert_by_index(plan_of(lambda: store.find_by_code(b"d" * 32, NOW)), "ix_authorizations_code_digest")


def test_rows_to_seal_anew_are_read_in_order(store, plan_of):
    assert_in_order_by_index(plan_of(lambda: store.sealed_page(MIDDLE, 500)))


def test_users_of_the_sample_are_like_stored_ones(store):
    """What the plans are made for is what the service writes."""
    store.save([a_grant("o-new")])
    columns = {name for name, value in next(rows(1)).items() if value is not None}
    with store._database.engine.connect() as connection:
        stored = connection.execute(authorizations.select().where(authorizations.c.openid == "o-new")).mappings().one()
    assert {name for name, value in stored.items() if value is not None} - {"id", "version"} <= columns | set(SHORT)
