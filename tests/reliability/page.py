"""Puts figures into the tables of docs/reliability.md and of its Chinese twin.

A row is found by the words in its first column on the English page; the Chinese row is the one at the same place. The
words are the pages' own, and stay as they are.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["PAGES", "with_figures", "write_figures"]

_DOCS = Path(__file__).parents[2] / "docs"
#: The English page first.
PAGES = (_DOCS / "reliability.md", _DOCS / "reliability.zh-CN.md")


def write_figures(figures: Mapping[str, Sequence[str | None]]) -> None:
    """Replace the figures of the rows that begin with these words; other rows stay as they are.

    Args:
        figures: What comes after the first column, by the words in it on the English page. None leaves a cell as it is.

    Raises:
        ValueError: The English page has no such row, or several.
    """
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    for page, text in zip(PAGES, with_figures(figures, *texts), strict=True):
        page.write_text(text, encoding="utf-8")


def with_figures(figures: Mapping[str, Sequence[str | None]], english: str, chinese: str) -> tuple[str, str]:
    """Return the texts of both pages with these figures; see `write_figures`."""
    words = [_cells(row)[0] for row in _rows(english)]
    if wrong := [name for name in figures if words.count(name) != 1]:
        raise ValueError(f"there is not one row for {', '.join(wrong)}")
    by_place = {words.index(name): cells for name, cells in figures.items()}
    return _filled(english, by_place), _filled(chinese, by_place)


def _filled(text: str, by_place: Mapping[int, Sequence[str | None]]) -> str:
    lines = text.splitlines(keepends=True)
    places = [number for number, line in enumerate(lines) if line.startswith("|")]
    for place, figures in by_place.items():
        first, *old = _cells(lines[places[place]])
        new = [before if figure is None else figure for before, figure in zip(old, figures, strict=True)]
        lines[places[place]] = f"| {' | '.join([first, *new])} |\n"
    return "".join(lines)


def _rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("|")]


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split("|")]
