"""How pages write points in time."""

from datetime import UTC, datetime, tzinfo

from tornado.escape import xhtml_escape

__all__ = ["moment_html"]


def moment_html(at: int | None, never: str, zone: tzinfo = UTC, *, precise: bool = False) -> str:
    """Return HTML of a point in time, to the minute or second, with its time in UTC to be pointed at.

    Args:
        at: The second; None for something that never happened.
        never: What to write then.
        zone: The zone to write it in; UTC is named, others are those of the whole page.
        precise: Whether to write the second.
    """
    if at is None:
        return f'<span class="none">{xhtml_escape(never)}</span>'
    here = datetime.fromtimestamp(at, zone)
    shown = f"{here:%Y-%m-%d %H:%M:%S}" if precise else f"{here:%Y-%m-%d %H:%M}"
    named = f"{shown} UTC" if str(zone) == "UTC" else shown
    in_utc = datetime.fromtimestamp(at, UTC)
    return f'<time datetime="{in_utc:%Y-%m-%dT%H:%M:%SZ}" title="{in_utc:%Y-%m-%d %H:%M:%S} UTC">{named}</time>'
