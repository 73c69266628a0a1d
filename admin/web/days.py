"""Days as forms write them."""

from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus

from admin.web.handler import Refused

__all__ = ["day_of", "midnight"]


def midnight(day: str, days_later: int = 0) -> int | None:
    """Return the second a day in UTC begins, or the one so many days later; None for no day.

    Raises:
        Refused: It is not a day.
    """
    if not day:
        return None
    try:
        begins = datetime.combine(date.fromisoformat(day) + timedelta(days_later), datetime.min.time(), UTC)
    except (ValueError, OverflowError):
        raise Refused(HTTPStatus.BAD_REQUEST, "A day is written as 2027-01-31.") from None
    return int(begins.timestamp())


def day_of(at: int) -> str:
    """Write the day in UTC that a second belongs to, as forms do."""
    return datetime.fromtimestamp(at, UTC).date().isoformat()
