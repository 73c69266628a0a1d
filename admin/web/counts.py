"""How pages write counts that stop at a cap."""

from storage.user_search import Tally

__all__ = ["count_text"]


def count_text(count: Tally) -> str:
    """Write a count; `10,000+` where it stopped."""
    return f"{count.number:,}{'+' if count.capped else ''}"
