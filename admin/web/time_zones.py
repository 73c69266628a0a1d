"""The time zone that pages are written in: the viewer's, as the script tells by a cookie, or that of the settings."""

import re
from dataclasses import dataclass
from datetime import tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

__all__ = ["TIME_ZONE_COOKIE", "PageTime", "time_zone_of"]

#: Written by `admin.js`, and worth nothing to anybody: it need not be kept from scripts.
TIME_ZONE_COOKIE = "wechat_openid_timezone"
#: The form of the names in the IANA database.
_NAME = re.compile(r"[A-Za-z0-9_+-]{1,32}(?:/[A-Za-z0-9_+-]{1,32}){0,2}")


@dataclass(frozen=True, slots=True)
class PageTime:
    """When a page is written, and in which zone: where its days begin."""

    now: int
    zone: tzinfo


def time_zone_of(name: str) -> ZoneInfo | None:
    """Return the zone of a name such as `Asia/Shanghai`, which may be any text; None where there is none."""
    if not _NAME.fullmatch(name):
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones is an OSError
        return None
