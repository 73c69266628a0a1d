"""What the pages call ranges of time that are told from now."""

from collections.abc import Mapping

from admin.lists.relative_range import RelativeRange
from admin.web.i18n import N_

__all__ = ["RELATIVE_RANGE_LABELS"]

RELATIVE_RANGE_LABELS: Mapping[str, str] = {
    RelativeRange.LAST_HOUR: N_("last hour"),
    RelativeRange.LAST_24_HOURS: N_("last 24 hours"),
    RelativeRange.TODAY: N_("today"),
    RelativeRange.YESTERDAY: N_("yesterday"),
    RelativeRange.LAST_7_DAYS: N_("last 7 days"),
    RelativeRange.LAST_30_DAYS: N_("last 30 days"),
    RelativeRange.NEXT_24_HOURS: N_("next 24 hours"),
    RelativeRange.NEXT_3_DAYS: N_("next 3 days"),
    RelativeRange.NEXT_7_DAYS: N_("next 7 days"),
    RelativeRange.NEXT_30_DAYS: N_("next 30 days"),
}
