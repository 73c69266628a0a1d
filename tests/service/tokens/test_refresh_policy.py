import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.tokens.refresh_policy import RefreshPolicy

NOW = 1_800_000_000
LIFETIME = 7200
DAY = 86_400


def a_policy(**options):
    return RefreshPolicy(randomness=random.Random(7), **options)


def refreshes_of(policy, lifetime, count):
    return [policy.next_refresh_at(NOW, NOW + lifetime, last_used_at=NOW) for _ in range(count)]


@pytest.mark.parametrize("ahead", [0, 600])
def test_ten_thousand_tokens_of_one_second_are_refreshed_over_a_wide_stretch_before_their_end(ahead):
    times = refreshes_of(a_policy(ahead_seconds=ahead), LIFETIME, 10_000)
    latest = NOW + LIFETIME - ahead
    earliest = latest - LIFETIME // 10
    assert earliest <= min(times)
    assert max(times) <= latest
    assert max(times) - min(times) >= (latest - earliest) // 2
    busiest = max(times.count(at) for at in set(times))
    assert busiest < 100, "10,000 tokens over 720 seconds are about 14 in each"


@given(lifetime=st.integers(1, 30 * DAY), ahead=st.integers(0, 3600))
def test_no_token_is_refreshed_in_the_first_half_of_its_life_nor_after_its_end(lifetime, ahead):
    [at] = refreshes_of(a_policy(ahead_seconds=ahead), lifetime, 1)
    assert NOW + lifetime / 2 - 1 < at <= NOW + lifetime
    assert at > NOW


@pytest.mark.parametrize("lifetime", [-5, 0, 1, 2, 9])
def test_even_a_token_that_hardly_lives_does_not_loop(lifetime):
    assert min(refreshes_of(a_policy(), lifetime, 100)) >= NOW + 1


def test_a_lead_longer_than_a_tenth_of_the_life_is_cut():
    assert min(refreshes_of(a_policy(ahead_seconds=3600), 1000, 1000)) >= NOW + 1000 - 200


def test_only_users_seen_lately_are_kept_fresh():
    policy = a_policy(active_within_days=7)
    assert policy.next_refresh_at(NOW, NOW + LIFETIME, last_used_at=NOW - 7 * DAY + 1) is not None
    assert policy.next_refresh_at(NOW, NOW + LIFETIME, last_used_at=NOW - 7 * DAY) is None
    assert policy.is_active(NOW, NOW - 7 * DAY + 1)
    assert not policy.is_active(NOW, NOW - 7 * DAY)


def test_with_no_days_everybody_is_refreshed_on_use():
    assert refreshes_of(a_policy(active_within_days=0), LIFETIME, 1) == [None]


def test_pauses_after_failures_grow_up_to_a_limit():
    policy = a_policy()
    longest = [max(policy.retry_at(NOW, failures) - NOW for _ in range(500)) for failures in range(1, 12)]
    assert all(later > 1.5 * earlier for earlier, later in pairwise(longest[:6]))
    assert longest[0] <= 10
    assert all(850 <= pause <= 900 for pause in longest[7:])


@given(failures=st.integers(0, 10**9))
def test_a_retry_is_never_at_once_and_never_far_off(failures):
    assert NOW + 5 <= RefreshPolicy().retry_at(NOW, failures) <= NOW + 900


def test_retries_of_one_second_are_spread():
    policy = a_policy()
    times = {policy.retry_at(NOW, 8) for _ in range(1000)}
    assert max(times) - min(times) > 400


@pytest.mark.parametrize(("scheduled", "expected"), [(None, 60), (10, 10), (900, 60)])
def test_a_users_own_need_waits_a_minute_at_most(scheduled, expected):
    next_refresh_at = None if scheduled is None else NOW + scheduled
    assert a_policy().retry_on_use_at(NOW, next_refresh_at) == NOW + expected
