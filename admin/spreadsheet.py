"""CSV that spreadsheets open as it is meant: in UTF-8, and with no cell taken for a formula."""

import csv
import io
from collections.abc import Iterable

__all__ = ["BYTE_ORDER_MARK", "csv_line"]

#: What spreadsheets tell UTF-8 by; the first bytes of the file.
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
#: What a cell must not begin with: spreadsheets would run it. A tab or line break is dropped before they look.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_line(cells: Iterable[str | int | None]) -> bytes:
    """Return a line of CSV; a text that begins like a formula gets an apostrophe before it."""
    line = io.StringIO()
    csv.writer(line).writerow([_harmless(cell) for cell in cells])
    return line.getvalue().encode("utf-8", "replace")


def _harmless(cell: str | int | None) -> str | int | None:
    if isinstance(cell, str) and cell.lstrip(" ").startswith(_FORMULA_STARTS):
        return "'" + cell
    return cell
