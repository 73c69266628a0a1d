"""What the overview calls activity, failures, and the state of the tables."""

from collections.abc import Mapping

from admin.web.i18n import N_
from storage.activity import ActivityKind
from storage.base.risks import StoreRisk
from storage.base.schema_report import SchemaState

__all__ = [
    "ACTIVITY_LABELS",
    "CHART_TITLES_PER_DAY",
    "CHART_TITLES_PER_HOUR",
    "FAILURE_LABELS",
    "RISK_LABELS",
    "SCHEMA_STATE_LABELS",
]

#: What is counted.
ACTIVITY_LABELS: Mapping[str, str] = {
    ActivityKind.AUTHORIZED: N_("Authorizations"),
    ActivityKind.REFRESHED: N_("Refreshes"),
    ActivityKind.REFRESH_FAILED: N_("Failed refreshes"),
    ActivityKind.REAUTHORIZATION_REQUIRED: N_("Re-authorization required"),
    ActivityKind.EXCHANGE_FAILED: N_("Failed logins"),
}
#: What failed.
FAILURE_LABELS: Mapping[str, str] = {
    ActivityKind.EXCHANGE_FAILED: N_("Login (code exchange)"),
    ActivityKind.REFRESH_FAILED: N_("Token refresh"),
    ActivityKind.REAUTHORIZATION_REQUIRED: N_("Re-authorization required"),
}
CHART_TITLES_PER_HOUR: Mapping[str, str] = {
    ActivityKind.AUTHORIZED: N_("Authorizations per hour (UTC)"),
    ActivityKind.REFRESHED: N_("Refreshes per hour (UTC)"),
}
CHART_TITLES_PER_DAY: Mapping[str, str] = {
    ActivityKind.AUTHORIZED: N_("Authorizations per day (UTC)"),
    ActivityKind.REFRESHED: N_("Refreshes per day (UTC)"),
}
#: What the token store may lose, as its server is set up.
RISK_LABELS: Mapping[str, str] = {
    StoreRisk.CRASH_LOSES_MUCH: N_(
        "If the store's server crashes, authorizations of the last minutes may be lost. Redis: set appendonly yes and "
        "appendfsync always."
    ),
    StoreRisk.CRASH_LOSES_LAST: N_(
        "If the store's server crashes, authorizations of the last second may be lost. See the log at the last start "
        "for the setting."
    ),
    StoreRisk.DROPS_USERS: N_(
        "When the store's memory is full, it drops users, who must authorize again. Redis: set maxmemory-policy "
        "noeviction."
    ),
    StoreRisk.DROPS_EXPIRING: N_(
        "When the store's memory is full, it drops keys that expire. No user does, but set maxmemory-policy noeviction."
    ),
    StoreRisk.UNKNOWN: N_(
        "Whether a crash or a full memory loses authorizations could not be checked. Ask the store's provider."
    ),
}
SCHEMA_STATE_LABELS: Mapping[str, str] = {
    SchemaState.CURRENT: N_("up to date"),
    SchemaState.EMPTY: N_("missing"),
    SchemaState.BEHIND: N_("older than this version"),
    SchemaState.AHEAD: N_("newer than this version"),
}
