"""What the figures of accounts mean, in a word."""

import pytest

from admin.overview.verdict import Health, Share, Work, broken_calls, judge, together
from admin.services import AccountSummary, Concern
from service.wechat.errcodes import concern_of
from storage.activity import Activity, ActivityKind
from storage.call_outcomes import CallOutcome
from storage.pauses import AccountPause

NOW = 1_800_000_000
ACCOUNTS = [AccountSummary("a", "A"), AccountSummary("b", "B"), AccountSummary("c", "C")]
WORKING = CallOutcome("a", "access_token").accepted(NOW, succeeded=True)
FAILING = CallOutcome("b", "access_token").failed(NOW, 40125)


def concern(errcode, endpoint):
    return Concern(concern_of(errcode, endpoint))


def healths(outcomes=(), activity=()):
    verdicts = judge(ACCOUNTS, outcomes, activity, concern)
    alone = "".join(verdict.flows[Work.LOGIN].health[0] for verdict in verdicts.values())
    return alone, together(verdicts.values()).flows[Work.LOGIN].health


def test_one_broken_account_is_neither_all_nor_none():
    assert healths([WORKING, FAILING]) == ("wfi", Health.PARTLY)
    assert healths([FAILING]) == ("ifi", Health.FAILING)
    assert healths([WORKING]) == ("wii", Health.WORKS)
    assert healths() == ("iii", Health.IDLE)


@pytest.mark.parametrize(
    ("errcode", "failed", "health"),
    [(-1, 1, Health.WORKS), (-1, 4, Health.WORKS), (-1, 6, Health.PARTLY), (40163, 900, Health.WORKS)],
)
def test_only_a_notable_part_of_failures_that_are_not_visitors_own_is_a_fault(errcode, failed, health):
    activity = [
        Activity(NOW, "a", ActivityKind.AUTHORIZED, 0, 94),
        Activity(NOW, "a", ActivityKind.EXCHANGE_FAILED, errcode, failed),
    ]
    assert healths([WORKING], activity)[1] is health


def test_a_hundred_percent_are_all_and_none_is_zero():
    shares = [Share(9_999, 1), Share(1, 9_999), Share(0, 3), Share(3, 0), Share()]
    assert [share.percent for share in shares] == [99, 1, 0, 100, 100]


def test_accounts_that_are_broken_alike_stand_together_logins_first():
    outcomes = [
        CallOutcome("c", "refresh_token").failed(NOW, None),
        CallOutcome("c", "access_token").failed(NOW + 1, 40125),
        FAILING,
        CallOutcome("gone", "access_token").failed(NOW, 40125),
        WORKING,
    ]
    pauses = [AccountPause("b", "access_token", "configuration", 40125, NOW + late) for late in (30, 60, 45)]
    first, second = broken_calls(outcomes, pauses, ["a", "b", "c"])
    assert (first.endpoint, first.errcode) == ("access_token", 40125)
    assert (first.accounts, dict(first.paused_until)) == ((("b", NOW), ("c", NOW + 1)), {"b": NOW + 60})
    assert (second.endpoint, second.errcode, second.accounts) == ("refresh_token", None, (("c", NOW),))
