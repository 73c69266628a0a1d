from concurrent.futures import ThreadPoolExecutor

from storage.base.clock import DAY_SECONDS
from storage.call_outcomes import LATEST_FAILURES, CallFailures, CallOutcome, FailedCall
from storage.sql.work.call_outcomes import KEPT_SECONDS, CallOutcomes

NOW = 1_800_000_000
NEW = CallOutcome("wx", "access_token")


def failures(at, *, appid="wx", errcode=40125, rid="", request_id=""):
    return CallFailures(appid, "access_token", errcode, at, at, (FailedCall(at, rid, request_id),))


def test_what_processes_saw_is_kept_for_all_of_them(any_database):
    one, other = CallOutcomes(any_database), CallOutcomes(any_database)
    one.add([NEW.accepted(NOW, succeeded=True)], [])
    other.add([NEW.failed(NOW + 5, 40125), CallOutcome("wx", "refresh_token").failed(NOW, None)], [])
    logins, refreshes = one.outcomes()
    assert logins == CallOutcome("wx", "access_token", NOW, NOW, NOW + 5, 40125, NOW + 5)
    assert refreshes == CallOutcome("wx", "refresh_token", last_failure_at=NOW, failing_since=NOW)
    one.add([NEW.accepted(NOW + 9, succeeded=True)], [])
    assert other.outcomes()[0].failing_since is None


def test_failed_calls_are_kept_by_account_and_errcode_with_the_last_of_each(any_database):
    stored = CallOutcomes(any_database)
    stored.add([], [failures(NOW, rid="r-1", request_id="q1"), failures(NOW, errcode=None)])
    for later in range(1, 2 * LATEST_FAILURES):
        stored.add([], [failures(NOW + later)])
    no_answer, wrong_secret = stored.failures(NOW)
    assert (no_answer.errcode, no_answer.first_at, no_answer.last_at) == (None, NOW, NOW)
    assert (wrong_secret.first_at, wrong_secret.last_at) == (NOW, NOW + 2 * LATEST_FAILURES - 1)
    assert len(wrong_secret.latest) == LATEST_FAILURES
    assert stored.failures(NOW + 1) == [wrong_secret]


def test_a_failure_that_comes_back_after_more_than_a_day_is_new(any_database):
    stored = CallOutcomes(any_database)
    stored.add([], [failures(NOW)])
    stored.add([], [failures(NOW + DAY_SECONDS)])
    assert stored.failures(0)[0].first_at == NOW
    stored.add([], [failures(NOW + 3 * DAY_SECONDS)])
    assert stored.failures(0)[0].first_at == NOW + 3 * DAY_SECONDS


def test_what_no_longer_fails_is_forgotten(any_database):
    stored = CallOutcomes(any_database)
    stored.add([], [failures(NOW, errcode=40164)])
    stored.add([], [failures(NOW + KEPT_SECONDS + 1)])
    assert [one.errcode for one in stored.failures(0)] == [40125]


def test_processes_that_write_at_once_lose_nothing(any_database):
    stored = CallOutcomes(any_database)
    moments = range(NOW, NOW + 12)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda at: stored.add([NEW.failed(at, 40125)], [failures(at)]), moments))
    assert {call.at for call in stored.failures(0)[0].latest} == set(moments)
    assert (stored.outcomes()[0].failing_since, stored.outcomes()[0].last_failure_at) == (NOW, NOW + 11)
