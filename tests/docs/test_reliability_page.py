"""The page of reliability: the tests that it names exist, and its figures have a place that commands find."""

import ast

import pytest

from tests.clusters.table import figures_of
from tests.docs.markdown_text import ROOT, code_spans, read, section, table_rows
from tests.reliability.distances import DELAYS_MS
from tests.reliability.faults import FAULTS
from tests.reliability.page import PAGES, with_figures
from tests.reliability.soak import FIGURES, Soaked, counts_of

ENGLISH, CHINESE = PAGES
COUNTS = counts_of(Soaked())


def named_tests(page):
    return [span for span in code_spans(read(page)) if "::" in span]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_test_that_the_page_names_exists(page):
    assert named_tests(page)
    for name in named_tests(page):
        path, _, function = name.partition("::")
        tree = ast.parse(read(ROOT / path))
        found = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert function in found, name


def test_each_promise_names_a_test():
    promises = table_rows(section(read(ENGLISH), "Promises"))
    assert promises
    assert [row[0] for row in promises if "::" not in row[2]] == []


@pytest.mark.parametrize(
    ("rows", "width"),
    [([fault.name for fault in FAULTS], 7), (FIGURES, 2), (COUNTS, 1), ([*map(str, DELAYS_MS)], 3)],
    ids=["faults", "soak", "counts", "distances"],
)
def test_figures_have_a_row_each_in_both_languages(rows, width):
    figures = {name: [f"{number}.{column}" for column in range(width)] for number, name in enumerate(rows)}
    for page, text in zip(PAGES, with_figures(figures, read(ENGLISH), read(CHINESE)), strict=True):
        written = [row[1:] for row in table_rows(text)]
        assert [cells for cells in figures.values() if cells not in written] == []
        assert [row[0] for row in table_rows(text)] == [row[0] for row in table_rows(read(page))]


def test_a_figure_without_a_row_is_refused_and_a_cell_without_a_figure_stays():
    page = "| a | b | c |\n|---|---:|---:|\n| x | 1 | 2 |\n| y | 3 | 4 |\n"
    with pytest.raises(ValueError, match="not one row for z"):
        with_figures({"z": ["5", "6"]}, page, page)
    assert with_figures({"y": [None, "6"]}, page, page)[1].endswith("| x | 1 | 2 |\n| y | 3 | 6 |\n")


def test_trials_of_one_loss_are_one_row():
    noted = [
        '["Galera, a node killed", {"acknowledged": 1271, "lost": 0, "refused": 5, "seconds": 6.3}]',
        '["Galera, a node killed", {"refreshed": 200, "twice": 0}]',
    ]
    cases = "".join(
        f"<testcase><properties><property name='figures' value='{one}'/></properties></testcase>" for one in noted
    )
    assert figures_of(f"<testsuites><testsuite>{cases}</testsuite></testsuites>") == {
        "Galera, a node killed": ["1,271", "0", "6.3", "0"]
    }
