"""How pages write points in time."""

from datetime import UTC, datetime

from tornado.escape import xhtml_escape

__all__ = ["moment_html"]


def moment_html(at: int | None, never: str, *, precise: bool = False) -> str:
    """Return HTML of a point in time, in UTC, to the minute or second; the script makes it the reader's own.

    Args:
        at: The second; None for something that never happened.
        never: What to write then.
        precise: Whether to write the second.
    """
    if at is None:
        return f'<span class="none">{xhtml_escape(never)}</span>'
    utc = datetime.fromtimestamp(at, UTC)
    shown = f"{utc:%Y-%m-%d %H:%M:%S}" if precise else f"{utc:%Y-%m-%d %H:%M}"
    return f'<time datetime="{utc:%Y-%m-%dT%H:%M:%SZ}">{shown} UTC</time>'
