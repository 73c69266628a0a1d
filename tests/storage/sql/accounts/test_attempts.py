from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from storage.sql.accounts.attempts import SignInAttempts


@pytest.fixture
def attempts(any_database):
    return SignInAttempts(any_database)


def test_attempts_are_counted_by_subject(attempts):
    assert attempts.note(["ada", "all"], 900) == {"ada": 1, "all": 1}
    assert attempts.note(["ada", "all"], 900) == {"ada": 2, "all": 2}
    assert attempts.note(["bob", "all"], 900) == {"bob": 1, "all": 3}


def test_a_window_begins_anew_and_older_ones_are_forgotten(attempts, any_database):
    attempts.note(["ada"], 900)
    assert attempts.note(["ada"], 1800) == {"ada": 1}
    rows = any_database.read(lambda connection: connection.execute(text("SELECT * FROM sign_in_attempts")).all())
    assert len(rows) == 1


def test_a_subject_is_forgotten(attempts):
    attempts.note(["ada", "all"], 900)
    attempts.forget("ada")
    assert attempts.note(["ada", "all"], 900) == {"ada": 1, "all": 2}


def test_all_are_forgotten(attempts):
    attempts.note(["ada", "all"], 900)
    attempts.forget_all()
    assert attempts.note(["ada", "all"], 900) == {"ada": 1, "all": 1}


def test_attempts_at_once_are_all_counted(attempts):
    with ThreadPoolExecutor(4) as threads:
        counts = list(threads.map(lambda number: attempts.note([f"n{number % 2}", "all"], 900), range(20)))
    assert sorted(count["all"] for count in counts) == list(range(1, 21))
