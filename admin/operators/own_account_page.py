"""What operators do about themselves: their password and their sessions."""

from admin.labels.audit import ROLES
from admin.operators.sign_in_throttle import Throttled
from admin.web.handler import AdminHandler, AdminRoute
from storage.base.passwords import LONGEST_PASSWORD, SHORTEST_PASSWORD
from storage.sql.accounts.audit import AuditAction, AuditResult
from storage.sql.accounts.operators import Role

__all__ = ["routes"]

_PAGE = "/admin/me"


class OwnAccountHandler(AdminHandler):
    """`GET /admin/me`: who is signed in, and where."""

    requires = Role.VIEWER

    async def get(self) -> None:
        """Show the sessions, and the form for another password."""
        now = self.services.clock.now()
        sessions = await self.run(self.services.sessions.list, self.operator.operator_id, now)
        self.render("operators/own_account.html", sessions=sessions, roles=ROLES)


class OwnPasswordHandler(AdminHandler):
    """`POST /admin/me/password`: another password, for who knows the present one."""

    requires = Role.VIEWER

    async def post(self) -> None:
        """Change it and end the other sessions, which may be those of who knew the old one."""
        refusal = await self._refusal()
        if refusal:
            await self.audit(AuditAction.PASSWORD_CHANGE, result=AuditResult.REFUSED)
            self.redirect_with_notice(_PAGE, refusal, good=False)
            return
        me, services = self.operator, self.services
        password_hash = await services.passwords.hash(self._field("new"))
        await self.run(services.operators.set_password, me.operator, password_hash, services.clock.now())
        ended = await self.run(services.sessions.end_all, me.operator_id, but=me.id)
        await self.audit(AuditAction.PASSWORD_CHANGE, sessions_ended=ended)
        self.redirect_with_notice(_PAGE, "Your password is changed. Your other sessions have ended.")

    async def _refusal(self) -> str:
        """Return what stands in the way; empty for nothing."""
        if self._field("new") != self._field("again"):
            return "The two new passwords differ."
        if not SHORTEST_PASSWORD <= len(self._field("new")) <= LONGEST_PASSWORD:
            return "A password has 12 to 256 characters."
        try:
            await self.run(self.services.throttle.check, self.operator.operator, self.client_address)
        except Throttled:
            return "Too many attempts. Try again later."
        found = await self.run(self.services.operators.find, self.operator.operator)
        if not await self.services.passwords.verify(found[1] if found else None, self._field("current")):
            return "The present password is wrong."
        await self.run(self.services.throttle.forgive, self.operator.operator)
        return ""

    def _field(self, name: str) -> str:
        return self.get_body_argument(name, "", strip=False)


class EndSessionHandler(AdminHandler):
    """`POST /admin/me/sessions/end`: ends one session of one's own."""

    requires = Role.VIEWER

    async def post(self) -> None:
        """End it."""
        number = self.get_body_argument("id", "")
        ended = (
            number.isascii()
            and number.isdigit()
            and await self.run(self.services.sessions.end, self.operator.operator_id, int(number[:18]))
        )
        if not ended:
            self.redirect_with_notice(_PAGE, "This session had ended already.", good=False)
            return
        await self.audit(AuditAction.SESSION_END, sessions_ended=1)
        self.redirect_with_notice(_PAGE, "The session has ended.")


class EndOtherSessionsHandler(AdminHandler):
    """`POST /admin/me/sessions/end-others`: leaves only the session that asks."""

    requires = Role.VIEWER

    async def post(self) -> None:
        """End the others."""
        ended = await self.run(self.services.sessions.end_all, self.operator.operator_id, but=self.operator.id)
        await self.audit(AuditAction.SESSION_END, sessions_ended=ended)
        self.redirect_with_notice(_PAGE, "Your other sessions have ended.")


routes: list[AdminRoute] = [
    (r"/admin/me", OwnAccountHandler),
    (r"/admin/me/password", OwnPasswordHandler),
    (r"/admin/me/sessions/end", EndSessionHandler),
    (r"/admin/me/sessions/end-others", EndOtherSessionsHandler),
]
