"""Pages of a list, and the links that lead from each to its neighbours.

A link holds the place of the entry that it begins beside and not a number of entries to leave out, so that what is
added meanwhile moves nothing. The numbers of entries are only shown.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from admin.web.inputs import parse_cursor, parse_number, write_cursor

__all__ = ["FIRST_PAGE", "Leaf", "Place"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Leaf(Generic[T]):
    """A page of a list as it is shown.

    Attributes:
        entries: What is on it, in the list's order.
        first: The number of its first entry among all, as far as nothing came or went meanwhile.
        start: The arguments of the first page; None on that page itself.
        previous: Those of the page before; None on the first.
        following: Those of the page after; None on the last.
    """

    entries: Sequence[T]
    first: int = 1
    start: list[tuple[str, str]] | None = None
    previous: list[tuple[str, str]] | None = None
    following: list[tuple[str, str]] | None = None

    @property
    def last(self) -> int:
        """The number of its last entry."""
        return self.first + len(self.entries) - 1


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page lies in its list, as an address says it.

    Attributes:
        cursor: Beside which entry, as its neighbour wrote it; empty for the first page.
        is_backward: Whether the page ends before that entry, and does not begin after it.
        first: The number of the page's first entry among all; only to be shown.
    """

    cursor: str = ""
    is_backward: bool = False
    first: int = 1

    @classmethod
    def read(cls, argument: Callable[[str], str]) -> "Place":
        """Read it from an address.

        Args:
            argument: Gives an argument by its name, empty where it is missing.

        Raises:
            PageError: An argument is not valid.
        """
        cursor = argument("cursor")
        if not cursor:
            return cls()
        return cls(cursor, is_backward=argument("back") == "yes", first=max(1, parse_number(argument("first")) or 1))

    def after(self, kind: type[int | str]) -> tuple[int | str, int] | None:
        """Return the value and id of the entry beside which the page lies; None for the first page.

        Raises:
            PageError: The cursor is none of ours.
        """
        return parse_cursor(self.cursor, kind) if self.cursor else None

    def after_number(self) -> tuple[int, int] | None:
        """Return the same, where the list is sorted by a number."""
        match self.after(int):
            case (int(value), row_id):
                return value, row_id
            case _:
                return None

    def turn(
        self,
        found: Sequence[T],
        size: int,
        *,
        has_more: bool,
        place_of: Callable[[T], tuple[int | str, int]],
        arguments: Sequence[tuple[str, str]],
    ) -> Leaf[T]:
        """Return the page that was found here, and the ways to its neighbours.

        Args:
            found: Its entries, from the cursor on: the other way round where the page lies backward.
            size: How many a full page has.
            has_more: Whether there are more in that direction.
            place_of: Tells an entry's place: the value that the list is sorted by, and an id.
            arguments: What an address needs for the list's first page.
        """
        start = list(arguments) if self.cursor else None
        if not found:
            return Leaf((), self.first, start)
        entries = found[::-1] if self.is_backward else found
        has_previous = has_more if self.is_backward else bool(self.cursor)
        has_following = self.is_backward or has_more
        first = max(2, self.first) if has_previous else 1
        before = [("cursor", write_cursor(*place_of(entries[0]))), ("back", "yes")]
        after = [("cursor", write_cursor(*place_of(entries[-1])))]
        return Leaf(
            entries,
            first,
            start,
            [*arguments, *before, ("first", str(max(1, first - size)))] if has_previous else None,
            [*arguments, *after, ("first", str(first + len(entries)))] if has_following else None,
        )


FIRST_PAGE = Place()
