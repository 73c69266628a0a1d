"""Failures, grouped by whom they concern."""

from admin.overview.failures import FailureRow, group_failures
from admin.services import Concern
from service.wechat.errcodes import concern_of
from storage.activity import Activity, ActivityKind
from storage.call_outcomes import CallFailures, FailedCall

HOUR = 1_800_000_000
EXCHANGE, REFRESH = ActivityKind.EXCHANGE_FAILED, ActivityKind.REFRESH_FAILED


def grouped(activity, seen=()):
    return dict(group_failures(activity, seen, lambda *failure: Concern(concern_of(*failure))))


def test_what_kills_an_account_stands_before_what_visitors_do_however_often():
    groups = grouped(
        [
            Activity(HOUR, "a", EXCHANGE, 40163, 161),
            Activity(HOUR, "a", EXCHANGE, 40125, 1),
            Activity(HOUR, "a", EXCHANGE, 0, 2),
            Activity(HOUR, "a", REFRESH, 0, 2),
            Activity(HOUR, "a", ActivityKind.REAUTHORIZATION_REQUIRED, 42002, 3),
            Activity(HOUR, "a", ActivityKind.AUTHORIZED, 0, 9),
        ]
    )
    assert list(groups) == [Concern.OPERATOR, Concern.VISITOR, Concern.NOBODY]
    found = {concern: {(row.errcode, row.endpoint) for row in rows} for concern, rows in groups.items()}
    assert found == {
        Concern.OPERATOR: {(40125, "access_token"), (None, "access_token")},
        Concern.VISITOR: {(40163, "access_token"), (42002, "refresh_token")},
        Concern.NOBODY: {(None, "refresh_token")},
    }


def test_the_same_errcode_of_two_accounts_is_two_rows_of_which_the_latest_stands_first():
    first, second = grouped(
        [
            Activity(HOUR, "a", EXCHANGE, 40125, 7),
            Activity(HOUR + 3600, "a", EXCHANGE, 40125, 1),
            Activity(HOUR, "b", EXCHANGE, 40125, 1),
        ]
    )[Concern.OPERATOR]
    assert first == FailureRow("a", "access_token", 40125, 8, HOUR, HOUR + 3600, is_listed=False)
    assert second == FailureRow("b", "access_token", 40125, 1, HOUR, HOUR, is_listed=False)


def test_a_failure_is_shown_with_its_own_times_once_they_are_known():
    seen = CallFailures("a", "access_token", 40125, HOUR + 17, HOUR + 99, (FailedCall(HOUR + 99),))
    profile = CallFailures("a", "userinfo", -1, HOUR + 5, HOUR + 5, (FailedCall(HOUR + 5),))
    groups = grouped([Activity(HOUR, "a", EXCHANGE, 40125, 7)], [seen, profile])
    assert groups == {
        Concern.OPERATOR: [FailureRow("a", "access_token", 40125, 7, HOUR + 17, HOUR + 99, is_listed=True)],
        Concern.NOBODY: [FailureRow("a", "userinfo", -1, 1, HOUR + 5, HOUR + 5, is_listed=True)],
    }
