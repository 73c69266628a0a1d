"""What the pages call operators' roles and second factors."""

from collections.abc import Mapping

from admin.web.i18n import N_
from storage.sql.accounts.operators import Role

__all__ = ["FACTOR_LABELS", "ROLE_LABELS", "ROLE_MEANINGS"]

ROLE_LABELS: Mapping[str, str] = {
    Role.VIEWER: N_("Viewer"),
    Role.OPERATOR: N_("Operator"),
    Role.OWNER: N_("Owner"),
}
ROLE_MEANINGS: Mapping[str, str] = {
    Role.VIEWER: N_("Can see the overview and the users."),
    Role.OPERATOR: N_("Can also act on users and read the audit log."),
    Role.OWNER: N_("Can also manage the team, API keys and accounts."),
}
#: As the audit log keeps them.
FACTOR_LABELS: Mapping[str, str] = {
    "app": N_("authenticator app"),
    "passkey": N_("passkey"),
}
