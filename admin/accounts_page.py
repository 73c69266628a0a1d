"""The accounts: how each is set up, and how it stands with WeChat."""

from http import HTTPStatus

from admin.services import AccountSummary, ActionOutcome
from admin.web.handler import AdminHandler, AdminRoute, Refused
from storage.sql.accounts.audit import AuditAction, AuditResult
from storage.sql.accounts.operators import Role

__all__ = ["routes"]


class AccountsHandler(AdminHandler):
    """`GET /admin/accounts`: all of them."""

    requires = Role.OWNER

    def get(self) -> None:
        """List them."""
        paused = {pause.appid for pause in self.services.pauses()}
        self.render("accounts/list.html", accounts=self.services.accounts, paused=paused)


class _OneAccountHandler(AdminHandler):
    """About the account that the path names."""

    requires = Role.OWNER

    async def show(self, appid: str, check: ActionOutcome | None = None) -> None:
        """Show the account, and what a check has found."""
        files = await self.run(self.services.verification_files)
        self.render(
            "accounts/account.html",
            account=self.account(appid),
            pauses=[pause for pause in self.services.pauses() if pause.appid == appid],
            files=files,
            check=check,
            remedy=lambda errcode, endpoint: self.services.remedy(errcode, self.locale.code, endpoint),
            summary=lambda errcode: self.services.summary(errcode, self.locale.code),
        )

    def account(self, appid: str) -> AccountSummary:
        """Return the account of an appid.

        Raises:
            Refused: There is none.
        """
        for account in self.services.accounts:
            if account.appid == appid:
                return account
        raise Refused(HTTPStatus.NOT_FOUND, "There is no such account.")


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
        outcome = await self.services.examine_account(self.account(appid).appid)
        result = AuditResult.SUCCESS if outcome.succeeded else AuditResult.FAILED
        await self.audit(AuditAction.ACCOUNT_CHECK, result=result, appid=appid, errcode=outcome.errcode)
        await self.show(appid, outcome)


routes: list[AdminRoute] = [
    (r"/admin/accounts", AccountsHandler),
    (r"/admin/accounts/([A-Za-z0-9_-]{1,64})", AccountHandler),
    (r"/admin/accounts/([A-Za-z0-9_-]{1,64})/check", CheckAccountHandler),
]
