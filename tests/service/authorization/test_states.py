"""States: bound to one browser and one code, ended by time, and never to be made up."""

import re

import pytest

from service.authorization.states import STATE_SECONDS, InvalidState, States, Taker
from storage.base.clock import ManualClock
from storage.sealing import KeyRing, generate_key

APPID = "wx0000000000000001"
PAGE = "https://h5.example.com/"
CODE = "0" * 32
TAKER = Taker(through_callback=False)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def key():
    return generate_key()


@pytest.fixture
def states(key, clock):
    return States(KeyRing.parse(key), clock)


def issue(states, redirect_uri=PAGE):
    issued = states.issue(APPID, "snsapi_base", redirect_uri)
    return issued.state, {issued.cookie_name: issued.cookie_value}


def test_a_state_is_what_wechat_allows(states):
    state, _ = issue(states)
    assert re.fullmatch("[a-zA-Z0-9]{1,128}", state)


def test_states_differ(states):
    assert len({issue(states)[0] for _ in range(1000)}) == 1000


def test_the_browser_that_asked_gets_back_what_it_asked_for(states):
    state, cookies = issue(states)
    asked = states.verify(state, cookies, CODE, TAKER).asked
    assert (asked.appid, asked.scope, asked.redirect_uri) == (APPID, "snsapi_base", PAGE)


@pytest.mark.attack(
    "a visitor's session",
    "any client",
    "a state that is altered, another browser's, or replayed with another code",
    "refused before a code is spent",
)
def test_every_altered_character_of_a_state_is_noticed(states):
    state, cookies = issue(states)
    for position, letter in enumerate(state):
        for other in {"0", "f", "A", "%"} - {letter}:
            with pytest.raises(InvalidState):
                states.verify(state[:position] + other + state[position + 1 :], cookies, CODE, TAKER)


def test_a_truncated_state_is_refused(states, subtests):
    for length in range(64):
        with subtests.test(length=length):
            state, cookies = issue(states)
            with pytest.raises(InvalidState):
                states.verify(state[:length], cookies, CODE, TAKER)


def test_a_lengthened_state_is_refused(states):
    state, cookies = issue(states)
    for longer in (state + "0", "0" + state, state * 2, state + "\n"):
        with pytest.raises(InvalidState):
            states.verify(longer, cookies, CODE, TAKER)


def test_a_state_signed_with_another_key_is_refused(states, clock):
    state, cookies = issue(States(KeyRing.parse(generate_key()), clock))
    with pytest.raises(InvalidState):
        states.verify(state, cookies, CODE, TAKER)


@pytest.mark.attack(
    "a visitor's session",
    "any client",
    "a state that is altered, another browser's, or replayed with another code",
    "refused before a code is spent",
)
def test_another_browsers_state_is_refused(states):
    state, _ = issue(states)
    _, other_cookies = issue(states)
    for cookies in ({}, other_cookies):
        with pytest.raises(InvalidState):
            states.verify(state, cookies, CODE, TAKER)


def test_a_cookie_under_another_states_name_is_refused(states):
    state, cookies = issue(states)
    _, other_cookies = issue(states)
    with pytest.raises(InvalidState):
        states.verify(state, dict(zip(cookies, other_cookies.values(), strict=True)), CODE, TAKER)


def test_every_altered_byte_of_the_cookie_is_noticed(states):
    state, cookies = issue(states)
    [(name, value)] = cookies.items()
    for position in range(len(value)):
        altered = value[:position] + ("1" if value[position] != "1" else "2") + value[position + 1 :]
        with pytest.raises(InvalidState):
            states.verify(state, {name: altered}, CODE, TAKER)


def test_a_state_ends(states, clock):
    state, cookies = issue(states)
    clock.advance(STATE_SECONDS - 1)
    states.verify(state, cookies, CODE, TAKER)
    clock.advance(1)
    with pytest.raises(InvalidState):
        states.verify(state, cookies, CODE, TAKER)


def test_the_same_code_may_come_twice(states):
    state, cookies = issue(states)
    first = states.verify(state, cookies, CODE, TAKER)
    states.verify(state, cookies, CODE, TAKER)
    states.verify(state, {first.cookie_name: first.cookie_value}, CODE, TAKER)


@pytest.mark.attack(
    "a visitor's session",
    "any client",
    "a state that is altered, another browser's, or replayed with another code",
    "refused before a code is spent",
)
def test_a_state_replayed_with_another_code_is_refused_though_the_cookie_is_replayed_too(states):
    state, cookies = issue(states)
    states.verify(state, cookies, CODE, TAKER)
    with pytest.raises(InvalidState):
        states.verify(state, cookies, "1" * 32, TAKER)


def test_another_process_knows_by_the_cookie_that_a_state_is_spent(states, key, clock):
    state, cookies = issue(states)
    spent = states.verify(state, cookies, CODE, TAKER)
    elsewhere = States(KeyRing.parse(key), clock)
    with pytest.raises(InvalidState):
        elsewhere.verify(state, {spent.cookie_name: spent.cookie_value}, "1" * 32, TAKER)


def test_states_outlive_a_rotation_of_the_keys(states, key, clock):
    state, cookies = issue(states)
    rotated = States(KeyRing.parse(f"{generate_key()},{key}"), clock)
    assert rotated.verify(state, cookies, CODE, TAKER).asked.appid == APPID


def test_what_is_under_way_is_told_until_it_is_spent_or_over(states, clock):
    state, cookies = issue(states)
    assert [asked.redirect_uri for asked in states.under_way(cookies)] == [PAGE]
    spent = states.verify(state, cookies, CODE, TAKER)
    assert states.under_way({spent.cookie_name: spent.cookie_value}) == []
    clock.advance(STATE_SECONDS)
    assert states.under_way(cookies) == []


def test_a_browser_keeps_few_state_cookies(states, clock):
    cookies = {"other": "kept"}
    for _ in range(20):
        for name in states.superfluous_cookies(cookies):
            del cookies[name]
        cookies |= issue(states)[1]
        clock.advance(1)
    assert len(cookies) == 5
    assert "other" in cookies


def test_who_it_was_not_begun_for_gets_nothing_and_spends_nothing(states, subtests):
    issued = states.issue(APPID, "snsapi_base", "https://h5.example.com")
    cookies = {issued.cookie_name: issued.cookie_value}
    for taker in (
        Taker(through_callback=True),
        Taker(through_callback=False, appids=frozenset({"wx-another"})),
        Taker(through_callback=False, origin="https://h5.example.com.evil.com"),
        Taker(through_callback=False, origin="https://h5.example"),
        Taker(through_callback=False, origin="http://h5.example.com"),
        Taker(through_callback=False, origin=""),
    ):
        with subtests.test(taker=taker), pytest.raises(InvalidState):
            states.verify(issued.state, cookies, "1" * 32, taker)
    rightful = Taker(through_callback=False, appids=frozenset({APPID}), origin="https://h5.example.com")
    assert states.verify(issued.state, cookies, CODE, rightful).asked.appid == APPID


def test_a_cookie_without_the_prefix_is_not_read_where_names_have_one(key, clock):
    plain, prefixed = (States(KeyRing.parse(key), clock, prefix) for prefix in ("", "__Host-"))
    issued = plain.issue(APPID, "snsapi_base", PAGE)
    for name in (issued.cookie_name, f"__Host-{issued.cookie_name}"):
        with pytest.raises(InvalidState):
            prefixed.verify(issued.state, {name: issued.cookie_value}, CODE, TAKER)
