"""Text from outside: whether any database could hold it."""

__all__ = ["LONGEST_TEXT", "is_text"]

#: What most columns of texts hold, in characters.
LONGEST_TEXT = 255


def is_text(text: str, longest: int = LONGEST_TEXT) -> bool:
    """Return whether a text has at most so many characters, no NUL and no half of a surrogate pair."""
    return len(text) <= longest and not any(
        character == "\0" or "\ud800" <= character <= "\udfff" for character in text
    )
