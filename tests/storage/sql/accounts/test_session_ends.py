from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.sql.accounts.session_ends import SessionEnds

APPID, OPENID = "wx0000000000000001", "o6_bmjrPTlm6_2sgVt7hMZOPfL2M"
NOW = 1_800_000_000


@pytest.fixture
def ends(any_database):
    return SessionEnds(any_database, remembered=2)


def test_what_began_within_the_second_of_the_end_has_ended(ends):
    assert ends.not_before(APPID, OPENID) == 0
    ends.end(APPID, OPENID, NOW)
    assert ends.not_before(APPID, OPENID) == NOW + 1


def test_users_and_accounts_are_told_apart_to_the_letter(ends):
    ends.end(APPID, OPENID, NOW)
    assert ends.not_before(APPID, OPENID.swapcase()) == 0
    assert ends.not_before(APPID + "2", OPENID) == 0


def test_of_several_ends_the_latest_counts_in_whatever_order_they_come(ends):
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: ends.end(APPID, OPENID, NOW + number % 8), range(24)))
    assert ends.not_before(APPID, OPENID) == NOW + 8


def test_old_ends_are_forgotten(ends):
    ends.end(APPID, OPENID, NOW)
    ends.end(APPID, "o-later", NOW + 100)
    ends.trim(NOW + 50)
    assert ends.not_before(APPID, OPENID) == 0
    assert ends.not_before(APPID, "o-later") == NOW + 101


def test_a_process_knows_the_last_ones_that_it_noted_itself(ends, any_database):
    for number in range(3):
        ends.end(APPID, f"o-{number}", NOW)
    assert [ends.noted_here(APPID, f"o-{number}") for number in range(3)] == [0, NOW + 1, NOW + 1]
    assert SessionEnds(any_database).noted_here(APPID, "o-2") == 0
