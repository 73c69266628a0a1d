import pytest
from hypothesis import given
from hypothesis import strategies as st
from limits import parse_many

from service.settings.rates import Rate, parse_rates

UNITS = ["second", "minute", "hour", "day", "month", "year"]
#: What rates are made of, so that many texts are rates and many are nearly.
PARTS = st.sampled_from([*UNITS, "minutes", "HOUR", "/", " per ", "per", "10", "5", "0", ";", ",", "|", " ", "ｓ", "٣"])


def as_limits_reads(text):
    """Return what the library `limits` makes of a text; None where it refuses it."""
    try:
        return [Rate(one.amount, one.get_expiry()) for one in parse_many(text)]
    except ValueError:
        return None


def read(text):
    try:
        return parse_rates(text)
    except ValueError:
        return None


@pytest.mark.parametrize(
    "text", ["600/minute", "600/minute;5000/hour", "10 per 5 minutes", " 1/2 Days , 3 per second|4/year"]
)
def test_rates_are_read_as_limits_reads_them(text):
    assert parse_rates(text) == as_limits_reads(text) != []


@given(st.lists(PARTS, min_size=1, max_size=9).map("".join))
def test_whatever_is_read_means_what_it_means_to_limits(text):
    rates = read(text)
    assert rates is None or rates == as_limits_reads(text)


@pytest.mark.parametrize(
    "text", ["600", "600/fortnight", "/minute", "600/minute;", "-1/minute", "1/0 minutes", "1.5/hour"]
)
def test_what_is_no_rate_is_refused(text):
    with pytest.raises(ValueError, match="600/minute"):
        parse_rates(text)


def test_an_empty_text_is_no_rate():
    assert parse_rates("") == []
