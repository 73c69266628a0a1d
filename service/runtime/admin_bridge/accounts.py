"""`OfficialAccounts`: the accounts of the settings without their secrets, and what WeChat says about them."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode

from admin.services import AccountCheck, AccountCheckResult, AccountSummary, Concern, ErrcodeText, ForcedToken
from service.http.origins import origin_of
from service.http.qr_code import qr_code_element
from service.runtime.background.call_log import CallLog
from service.tokens.account_credentials import AccountCredentials, CredentialUnavailable
from service.tokens.breaker import Breaker
from service.tokens.forced_tokens import ForceRefused
from service.wechat.account_check import CheckStatus, check_account
from service.wechat.client import WeChatClient
from service.wechat.errcodes import concern_of, remedy_of, summary_of
from service.wechat.protocol import Account, AccountKind
from storage.credentials.records import Credential
from storage.pauses import AccountPause

__all__ = ["OfficialAccounts"]


class OfficialAccounts:
    """The accounts of the settings, and what WeChat says about them: the dashboard's `Accounts`.

    Args:
        accounts: The accounts, whose secrets never leave this object.
        calls: Records how checks end, as it does for other calls.
        credentials: Keeps the accounts' own credentials.
        verification_folder: Where the verification files are, if anywhere.
        public_url: The service's own address; empty where it is not known.
        allowed_origins: Those of pages that use the service.
    """

    def __init__(
        self,
        accounts: Sequence[Account],
        client: WeChatClient,
        calls: CallLog,
        breaker: Breaker,
        verification_folder: Path | None,
        *,
        credentials: AccountCredentials,
        public_url: str = "",
        allowed_origins: Sequence[str] = (),
    ) -> None:
        self._accounts = {account.appid: account for account in accounts}
        self._client = client
        self._calls = calls
        self._breaker = breaker
        self._credentials = credentials
        self._verification_folder = verification_folder
        self._public_url = public_url.rstrip("/")
        self._allowed_origins = allowed_origins

    @property
    def summaries(self) -> Sequence[AccountSummary]:
        """All accounts, in the order of the settings."""
        return [
            AccountSummary(
                account.appid,
                account.name or account.appid,
                is_official=account.kind is AccountKind.OFFICIAL,
                takes_events=bool(account.event_token),
                forwards_to=account.event_forward_address,
            )
            for account in self._accounts.values()
        ]

    def pauses(self) -> Sequence[AccountPause]:
        """Return the pauses that this process knows of."""
        return self._breaker.pauses()

    async def check(self, appid: str) -> AccountCheck:
        """Ask WeChat whether an account's appid, secret and this server's address are good."""
        check = await check_account(self._client, self._accounts[appid])
        await self._calls.flush()  # so that the next page, in whichever process, shows it
        match check.status:
            case CheckStatus.GOOD:
                return AccountCheck(AccountCheckResult.ACCEPTED)
            case CheckStatus.WARNING:
                return AccountCheck(AccountCheckResult.NOT_WECHAT)
            case CheckStatus.BAD:
                return AccountCheck(AccountCheckResult.REFUSED, check.errcode)

    async def credentials(self, appid: str) -> Sequence[Credential]:
        """Return an account's own credentials, sealed; none where the store keeps none."""
        return await self._credentials.status(appid)

    async def force_token(self, appid: str, by: str) -> ForcedToken:
        """Make WeChat end an account's access token and give another; see `AccountCredentials.force`."""
        try:
            await self._credentials.force(appid, by)
        except ForceRefused as error:
            return ForcedToken(succeeded=False, retry_after=error.retry_after)
        except CredentialUnavailable as error:
            return ForcedToken(succeeded=False, errcode=error.errcode, retry_after=error.retry_after)
        return ForcedToken(succeeded=True)

    def verification_files(self) -> Sequence[str]:
        """Return the names of the files by which WeChat checks the domains of pages. Blocking."""
        folder = self._verification_folder
        return sorted(path.name for path in folder.glob("MP_verify_*.txt")) if folder is not None else []

    def authorize_link(self, appid: str, *, profile: bool) -> str:
        """Return where a user of an account authorizes; empty where PUBLIC_URL is not set, or the account is gone.

        The service exchanges the code itself (`flow=callback`), whatever is on the page to which the user comes
        afterwards: the front page of the first allowed origin, or of the service.
        """
        account = self._accounts.get(appid)
        if not self._public_url or account is None:
            return ""
        origin = next(iter(self._allowed_origins), None) or origin_of(f"{self._public_url}/")
        arguments = {
            "appid": appid,
            "scope": account.scopes[-1 if profile else 0],
            "flow": "callback",
            "redirect_uri": f"{origin}/",
        }
        return f"{self._public_url}/authorize?{urlencode(arguments)}"

    def authorize_picture(self, appid: str, *, profile: bool) -> str:
        """Return the QR code of `authorize_link` as an element of HTML; empty where there is no link. Blocking."""
        address = self.authorize_link(appid, profile=profile)
        return (qr_code_element(address) or "") if address else ""

    def explain(self, errcode: int | None, locale: str, endpoint: str | None) -> ErrcodeText:
        """Return what a failed call means; see `remedy_of` for the arguments."""
        return ErrcodeText(summary_of(errcode, locale), remedy_of(errcode, locale, endpoint))

    def concern(self, errcode: int | None, endpoint: str) -> Concern:
        """Return who must act on a failed call; see `concern_of` for the arguments."""
        return Concern(concern_of(errcode, endpoint))
