"""Documents in two languages say the same: code, headings and tables, and each leads to the other."""

import pytest

from tests.docs.markdown_text import ROOT, code_blocks, headings, read, table_rows

TWINS = sorted(path for path in (ROOT / "docs").glob("*.zh-CN.md") if path.name != "README.zh-CN.md")


def english_of(chinese):
    return chinese.with_name(chinese.name.replace(".zh-CN", ""))


def without_comments_and_words(block):
    return [
        line.partition("#")[0].rstrip() for line in block.splitlines() if "//" not in line and "<button" not in line
    ]


@pytest.mark.parametrize("chinese", TWINS, ids=lambda path: path.name)
def test_both_languages_show_the_same_code(chinese):
    english_code, chinese_code = (
        [(language, without_comments_and_words(block)) for language, block in code_blocks(read(page))]
        for page in (english_of(chinese), chinese)
    )
    assert chinese_code == english_code


@pytest.mark.parametrize("chinese", TWINS, ids=lambda path: path.name)
def test_both_languages_have_the_same_structure(chinese):
    for structure in (lambda text: [level for level, _ in headings(text)], lambda text: [*map(len, table_rows(text))]):
        assert structure(read(chinese)) == structure(read(english_of(chinese)))


@pytest.mark.parametrize("chinese", TWINS, ids=lambda path: path.name)
def test_each_language_leads_to_the_other(chinese):
    english = english_of(chinese)
    assert f"({chinese.name})" in read(english)
    assert f"({english.name})" in read(chinese)
