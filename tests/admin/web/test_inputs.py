"""Whatever a browser sends is read within bounds or refused with a page, never met with another exception."""

from contextlib import suppress
from datetime import UTC
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admin.users.filters import FIELDS, Listing
from admin.web.errors import PageError
from admin.web.inputs import (
    LARGEST_NUMBER,
    day_of,
    parse_choice,
    parse_cursor,
    parse_json,
    parse_midnight,
    parse_moment,
    parse_number,
    parse_row_id,
    parse_text,
    parse_user_key,
    write_cursor,
)
from admin.web.time_zones import PageTime
from storage.sql.accounts.operators import Role

NOW = PageTime(1_800_000_000, UTC)
READERS = {
    "text": parse_text,
    "number": parse_number,
    "row id": parse_row_id,
    "choice": partial(parse_choice, Role),
    "day": parse_midnight,
    "moment": parse_moment,
    "user": parse_user_key,
    "cursor of numbers": partial(parse_cursor, kind=int),
    "cursor of texts": partial(parse_cursor, kind=str),
}
HOSTILE = [
    "[" * 20_000,
    "9" * 5000,
    "-" * 5000,
    "1e400",
    "٣",
    "0x10",
    "1_000",
    "\0",
    "\ud800",
    '"\\ud800"',
    "W1tbW1tbW1tbW1tbW1tb" * 200,
    "WzEsMV0=" * 2000,
    "9999-99-99",
    "2027-W01-1",
    "20270131T00",
    '["a"]',
    '["a", "b", "c"]',
    '[["a"], "b"]',
    "{}",
    "null",
    "NaN",
]


def check(read, text):
    with suppress(PageError):
        read(text)


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_read_or_refused(read, text):
    check(read, text)


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@given(text=st.text(max_size=300) | st.text('0123456789-[]{}",:.eE', max_size=300))
def test_any_text_is_read_or_refused(read, text):
    check(read, text)


@given(name=st.sampled_from([*FIELDS, "sort", "order", "cursor"]), text=st.text(max_size=300))
def test_any_filter_is_read_or_refused(name, text):
    check(lambda value: Listing.read(lambda one: value if one == name else "", NOW).query(50), text)


@pytest.mark.parametrize("number", [0, 1, -1, LARGEST_NUMBER, -LARGEST_NUMBER])
def test_a_number_of_64_bits_is_read(number):
    assert parse_number(str(number)) == number


@pytest.mark.parametrize("text", [str(LARGEST_NUMBER + 1), "--1", "+1", " 1", "1 ", "9" * 20])
def test_any_other_number_is_refused(text):
    with pytest.raises(PageError):
        parse_number(text)


@pytest.mark.parametrize(("value", "kind"), [(7, int), (LARGEST_NUMBER, int), ("小明\n", str), ("", str)])
def test_a_cursor_is_read_as_it_was_written(value, kind):
    assert parse_cursor(write_cursor(value, 5), kind) == (value, 5)
    with pytest.raises(PageError):
        parse_cursor(write_cursor(value, 5), str if kind is int else int)


def test_a_day_is_read_as_it_was_written():
    at = parse_midnight("2027-01-31")
    assert day_of(at) == "2027-01-31"
    assert day_of(parse_midnight("2027-01-31", days_later=1)) == "2027-02-01"


def test_json_that_is_nested_deeply_or_long_is_nothing():
    assert parse_json("[" * 3000) is None
    assert parse_json("[" + "1," * 5000 + "1]") is None
    assert parse_json('{"a": [1]}') == {"a": [1]}
