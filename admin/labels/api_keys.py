"""What the pages call the rights and lifetimes of API keys."""

from collections.abc import Mapping
from enum import StrEnum

from admin.web.i18n import N_
from storage.sql.accounts.api_keys import KeyRight

__all__ = ["KEY_LIFETIME_DAYS", "KEY_LIFETIME_LABELS", "KEY_RIGHT_LABELS", "KeyLifetime"]


class KeyLifetime(StrEnum):
    """How long a new key is to be good."""

    UNLIMITED = "unlimited"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


KEY_RIGHT_LABELS: Mapping[str, str] = {
    KeyRight.READ_TOKEN: N_("Get valid tokens of users"),
    KeyRight.READ_USERS: N_("See what is known of a user, without tokens"),
    KeyRight.SET_EXTERNAL_ID: N_("Set the external id of users"),
    KeyRight.ACCOUNT_TOKEN: N_("Get the accounts' own access tokens"),
}
KEY_LIFETIME_LABELS: Mapping[str, str] = {
    KeyLifetime.UNLIMITED: N_("never expires"),
    KeyLifetime.MONTH: N_("after 30 days"),
    KeyLifetime.QUARTER: N_("after 90 days"),
    KeyLifetime.YEAR: N_("after 365 days"),
}
KEY_LIFETIME_DAYS: Mapping[KeyLifetime, int | None] = {
    KeyLifetime.UNLIMITED: None,
    KeyLifetime.MONTH: 30,
    KeyLifetime.QUARTER: 90,
    KeyLifetime.YEAR: 365,
}
