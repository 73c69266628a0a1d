"""Counts that stop at a cap: how pages write them, and giving up those that take too long."""

from collections.abc import Callable
from typing import TypeVar

from storage.base.errors import StoreTooSlow
from storage.user_search import CappedCount

__all__ = ["count_in_time", "count_text"]

T = TypeVar("T")


def count_text(count: CappedCount) -> str:
    """Write a count; `10,000+` where it stopped."""
    return f"{count.number:,}{'+' if count.capped else ''}"


def count_in_time(count: Callable[[T], CappedCount], wanted: T) -> CappedCount | None:
    """Count what is wanted; None when that would take too long: a page is shown without it."""
    try:
        return count(wanted)
    except StoreTooSlow:
        return None
