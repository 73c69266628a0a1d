import pytest
from sqlalchemy import text

from storage.sql.accounts.operators import Operators, Role
from storage.sql.accounts.sessions import IDLE_SECONDS, LONGEST_SECONDS, OperatorSessions

NOW = 1_800_000_000


@pytest.fixture
def sessions(any_database):
    return OperatorSessions(any_database)


@pytest.fixture
def ada(any_database):
    operators = Operators(any_database)
    operators.add("ada", "a hash", Role.OWNER, NOW)
    operators.add("bob", "a hash", Role.VIEWER, NOW)
    return operators.find("ada")[0].id


def begin(sessions, operator_id, at=NOW, address="192.0.2.1", user_agent="a browser"):
    return sessions.begin(operator_id, at, address, user_agent)


def test_a_session_is_found_by_its_token_alone(sessions, ada):
    token = begin(sessions, ada)
    found = sessions.find(token, NOW)
    assert (found.operator, found.role, found.address, found.user_agent) == (
        "ada",
        Role.OWNER,
        "192.0.2.1",
        "a browser",
    )
    for wrong in ("", token[:-1], token.swapcase(), "某", "\ud800"):
        assert sessions.find(wrong, NOW) is None


def test_the_token_is_not_stored(sessions, ada, any_database):
    token = begin(sessions, ada)
    rows = any_database.read(lambda connection: connection.execute(text("SELECT * FROM operator_sessions")).all())
    assert token not in repr(rows)


def test_a_session_ends_when_it_is_not_used(sessions, ada):
    token = begin(sessions, ada)
    assert sessions.find(token, NOW + IDLE_SECONDS - 1) is not None
    assert sessions.find(token, NOW + 2 * IDLE_SECONDS - 2) is not None
    assert sessions.find(token, NOW + 3 * IDLE_SECONDS - 2) is None


def test_a_session_ends_in_any_case(sessions, ada):
    token = begin(sessions, ada)
    for at in range(NOW, NOW + LONGEST_SECONDS, IDLE_SECONDS - 1):
        assert sessions.find(token, at) is not None
    assert sessions.find(token, NOW + LONGEST_SECONDS) is None


def test_a_session_survives_that_the_clock_is_set_back_and_lives_no_longer_for_it(sessions, ada):
    token = begin(sessions, ada, at=NOW + 6 * 3600)
    assert sessions.find(token, NOW) is not None
    assert sessions.find(token, NOW + IDLE_SECONDS) is None


def test_not_every_use_is_written(sessions, ada):
    token = begin(sessions, ada)
    seen = []
    for at in (NOW + 59, NOW + 60, NOW + 61, NOW + 120):
        sessions.find(token, at)
        seen.append(sessions.list(ada, at)[0].seen_at - NOW)
    assert seen == [0, 60, 60, 120]


def test_sessions_are_listed_by_their_last_use(sessions, ada):
    first, _ = begin(sessions, ada, address="a"), begin(sessions, ada, address="b")
    sessions.find(first, NOW + 100)
    assert [one.address for one in sessions.list(ada, NOW + 100)] == ["a", "b"]
    assert sessions.list(ada, NOW + 100 + IDLE_SECONDS) == []


def test_a_session_is_ended_by_its_own_operator_only(sessions, ada):
    token = begin(sessions, ada)
    number = sessions.find(token, NOW).id
    assert sessions.end(ada + 1, number) is False
    assert sessions.end(ada, number) is True
    assert sessions.end(ada, number) is False
    assert sessions.find(token, NOW) is None


def test_all_sessions_but_one_are_ended(sessions, ada):
    tokens = [begin(sessions, ada) for _ in range(3)]
    others = begin(sessions, ada + 1)
    kept = sessions.find(tokens[1], NOW).id
    assert sessions.end_all(ada, but=kept) == 2
    assert [sessions.find(token, NOW) is not None for token in tokens] == [False, True, False]
    assert sessions.find(others, NOW) is not None
    assert sessions.end_all(ada) == 1


def test_the_session_of_a_disabled_operator_is_not_found(sessions, ada, any_database):
    token = begin(sessions, ada + 1)
    Operators(any_database).disable("bob", NOW)
    assert sessions.find(token, NOW) is None


def test_long_texts_are_cut(sessions, ada):
    token = begin(sessions, ada, address="a" * 100, user_agent="😀" * 300)
    found = sessions.find(token, NOW)
    assert (len(found.address), len(found.user_agent)) == (64, 255)


def test_trimming_deletes_what_has_ended(sessions, ada, any_database):
    begin(sessions, ada)
    kept = begin(sessions, ada, at=NOW + 10)
    sessions.trim(NOW + IDLE_SECONDS)
    count = any_database.read(lambda connection: connection.execute(text("SELECT * FROM operator_sessions")).all())
    assert len(count) == 1
    assert sessions.find(kept, NOW + IDLE_SECONDS) is not None
