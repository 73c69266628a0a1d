"""Puts what was measured into the documentation."""

from pathlib import Path

PERFORMANCE = Path("docs/performance.md")


def write_chapter(heading, text, page=PERFORMANCE):
    """Put a text below a heading, in place of what stood there up to the next heading of the same level."""
    level = heading.partition(" ")[0]
    content = page.read_text(encoding="utf-8")
    before, found, rest = content.partition(f"\n{heading}\n")
    if not found:
        raise SystemExit(f"{page} has no heading {heading!r}")
    _, next_heading, after = rest.partition(f"\n{level} ")
    page.write_text(f"{before}\n{heading}\n\n{text.strip()}\n{next_heading}{after}", encoding="utf-8")
