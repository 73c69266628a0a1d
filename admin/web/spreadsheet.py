"""CSV for spreadsheets: in UTF-8, and with no cell taken for a formula."""

import csv
import io
import re
from collections.abc import Iterable

__all__ = ["BYTE_ORDER_MARK", "csv_line", "csv_lines"]

#: What spreadsheets tell UTF-8 by; the first bytes of the file.
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
#: Where a spreadsheet may see a cell begin that it would run: at the start, and where its country's separator, a tab or
#: a line break stands within a text, quoted or not. What is only space or quotes there is dropped before it looks.
_FORMULA = re.compile(r"""(^|[;|\t\r\n])(?=[\s"']*[=+\-@＝＋－＠])""")
#: A line break or tab that a cell begins with: some drop it before they look.
_DROPPED_STARTS = ("\t", "\r", "\n")


def csv_line(cells: Iterable[str | int | None]) -> bytes:
    """Return a line of CSV; a text that begins like a formula, in whole or behind a separator, gets an apostrophe."""
    return csv_lines([cells])


def csv_lines(rows: Iterable[Iterable[str | int | None]]) -> bytes:
    """Return lines of CSV, as `csv_line` does."""
    lines = io.StringIO()
    csv.writer(lines).writerows([_harmless(cell) for cell in row] for row in rows)
    return lines.getvalue().encode("utf-8", "replace")


def _harmless(cell: str | int | None) -> str | int | None:
    if not isinstance(cell, str):
        return cell
    harmless = _FORMULA.sub(r"\1'", cell)
    return f"'{harmless}" if harmless.startswith(_DROPPED_STARTS) else harmless
