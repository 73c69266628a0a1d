"""The accounts: how each is set up, and how it stands with WeChat."""

from http import HTTPStatus

from admin.services import AccountCheck, AccountCheckResult, AccountSummary
from admin.web.errors import PageError
from admin.web.handler import AdminHandler, AdminRoute
from admin.web.i18n import N_
from storage.sql.accounts.audit import AuditAction, AuditResult
from storage.sql.accounts.operators import Role

__all__ = ["routes"]


class AccountsHandler(AdminHandler):
    """`GET /admin/accounts`: all of them."""

    requires = Role.OWNER

    def get(self) -> None:
        """List them."""
        accounts = self.services.accounts
        paused = {pause.appid for pause in accounts.pauses()}
        self.render("accounts/list.html", accounts=accounts.summaries, paused=paused)


class _OneAccountHandler(AdminHandler):
    """About the account that the path names."""

    requires = Role.OWNER

    async def show(self, appid: str, check: AccountCheck | None = None) -> None:
        """Show the account, and what a check has found."""
        files = await self.run(self.services.accounts.verification_files)
        self.render(
            "accounts/account.html",
            account=self.account(appid),
            pauses=[pause for pause in self.services.accounts.pauses() if pause.appid == appid],
            files=files,
            check=check,
            AccountCheckResult=AccountCheckResult,
        )

    def account(self, appid: str) -> AccountSummary:
        """Return the account of an appid.

        Raises:
            PageError: There is none.
        """
        for account in self.services.accounts.summaries:
            if account.appid == appid:
                return account
        raise PageError(HTTPStatus.NOT_FOUND, N_("There is no such account."))


class AccountHandler(_OneAccountHandler):
    """`GET /admin/accounts/{appid}`: its settings without the secret, and its pauses."""

    requires = Role.OWNER

    async def get(self, appid: str) -> None:
        """Show it."""
        await self.show(appid)


class CheckAccountHandler(_OneAccountHandler):
    """`POST /admin/accounts/{appid}/check`: asks WeChat whether appid, secret and this server's address are good."""

    requires = Role.OWNER

    async def post(self, appid: str) -> None:
        """Check, and show what was found."""
        check = await self.services.accounts.check(self.account(appid).appid)
        result = AuditResult.SUCCESS if check.result is AccountCheckResult.ACCEPTED else AuditResult.FAILED
        await self.audit(AuditAction.ACCOUNT_CHECK, result=result, appid=appid, errcode=check.errcode)
        await self.show(appid, check)


routes: list[AdminRoute] = [
    (r"/admin/accounts", AccountsHandler),
    (r"/admin/accounts/([A-Za-z0-9_-]{1,64})", AccountHandler),
    (r"/admin/accounts/([A-Za-z0-9_-]{1,64})/check", CheckAccountHandler),
]
