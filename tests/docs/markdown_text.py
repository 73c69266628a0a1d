"""Reading Markdown as the tests of this folder need it: headings, tables, code and links."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENGLISH = ROOT / "README.md"
CHINESE = ROOT / "docs" / "README.zh-CN.md"

_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def pages() -> list[Path]:
    """Return every document of the project."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def code_blocks(text: str) -> list[tuple[str, str]]:
    """Return the language and the content of each fenced block."""
    return _FENCE.findall(text)


def prose(text: str) -> str:
    """Return the text without its fenced blocks."""
    return _FENCE.sub("", text)


def code_spans(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", prose(text))


def headings(text: str) -> list[tuple[int, str]]:
    """Return the level and the words of each heading."""
    return [(len(marks), words) for marks, words in re.findall(r"^(#+) (.+)$", prose(text), re.MULTILINE)]


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives to headings."""
    return {re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-") for _, words in headings(text)}


def section(text: str, heading: str) -> str:
    """Return what stands below a heading, until the next one of its level or above."""
    level = next(level for level, words in headings(text) if words == heading)
    start = text.index(f"\n{'#' * level} {heading}\n") + 1
    end = re.search(rf"^#{{1,{level}}} ", text[start + level :], re.MULTILINE)
    return text[start : start + level + end.start()] if end else text[start:]


def table_rows(text: str) -> list[list[str]]:
    """Return the cells of the rows of all tables, heads and rulers left out."""
    lines = prose(text).splitlines()
    rulers = {number for number, line in enumerate(lines) if re.fullmatch(r"\|[-|: ]+\|", line)}
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for number, line in enumerate(lines)
        if line.startswith("|") and number not in rulers and number + 1 not in rulers
    ]


def links(text: str) -> list[str]:
    """Return the targets of all links and pictures."""
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", prose(text)))
