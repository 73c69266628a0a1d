"""Bar charts as inline SVG, drawn on the server. Colours come from the stylesheet, so they suit light and dark."""

from collections.abc import Sequence
from dataclasses import dataclass

from tornado.escape import xhtml_escape

__all__ = ["Bar", "bar_chart"]

_WIDTH, _HEIGHT = 480, 150
#: Room around the bars: the scale stands to the left of them, the labels below.
_TOP, _BOTTOM, _LEFT, _RIGHT = 8, 22, 34, 2
_GAP = 0.18


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: what it stands for, how high it is, and the label below it, empty for none.

    Attributes:
        failed: What failed of the same, which stands on top of the bar.
    """

    name: str
    value: int
    label: str = ""
    failed: int = 0


def bar_chart(identifier: str, title: str, description: str, bars: Sequence[Bar]) -> str:
    """Return the SVG of a chart.

    Args:
        identifier: A name that nothing else on the page has.
        title: What it shows.
        description: What can be read from it, for readers who cannot see it.
        bars: From left to right.
    """
    top = _nice(max((bar.value + bar.failed for bar in bars), default=0))
    step = (_WIDTH - _LEFT - _RIGHT) / max(1, len(bars))
    floor = _HEIGHT - _BOTTOM
    named = f'aria-labelledby="{identifier}-title {identifier}-desc"'
    parts = [
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" {named}>',
        f'<title id="{identifier}-title">{xhtml_escape(title)}</title>',
        f'<desc id="{identifier}-desc">{xhtml_escape(description)}</desc>',
    ]
    for share in (1.0, 0.5):
        y = floor - share * (floor - _TOP)
        parts.append(f'<line class="grid-line" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="scale" x="{_LEFT - 5}" y="{y + 4:.1f}">{_short(top * share)}</text>')
    for place, bar in enumerate(bars):
        x = _LEFT + place * step
        foot = float(floor)
        for style, value in (("bar-of", bar.value), ("bar-of failed", bar.failed)):
            if value:
                # A bar that is there is seen, however small it is.
                height = max(1.0, (floor - _TOP) * value / top)
                foot -= height
                parts.append(
                    f'<rect class="{style}" x="{x + step * _GAP / 2:.1f}" y="{foot:.1f}" '
                    f'width="{step * (1 - _GAP):.1f}" height="{height:.1f}" rx="1.5">'
                    f"<title>{xhtml_escape(bar.name)}: {value:,}</title></rect>"
                )
        if bar.label:
            parts.append(
                f'<text class="tick" x="{x + step / 2:.1f}" y="{_HEIGHT - 5}">{xhtml_escape(bar.label)}</text>'
            )
    parts.append(f'<line class="floor" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{floor}" y2="{floor}"/></svg>')
    return "".join(parts)


def _nice(highest: int) -> int:
    """Return the round number that a scale ends with, the next in 2, 4, 10, 20, 40, 100 and so on."""
    top = 2
    while top < highest:
        top = top * 5 // 2 if str(top).startswith("4") else top * 2
    return top


def _short(number: float) -> str:
    for size, letter in ((1_000_000, "M"), (1000, "k")):
        if number >= size:
            return f"{number / size:g}{letter}"
    return f"{number:g}"
