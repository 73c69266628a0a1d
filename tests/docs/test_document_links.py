import re
from urllib.parse import unquote

from tests.docs.markdown_text import (
    ENGLISH,
    ROOT,
    anchors,
    code_blocks,
    code_spans,
    headings,
    links,
    pages,
    prose,
    read,
)

FILE_OF_THE_TREE = re.compile(
    r"(?:service|storage|admin|alembic|tests|docs)/[\w./-]+\.\w+|\.ci/[\w.-]+"
    r"|requirements(?:-dev)?\.lock|setup\.py|pyproject\.toml"
)
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))


def resolved(page, link):
    """Return the file that a relative link means, and its anchor."""
    path, _, anchor = unquote(link).partition("#")
    return ((page.parent / path).resolve() if path else page), anchor


def is_relative(link):
    return not re.match(r"[a-z]+:", link)


def test_relative_links_lead_somewhere(subtests):
    for page in pages():
        with subtests.test(page=page.name):
            for link in filter(is_relative, links(read(page))):
                target, anchor = resolved(page, link)
                assert target.is_relative_to(ROOT), link
                assert target.exists(), link
                if anchor:
                    assert anchor in anchors(read(target)), link


def test_a_document_has_one_title_and_no_html(subtests):
    for page in pages():
        with subtests.test(page=page.name):
            text = read(page)
            assert [level for level, _ in headings(text)].count(1) == 1
            assert re.findall(r"</?[a-zA-Z][^>\n]*>|<!--", re.sub(r"`[^`\n]*`", "", prose(text))) == []


def test_an_anchor_means_one_heading(subtests):
    for page in pages():
        with subtests.test(page=page.name):
            text = read(page)
            repeated = [words for _, words in headings(text) if [w for _, w in headings(text)].count(words) > 1]
            linked = {link.partition("#")[2] for link in links(text)}
            assert not linked & {word.lower().replace(" ", "-") for word in repeated}


def test_every_document_can_be_reached_from_the_readme():
    reached, waiting = set(), [ENGLISH]
    while waiting:
        page = waiting.pop()
        if page not in reached:
            reached.add(page)
            targets = [resolved(page, link)[0] for link in links(read(page)) if is_relative(link)]
            waiting += [target for target in targets if target.suffix == ".md"]
    assert sorted(reached) == pages()


def test_every_make_target_that_a_document_names_exists(subtests):
    targets = set(re.findall(r"^([a-z-]+):.*## ", read(ROOT / "Makefile"), re.MULTILINE))
    for page in pages():
        with subtests.test(page=page.name):
            text = read(page)
            typed = [
                *code_spans(text),
                *(line.strip() for _, block in code_blocks(text) for line in block.splitlines()),
            ]
            assert {line.split()[1] for line in typed if line.startswith("make ")} <= targets


def test_every_file_of_the_tree_that_a_document_names_exists(subtests):
    for page in pages():
        with subtests.test(page=page.name):
            named = [span for span in code_spans(read(page)) if FILE_OF_THE_TREE.fullmatch(span)]
            assert [name for name in named if not (ROOT / name).exists()] == []


def test_decisions_are_numbered_without_gaps():
    assert [path.name[:4] for path in DECISIONS] == [f"{number:04}" for number in range(1, len(DECISIONS) + 1)]


def test_a_decision_is_short_and_of_one_form(subtests):
    for record in DECISIONS:
        with subtests.test(record=record.name):
            text = read(record)
            assert [words for level, words in headings(text) if level == 2] == ["Context", "Decision", "Consequence"]
            assert headings(text)[0][1].startswith(f"{int(record.name[:4])}. ")
            assert len(text.splitlines()) < 25
