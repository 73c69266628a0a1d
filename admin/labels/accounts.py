"""What the pages call an account's own credentials."""

from collections.abc import Mapping

from admin.web.i18n import N_
from storage.credentials.records import CredentialKind

__all__ = ["CREDENTIAL_LABELS"]

CREDENTIAL_LABELS: Mapping[CredentialKind, str] = {
    CredentialKind.ACCESS_TOKEN: N_("Access token (basic)"),
    CredentialKind.JSAPI_TICKET: N_("JS-SDK ticket"),
    CredentialKind.WX_CARD_TICKET: N_("Card ticket"),
}
