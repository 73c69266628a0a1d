"""Rows of authorizations as the service leaves them, for tests and measurements that need many."""

import hashlib
import itertools
from collections.abc import Iterator
from typing import Any

APPIDS = ("wx0123456789abcdef", "wxfedcba9876543210")
NOW = 1_800_000_000
#: What the two tokens take when they are sealed: 110 to 154 characters of WeChat's, and 33 bytes of ours.
SEALED_BYTES = 165


def rows(count: int, *, due: bool = True, start: int = 0) -> Iterator[dict[str, Any]]:
    """Give rows without tokens: one second apart, two accounts by turns, each with a schedule.

    Args:
        count: How many.
        due: Whether all refreshes are due at `NOW`; otherwise none is.
        start: The number of the first.
    """
    for number in itertools.islice(itertools.count(start), count):
        at = NOW - number
        yield {
            "appid": APPIDS[number % 2],
            "openid": f"o-{number:08}",
            "unionid": f"u-{number:08}",
            "scope": "snsapi_userinfo",
            "is_snapshotuser": False,
            "status": "active",
            "expires_at": at + 7200,
            "refresh_expires_at": at + 30 * 86400,
            "next_refresh_at": at if due else NOW + 6000 + number,
            "refresh_failures": 0,
            "code_digest": hashlib.sha256(str(number).encode()).digest(),
            "code_binding": hashlib.sha256(b"b").digest(),
            "code_scope": "snsapi_userinfo",
            "code_unionid": f"u-{number:08}",
            "code_is_snapshotuser": False,
            "first_authorized_at": at,
            "authorized_at": at,
            "last_used_at": at,
        }
