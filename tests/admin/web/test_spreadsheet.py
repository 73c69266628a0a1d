import csv
import io

import pytest

from admin.web.spreadsheet import csv_line

FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
#: What countries' spreadsheets, and people who import a file, take for the end of a cell.
SEPARATORS = (",", ";", "\t", "|")
HOSTILE = [
    "=1+1",
    "  =1+1",
    "\t=1+1",
    "\r\n=1+1",
    ";=cmd|' /C calc'!A0",
    "li; =1+1",
    'li;"=1+1"',
    'li";=1+1',
    '";=1+1',
    "li\n=1+1",
    "li\t@SUM(1)",
    "li|-1+1",
    "一；=1;＝1+1",
    "a;b;c;+1",
    "a;'=1",
]


def cells_of(line, separator):
    """Return the cells that a spreadsheet with this separator sees, as the standard library reads them."""
    return [cell for row in csv.reader(io.StringIO(line, newline=""), delimiter=separator) for cell in row]


@pytest.mark.attack(
    "an operator's machine",
    "a user of the account, by a nickname",
    "a formula in an export, behind whatever a spreadsheet takes for a separator",
    "no cell begins like a formula",
)
def test_no_cell_begins_like_a_formula_whatever_separates_cells(subtests):
    for text in HOSTILE:
        for separator in SEPARATORS:
            with subtests.test(text=text, separator=separator):
                line = csv_line(["openid", text, 5]).decode()
                cells = cells_of(line, separator)
                assert [cell for cell in cells if cell.strip(' \t\r\n"').startswith(FORMULA)] == []


def test_other_texts_and_numbers_stay_as_they_are():
    for text in ("小明", "a-b", "1; 2", "x=1", "ada@example.com", "line\nline", 'he said "hi"', ""):
        assert cells_of(csv_line([text, -5, None]).decode(), ",") == [text, "-5", ""]
