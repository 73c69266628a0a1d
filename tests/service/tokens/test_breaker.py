import pytest

from service.tokens.breaker import AccountPaused, Breaker
from service.wechat.endpoints import Endpoint
from service.wechat.errcodes import Kind
from service.wechat.errors import FaultReason, WeChatFault, WeChatRefusal
from storage.base.clock import ManualClock

SHOP, BLOG = "wx0000000000000001", "wx0000000000000002"
WRONG_SECRET, DAY_QUOTA, MINUTE_QUOTA = 40125, 45009, 45011


@pytest.fixture
def clock():
    return ManualClock(1_800_000_000)


@pytest.fixture
def begun():
    return []


@pytest.fixture
def breaker(clock, begun):
    return Breaker(clock, begun.append)


def a_refusal(errcode, appid=SHOP, endpoint=Endpoint.EXCHANGE):
    return WeChatRefusal(endpoint, appid, errcode, "words of WeChat")


def pause_of(breaker, appid=SHOP, endpoint=Endpoint.EXCHANGE):
    """Return for how long calls pause; 0 when they may be made."""
    try:
        breaker.check(appid, endpoint)
    except AccountPaused as paused:
        return paused.retry_after
    return 0


def test_a_wrong_secret_pauses_this_account_and_endpoint_and_no_other(breaker):
    breaker.note(a_refusal(WRONG_SECRET))
    assert pause_of(breaker) == 30
    assert pause_of(breaker, endpoint=Endpoint.REFRESH) == 0
    assert pause_of(breaker, appid=BLOG) == 0


def test_a_pause_ends_by_the_clock(breaker, clock):
    breaker.note(a_refusal(WRONG_SECRET))
    clock.advance(29)
    assert pause_of(breaker) == 1
    clock.advance(1)
    assert pause_of(breaker) == 0
    assert breaker.pauses() == []


@pytest.mark.parametrize("hours", [6, -6])
def test_a_pause_lasts_as_long_whatever_the_clock_is_set_to(breaker, clock, hours):
    breaker.note(a_refusal(WRONG_SECRET))
    clock.set_by(hours * 3600)
    assert pause_of(breaker) == 30
    assert [pause.until for pause in breaker.pauses()] == [clock.now() + 30]
    clock.advance(30)
    assert pause_of(breaker) == 0


@pytest.mark.parametrize(("second", "pause"), [(0, 60), (1, 59), (59, 1)])
def test_the_quota_of_the_minute_pauses_until_the_minute_is_over(breaker, clock, second, pause):
    clock.advance(second - clock.now() % 60)
    breaker.note(a_refusal(MINUTE_QUOTA))
    assert pause_of(breaker) == pause


def test_the_quota_of_the_day_pauses_for_longer(breaker):
    breaker.note(a_refusal(DAY_QUOTA))
    assert pause_of(breaker) == 600


@pytest.mark.parametrize(
    "error",
    [
        a_refusal(40029),
        a_refusal(-1),
        a_refusal(50002),
        a_refusal(99999),
        WeChatFault(Endpoint.EXCHANGE, SHOP, FaultReason.TIMEOUT, reply_started=False),
    ],
    ids=str,
)
def test_a_failure_of_one_call_pauses_nothing(breaker, begun, error):
    breaker.note(error)
    assert pause_of(breaker) == 0
    assert begun == []


def test_the_exception_says_what_a_person_needs_and_no_more(breaker):
    breaker.note(a_refusal(WRONG_SECRET))
    with pytest.raises(AccountPaused) as caught:
        breaker.check(SHOP, Endpoint.EXCHANGE)
    assert str(caught.value) == f"calls of {SHOP} to access_token pause for 30 s after errcode 40125"
    assert caught.value.pause.kind is Kind.CONFIGURATION


def test_calls_that_were_under_way_do_not_begin_a_pause_again(breaker, begun, clock):
    for _ in range(100):
        breaker.note(a_refusal(WRONG_SECRET))
    clock.advance(2)
    breaker.note(a_refusal(WRONG_SECRET))
    assert len(begun) == 1
    assert pause_of(breaker) == 30
    clock.advance(30)
    breaker.note(a_refusal(WRONG_SECRET))
    assert len(begun) == 2


def test_a_shorter_pause_does_not_cut_a_longer_one(breaker):
    breaker.note(a_refusal(DAY_QUOTA))
    breaker.note(a_refusal(MINUTE_QUOTA))
    breaker.note(a_refusal(WRONG_SECRET))
    assert pause_of(breaker) == 600
    [pause] = breaker.pauses()
    assert pause.errcode == DAY_QUOTA


def test_pauses_in_force_are_listed_with_their_end(breaker, begun, clock):
    breaker.note(a_refusal(WRONG_SECRET))
    breaker.note(a_refusal(DAY_QUOTA, BLOG, Endpoint.REFRESH))
    assert breaker.pauses() == begun
    assert [(pause.appid, pause.endpoint, pause.until - clock.now()) for pause in begun] == [
        (SHOP, Endpoint.EXCHANGE, 30),
        (BLOG, Endpoint.REFRESH, 600),
    ]
    clock.advance(30)
    assert breaker.pauses() == begun[1:]
