"""Documents in two languages say the same: code, headings, tables and names, and each leads to the other."""

import os
import re
from pathlib import Path

import pytest

from tests.attack_table import with_table_left_out
from tests.docs.markdown_text import ROOT, code_blocks, code_spans, headings, links, pages, read, table_rows

DOCS = ROOT / "docs"
TWINS = sorted(DOCS.glob("*.zh-CN.md"))
#: What is written for those who work on the code, and what is measured; in English only.
ENGLISH_ALONE = {"CHANGELOG.md", "architecture.md", "performance.md"}


def english_of(chinese):
    name = chinese.name.replace(".zh-CN", "")
    return DOCS / name if (DOCS / name).exists() else ROOT / name


def in_both(chinese):
    """Return both texts, without the table of attacks, which is written from the tests."""
    return [with_table_left_out(read(page)) for page in (english_of(chinese), chinese)]


def without_comments_and_words(block):
    return [
        line.partition("#")[0].rstrip() for line in block.splitlines() if "//" not in line and "<button" not in line
    ]


def test_each_document_has_a_twin():
    documents = {page for page in pages() if page.parent in {ROOT, DOCS} and page not in TWINS}
    assert {page.name for page in documents - {*map(english_of, TWINS)}} == ENGLISH_ALONE


@pytest.mark.parametrize("chinese", TWINS, ids=lambda path: path.name)
def test_both_languages_show_the_same_code(chinese):
    english_code, chinese_code = (
        [(language, without_comments_and_words(block)) for language, block in code_blocks(text)]
        for text in in_both(chinese)
    )
    assert chinese_code == english_code


@pytest.mark.parametrize("chinese", TWINS, ids=lambda path: path.name)
def test_both_languages_have_the_same_structure(chinese):
    for structure in (lambda text: [level for level, _ in headings(text)], lambda text: [*map(len, table_rows(text))]):
        english_structure, chinese_structure = map(structure, in_both(chinese))
        assert chinese_structure == english_structure


@pytest.mark.parametrize("chinese", TWINS, ids=lambda path: path.name)
def test_both_languages_name_the_same_settings_commands_and_values(chinese):
    english_names, chinese_names = (set(code_spans(text)) for text in in_both(chinese))
    assert chinese_names == english_names


@pytest.mark.parametrize("chinese", TWINS, ids=lambda path: path.name)
def test_cells_without_words_are_the_same(chinese):
    rows = zip(*map(table_rows, in_both(chinese)), strict=True)
    cells = [pair for english, translated in rows for pair in zip(english, translated, strict=True)]
    assert [(cell, other) for cell, other in cells if not re.search("[A-Za-z]", cell) and other != cell] == []


@pytest.mark.parametrize("chinese", TWINS, ids=lambda path: path.name)
def test_each_language_leads_to_the_other(chinese):
    english = english_of(chinese)
    for page, other in ((english, chinese), (chinese, english)):
        assert f"({os.path.relpath(other, page.parent)})" in read(page)


@pytest.mark.parametrize("chinese", TWINS, ids=lambda path: path.name)
def test_the_chinese_documents_lead_to_chinese_ones(chinese):
    """All links but the one at the top, which changes the language."""
    targets = [Path(os.path.normpath(chinese.parent / link.partition("#")[0])) for link in links(read(chinese))]
    twins = {english_of(twin): twin.name for twin in TWINS if twin != chinese}
    assert {twins[target] for target in targets if target in twins} == set()
