"""What the overview calls activity, failures, and the state of the tables."""

from collections.abc import Mapping

from admin.overview.verdict import Health, Work
from admin.services import Concern
from admin.web.i18n import N_
from storage.activity import ActivityKind
from storage.base.risks import StoreRisk
from storage.base.schema_report import SchemaState

__all__ = [
    "ACTIVITY_LABELS",
    "BROKEN_LABELS",
    "CALL_LABELS",
    "CHART_TITLES_PER_DAY",
    "CHART_TITLES_PER_HOUR",
    "CONCERN_LABELS",
    "CONCERN_MEANINGS",
    "HEADLINES",
    "HEALTH_LABELS",
    "HEALTH_TONES",
    "RISK_LABELS",
    "SCHEMA_STATE_LABELS",
    "SOME_BROKEN_HEADLINE",
    "STORE_DOWN_HEADLINE",
    "WORK_LABELS",
    "WORK_LABELS_THIS_HOUR",
]

#: What is counted.
ACTIVITY_LABELS: Mapping[str, str] = {
    ActivityKind.AUTHORIZED: N_("Authorizations"),
    ActivityKind.REFRESHED: N_("Refreshes"),
    ActivityKind.REFRESH_FAILED: N_("Failed refreshes"),
    ActivityKind.REAUTHORIZATION_REQUIRED: N_("Re-authorization required"),
    ActivityKind.EXCHANGE_FAILED: N_("Failed logins"),
}
#: What a call to WeChat is for, by its endpoint.
CALL_LABELS: Mapping[str, str] = {
    "access_token": N_("Login (code exchange)"),
    "refresh_token": N_("Token refresh"),
    "userinfo": N_("Profile"),
    "auth": N_("Token check"),
    "stable_token": N_("Account's access token"),
    "getticket": N_("JS-SDK and card tickets"),
}
#: What comes of it while calls to an endpoint fail.
BROKEN_LABELS: Mapping[str, str] = {
    "access_token": N_("Logins fail"),
    "refresh_token": N_("Refreshes fail"),
    "userinfo": N_("Profiles cannot be fetched"),
    "auth": N_("Tokens cannot be checked"),
    "stable_token": N_("The account's access token cannot be fetched"),
    "getticket": N_("JS-SDK and card tickets cannot be fetched"),
}
WORK_LABELS: Mapping[str, str] = {Work.LOGIN: N_("Logins"), Work.REFRESH: N_("Refreshes")}
WORK_LABELS_THIS_HOUR: Mapping[str, str] = {
    Work.LOGIN: N_("Logins this hour"),
    Work.REFRESH: N_("Refreshes this hour"),
}
HEALTH_LABELS: Mapping[str, str] = {
    Health.FAILING: N_("Failing"),
    Health.PARTLY: N_("Partly failing"),
    Health.WORKS: N_("OK"),
    Health.IDLE: N_("None yet"),
}
#: How badges and notices show them.
HEALTH_TONES: Mapping[str, str] = {Health.FAILING: "bad", Health.PARTLY: "warn", Health.WORKS: "good", Health.IDLE: ""}
#: The overview in a sentence, by what goes worst: how logins are doing, then how refreshes are.
HEADLINES: Mapping[tuple[str, str], str] = {
    (Work.LOGIN, Health.FAILING): N_("Nobody can log in"),
    (Work.LOGIN, Health.PARTLY): N_("Some logins fail"),
    (Work.REFRESH, Health.FAILING): N_("Logins work, but tokens are not refreshed"),
    (Work.REFRESH, Health.PARTLY): N_("Logins work, but some refreshes fail"),
    (Work.LOGIN, Health.WORKS): N_("Logins and refreshes work"),
    (Work.LOGIN, Health.IDLE): N_("No logins yet"),
}
#: Where nobody can log in at some accounts, but at others.
SOME_BROKEN_HEADLINE = N_("Nobody can log in at %(broken)s of %(all)s accounts")
STORE_DOWN_HEADLINE = N_("The token store does not answer: nobody can log in")
CONCERN_LABELS: Mapping[str, str] = {
    Concern.OPERATOR: N_("Act now"),
    Concern.VISITOR: N_("Visitors' own"),
    Concern.NOBODY: N_("Resolved by itself"),
}
CONCERN_MEANINGS: Mapping[str, str] = {
    Concern.OPERATOR: N_("configuration, blocked account, network"),
    Concern.VISITOR: N_("codes used twice or expired, authorizations taken back"),
    Concern.NOBODY: N_("the service tries again"),
}
CHART_TITLES_PER_HOUR: Mapping[str, str] = {
    ActivityKind.AUTHORIZED: N_("Authorizations per hour"),
    ActivityKind.REFRESHED: N_("Refreshes per hour"),
}
CHART_TITLES_PER_DAY: Mapping[str, str] = {
    ActivityKind.AUTHORIZED: N_("Authorizations per day"),
    ActivityKind.REFRESHED: N_("Refreshes per day"),
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
