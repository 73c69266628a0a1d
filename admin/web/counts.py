"""How pages write counts that stop at a cap."""

from storage.user_search import CappedCount

__all__ = ["count_text"]


def count_text(count: CappedCount) -> str:
    """Write a count; `10,000+` where it stopped."""
    return f"{count.number:,}{'+' if count.capped else ''}"
