"""An operator's own account: password and sessions."""

from admin.labels.operators import ROLE_LABELS
from admin.operators.sign_in_throttle import Attempt, Throttled
from admin.web.handler import AdminHandler, AdminRoute
from admin.web.inputs import parse_row_id
from admin.web.notices import Notice
from storage.base.password_rules import PasswordFault
from storage.sql.accounts.audit import AuditAction, AuditResult
from storage.sql.accounts.operators import Role
from storage.sql.accounts.provider_operators import is_provider_name

__all__ = ["routes"]

_PAGE = "/admin/me"
_NOTICES = {
    PasswordFault.LENGTH: Notice.PASSWORD_LENGTH,
    PasswordFault.NAME: Notice.PASSWORD_NAME,
    PasswordFault.COMMON: Notice.PASSWORD_COMMON,
}


class OwnAccountHandler(AdminHandler):
    """`GET /admin/me`: who is signed in, and where."""

    requires = Role.VIEWER

    async def get(self) -> None:
        """Show the sessions, and the form for another password."""
        now = self.services.clock.now()
        sessions = await self.run(self.services.sessions.list, self.session.operator_id, now)
        self.render(
            "operators/own_account.html",
            sessions=sessions,
            roles=ROLE_LABELS,
            has_factors=not is_provider_name(self.session.operator),
            has_password=self.services.ways.takes_passwords and not is_provider_name(self.session.operator),
        )


class OwnPasswordHandler(AdminHandler):
    """`POST /admin/me/password`: changes the password; the current one is required."""

    requires = Role.VIEWER

    async def post(self) -> None:
        """Change it and end the other sessions, which may be those of who knew the old one."""
        refusal = await self._refusal()
        if refusal is not None:
            await self.audit(AuditAction.PASSWORD_CHANGE, result=AuditResult.REFUSED)
            self.redirect_with_notice(_PAGE, refusal)
            return
        me, services = self.session, self.services
        password_hash = await services.passwords.hash(self._field("new"))
        await self.run(services.operators.set_password, me.operator, password_hash, services.clock.now())
        ended = await self.run(services.sessions.end_all, me.operator_id, but=me.id)
        await self.audit(AuditAction.PASSWORD_CHANGE, sessions_ended=ended)
        self.redirect_with_notice(_PAGE, Notice.PASSWORD_CHANGED)

    async def _refusal(self) -> Notice | None:
        """Return what stands in the way, if anything does."""
        if self._field("new") != self._field("again"):
            return Notice.PASSWORDS_DIFFER
        me, services = self.session, self.services
        attempt = Attempt(me.operator, self.client_address, f"session {me.id}")
        try:
            await self.run(services.throttle.check, attempt)
        except Throttled:
            return Notice.TOO_MANY_ATTEMPTS
        found = await self.run(services.operators.find, me.operator)
        password_hash = found[1] if found else None
        if not await services.passwords.verify(password_hash, self._field("current"), is_known=True):
            return Notice.PASSWORD_WRONG
        await self.run(services.throttle.forgive, attempt)
        fault = await services.passwords.fault_of(self._field("new"), me.operator)
        return None if fault is None else _NOTICES[fault]

    def _field(self, name: str) -> str:
        return self.get_body_argument(name, "", strip=False)


class EndSessionHandler(AdminHandler):
    """`POST /admin/me/sessions/end`: ends one session of one's own."""

    requires = Role.VIEWER

    async def post(self) -> None:
        """End it."""
        session_id = parse_row_id(self.get_body_argument("id", ""))
        ended = session_id is not None and await self.run(
            self.services.sessions.end, self.session.operator_id, session_id
        )
        if not ended:
            self.redirect_with_notice(_PAGE, Notice.SESSION_ALREADY_ENDED)
            return
        await self.audit(AuditAction.SESSION_END, sessions_ended=1)
        self.redirect_with_notice(_PAGE, Notice.SESSION_ENDED)


class EndOtherSessionsHandler(AdminHandler):
    """`POST /admin/me/sessions/end-others`: leaves only the session that asks."""

    requires = Role.VIEWER

    async def post(self) -> None:
        """End the others."""
        ended = await self.run(self.services.sessions.end_all, self.session.operator_id, but=self.session.id)
        await self.audit(AuditAction.SESSION_END, sessions_ended=ended)
        self.redirect_with_notice(_PAGE, Notice.OTHER_SESSIONS_ENDED)


routes: list[AdminRoute] = [
    (r"/admin/me", OwnAccountHandler),
    (r"/admin/me/password", OwnPasswordHandler),
    (r"/admin/me/sessions/end", EndSessionHandler),
    (r"/admin/me/sessions/end-others", EndOtherSessionsHandler),
]
