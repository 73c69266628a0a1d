"""How what several processes saw of an account's calls comes together."""

import pytest

from storage.call_outcomes import LATEST_FAILURES, CallOutcome, FailedCall, latest_of

NEW = CallOutcome("wx", "access_token")


def test_an_account_fails_since_its_first_failure_and_until_it_is_accepted():
    failing = NEW.failed(10, 40125).failed(20, -1)
    assert (failing.failing_since, failing.last_failure_at, failing.errcode) == (10, 20, -1)
    assert failing.accepted(30, succeeded=True).failing_since is None
    refused_code = failing.accepted(30, succeeded=False)
    assert (refused_code.failing_since, refused_code.last_success_at) == (None, None)
    assert refused_code.failed(40, 40125).failing_since == 40


@pytest.mark.parametrize(
    ("earlier", "later", "failing_since"),
    [
        pytest.param(NEW.failed(10, 1), NEW.failed(20, 1), 10, id="it fails on"),
        pytest.param(NEW.failed(20, 1), NEW.failed(10, 1), 10, id="another saw it before"),
        pytest.param(NEW.failed(10, 1), NEW.accepted(20, succeeded=True), None, id="another saw it succeed after"),
        pytest.param(NEW.failed(20, 1), NEW.accepted(10, succeeded=True), 20, id="another saw it succeed before"),
        pytest.param(NEW.accepted(20, succeeded=True), NEW.failed(10, 1), None, id="a failure is told late"),
        pytest.param(NEW.accepted(10, succeeded=True), NEW.failed(20, 1), 20, id="it begins to fail"),
        pytest.param(
            NEW.failed(10, 1), NEW.accepted(15, succeeded=True).failed(20, 1), 20, id="it succeeded in between"
        ),
        pytest.param(NEW.failed(10, 1), NEW.failed(10, 1).accepted(10, succeeded=True), None, id="within a second"),
    ],
)
def test_what_two_processes_saw_comes_together(earlier, later, failing_since):
    assert earlier.followed_by(later).failing_since == failing_since


def test_the_newest_failure_and_success_are_known_in_whatever_order_they_are_told():
    one = NEW.accepted(5, succeeded=True).failed(30, 40125)
    other = NEW.accepted(7, succeeded=True).failed(20, -1)
    for together in (one.followed_by(other), other.followed_by(one)):
        assert (together.last_success_at, together.last_failure_at, together.errcode) == (7, 30, 40125)


def test_only_the_last_failed_calls_are_kept():
    kept = latest_of(FailedCall(at) for at in range(100))
    assert [call.at for call in kept] == list(range(99, 99 - LATEST_FAILURES, -1))
