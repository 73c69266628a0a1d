"""Reads what a browser sends: one function for each kind of value, each with bounds.

Everything in an address, a form or a cookie goes through one of these. What does not fit is refused with a page that
says so; nothing here lets a database, a parser or a page meet a value of a size that a stranger chose.
"""

import base64
import json
import re
from collections.abc import Container
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from http import HTTPStatus
from typing import Any, TypeVar

from admin.web.errors import PageError
from admin.web.i18n import N_
from storage.base.clock import DAY_SECONDS
from storage.base.text import LONGEST_TEXT, is_text

__all__ = [
    "LARGEST_NUMBER",
    "day_of",
    "is_moment",
    "moment_of",
    "parse_choice",
    "parse_cursor",
    "parse_json",
    "parse_midnight",
    "parse_moment",
    "parse_number",
    "parse_row_id",
    "parse_text",
    "parse_user_key",
    "write_cursor",
]

E = TypeVar("E", bound=StrEnum)

#: The largest number that every database can compare with its own.
LARGEST_NUMBER = 2**63 - 1
_MOST_DIGITS = 19
_LONGEST_JSON = 4096
_LONGEST_APPID = 64
_LONGEST_OPENID = 128
_LONGEST_DAY = 10
#: A moment as browsers send it from a field of date and time.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?", re.ASCII)
#: The first second of the year 10000, which no calendar here can write.
_END_OF_TIME = 253_402_300_800


def parse_text(text: str, longest: int = LONGEST_TEXT) -> str:
    """Return a text that a database can be asked for.

    Raises:
        PageError: It is longer than `longest` characters, or holds a NUL or half a surrogate pair.
    """
    if not is_text(text, longest):
        raise _invalid()
    return text


def parse_number(text: str) -> int | None:
    """Return a whole number of at most 64 bits; None for an empty text.

    Raises:
        PageError: It is something else.
    """
    if not text:
        return None
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS) or int(digits) > LARGEST_NUMBER:
        raise _invalid()
    return int(text)


def parse_row_id(text: str) -> int | None:
    """Return the id of a row; None for an empty text.

    Raises:
        PageError: It is something else.
    """
    number = parse_number(text)
    if number is not None and number < 0:
        raise _invalid()
    return number


def parse_choice(choices: type[E], text: str, offered: Container[E] | None = None) -> E | None:
    """Return the member of an enumeration with this value; None for an empty text.

    Raises:
        PageError: There is no such member, or it is none of those that are offered.
    """
    if not text:
        return None
    try:
        choice = choices(text)
    except ValueError:
        raise _invalid() from None
    if offered is not None and choice not in offered:
        raise _invalid()
    return choice


def parse_midnight(day: str, zone: tzinfo = UTC, *, days_later: int = 0) -> int | None:
    """Return the second a day begins in a zone, or the one so many days later; None for an empty text.

    Raises:
        PageError: It is not a day.
    """
    if not day:
        return None
    try:
        begins = date.fromisoformat(day[: _LONGEST_DAY + 1]) + timedelta(days_later)
        return _in_calendar(datetime.combine(begins, time.min, zone))
    except (ValueError, OverflowError):
        raise PageError(HTTPStatus.BAD_REQUEST, N_("Write a day as 2027-01-31.")) from None


def parse_moment(text: str, zone: tzinfo = UTC, *, days_later: int = 0) -> int | None:
    """Return the second of a moment such as `2027-01-31T08:00`, or of a day as `parse_midnight` does.

    Raises:
        PageError: It is neither.
    """
    if not _MOMENT.fullmatch(text):
        return parse_midnight(text, zone, days_later=days_later)
    try:
        return _in_calendar(datetime.fromisoformat(text).replace(tzinfo=zone))
    except (ValueError, OverflowError):
        raise PageError(HTTPStatus.BAD_REQUEST, N_("Write a day as 2027-01-31.")) from None


def moment_of(at: int, zone: tzinfo = UTC) -> str:
    """Write a second in a zone as `parse_moment` reads it."""
    return datetime.fromtimestamp(at, zone).replace(tzinfo=None).isoformat()


def day_of(at: int, zone: tzinfo = UTC) -> str:
    """Write the day in a zone that a second belongs to, as `parse_midnight` reads it."""
    return datetime.fromtimestamp(at, zone).date().isoformat()


def is_moment(at: int | None) -> bool:
    """Return whether a page can write this point in time, or there is none."""
    return at is None or 0 <= at < _END_OF_TIME


def parse_json(text: str) -> Any:
    """Return what a short JSON text holds, however deeply it is nested; None for what is no JSON or too long."""
    if len(text) > _LONGEST_JSON:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def parse_user_key(text: str) -> tuple[str, str]:
    """Return the appid and openid of a user whom a form names as a JSON list of both.

    Raises:
        PageError: It is something else.
    """
    match parse_json(text):
        case [str(appid), str(openid)]:
            return parse_text(appid, _LONGEST_APPID), parse_text(openid, _LONGEST_OPENID)
        case _:
            raise _invalid()


def write_cursor(value: int | str, row_id: int) -> str:
    """Write the place after which a page of a list begins: the value that the list is sorted by, and a row's id."""
    place = json.dumps([value, row_id], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(place.encode()).decode()


def parse_cursor(text: str, kind: type[int] | type[str]) -> tuple[int | str, int]:
    """Return the place that `write_cursor` wrote.

    Args:
        text: The cursor.
        kind: What the list is sorted by.

    Raises:
        PageError: It is something else.
    """
    if len(text) > _LONGEST_JSON:
        raise _invalid()
    try:
        place = base64.urlsafe_b64decode(text).decode()
    except ValueError:
        raise _invalid() from None
    match parse_json(place):
        case [int(value), int(row_id)] if kind is int and max(abs(value), abs(row_id)) <= LARGEST_NUMBER:
            return value, row_id
        case [str(value), int(row_id)] if kind is str and abs(row_id) <= LARGEST_NUMBER:
            return parse_text(value), row_id
        case _:
            raise _invalid()


def _in_calendar(at: datetime) -> int:
    """Return the second, moved to where every zone can write it; nothing that is stored lies beyond."""
    return min(max(0, int(at.timestamp())), _END_OF_TIME - 2 * DAY_SECONDS)


def _invalid() -> PageError:
    return PageError(HTTPStatus.BAD_REQUEST, N_("The address or the form holds a value that is not valid."))
