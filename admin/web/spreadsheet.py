"""CSV that spreadsheets open as it is meant: in UTF-8, and with no cell taken for a formula."""

import csv
import io
from collections.abc import Iterable

__all__ = ["BYTE_ORDER_MARK", "csv_line", "csv_lines"]

#: What spreadsheets tell UTF-8 by; the first bytes of the file.
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
#: What a cell must not begin with: spreadsheets would run it. A tab or line break is dropped before they look.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_line(cells: Iterable[str | int | None]) -> bytes:
    """Return a line of CSV; a text that begins like a formula gets an apostrophe before it."""
    return csv_lines([cells])


def csv_lines(rows: Iterable[Iterable[str | int | None]]) -> bytes:
    """Return lines of CSV, as `csv_line` does."""
    lines = io.StringIO()
    csv.writer(lines).writerows([_harmless(cell) for cell in row] for row in rows)
    return lines.getvalue().encode("utf-8", "replace")


def _harmless(cell: str | int | None) -> str | int | None:
    if isinstance(cell, str) and cell.lstrip(" ").startswith(_FORMULA_STARTS):
        return "'" + cell
    return cell
