from dataclasses import replace

import pytest

from storage.sql.accounts.audit import AuditAction, AuditLog, AuditQuery, AuditResult, NewAuditEntry
from storage.user_search import CappedCount

NOW = 1_800_000_000


@pytest.fixture
def log(any_database):
    return AuditLog(any_database)


def note(log, at=NOW, **changes):
    entry = NewAuditEntry(at=at, operator="ada", action=AuditAction.SIGN_IN, result=AuditResult.SUCCESS)
    log.record(replace(entry, **changes))


def found(log, **query):
    return [entry.request_id for entry in log.page(AuditQuery(**query)).entries]


def test_an_entry_comes_back_whole(log):
    given = {
        "operator": "ada",
        "appid": "wx1",
        "openid": "o1",
        "subject": "某某😀",
        "address": "2001:db8::1",
        "user_agent": "a browser",
        "request_id": "r1",
        "details": {"before": "viewer", "计数": 3},
    }
    note(log, **given)
    [entry] = log.page(AuditQuery()).entries
    assert {name: getattr(entry, name) for name in given} == given
    assert (entry.action, entry.result, entry.at) == ("sign_in", "success", NOW)


def test_entries_are_filtered_by_each_field_and_by_time(log):
    note(log, request_id="a")
    note(log, NOW + 1, request_id="b", operator="bob", action=AuditAction.USER_ERASE, appid="wx1", openid="o1")
    note(log, NOW + 2, request_id="c", result=AuditResult.FAILED)
    assert found(log) == ["c", "b", "a"]
    assert found(log, operator="ada") == ["c", "a"]
    assert found(log, operator="Ada") == []
    assert found(log, action="user_erase") == ["b"]
    assert found(log, result="failed", operator="ada") == ["c"]
    assert found(log, appid="wx1", openid="o1") == ["b"]
    assert found(log, since=NOW + 1) == ["c", "b"]
    assert found(log, until=NOW + 1) == ["a"]
    assert found(log, since=NOW + 1, until=NOW + 2) == ["b"]


def test_pages_give_each_entry_once_also_within_one_second(log):
    for number in range(25):
        note(log, NOW + number // 10, request_id=str(number))
    seen, query = [], AuditQuery(limit=4)
    while True:
        page = log.page(query)
        seen += [int(entry.request_id) for entry in page.entries]
        if page.next_cursor is None:
            break
        query = replace(query, after=page.next_cursor)
    assert seen == list(reversed(range(25)))


def test_a_new_entry_does_not_disturb_who_pages(log):
    for number in range(4):
        note(log, request_id=str(number))
    first = log.page(AuditQuery(limit=2))
    note(log, request_id="new")
    assert [entry.request_id for entry in log.page(AuditQuery(limit=2, after=first.next_cursor)).entries] == ["1", "0"]


def test_pages_lead_back_the_way_they_came(log):
    for number in range(10):
        note(log, NOW + number // 4, request_id=str(number))
    first = log.page(AuditQuery(limit=4))
    second = log.page(AuditQuery(limit=4, after=first.next_cursor))
    back = log.page(AuditQuery(limit=4, after=second.entries[0].place, descending=False))
    assert (back.entries[::-1], back.next_cursor) == (first.entries, None)


def test_a_count_is_of_all_pages_and_of_the_filter(log):
    for number in range(5):
        note(log, NOW + number, operator="ada" if number % 2 else "bob")
    assert log.count(AuditQuery(limit=2)) == CappedCount(5)
    assert log.count(AuditQuery(operator="ada", since=NOW + 2)) == CappedCount(1)


def test_long_texts_are_cut_rather_than_refused(log):
    note(log, user_agent="😀" * 1000, subject="s" * 1000, address="a" * 1000)
    [entry] = log.page(AuditQuery()).entries
    assert (len(entry.user_agent), len(entry.subject), len(entry.address)) == (255, 128, 64)


def test_trimming_deletes_only_what_is_older(log):
    for number in range(5):
        note(log, NOW + number, request_id=str(number))
    assert log.trim(NOW + 3) == 3
    assert found(log) == ["4", "3"]
    assert log.trim(NOW + 3) == 0


def test_trimming_goes_on_until_all_is_gone(any_database):
    log = AuditLog(any_database, trim_batch=2)
    for number in range(5):
        note(log, NOW + number)
    assert log.trim(NOW + 5) == 5


def test_there_is_no_way_to_change_an_entry():
    assert {name for name in dir(AuditLog) if not name.startswith("_")} == {"count", "page", "record", "trim"}
