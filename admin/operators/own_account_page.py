"""What operators do about themselves: their password and their sessions."""

from admin.labels.operators import ROLE_LABELS
from admin.operators.sign_in_throttle import Throttled
from admin.web.handler import AdminHandler, AdminRoute
from admin.web.inputs import parse_row_id
from admin.web.notices import Notice
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
        sessions = await self.run(self.services.sessions.list, self.session.operator_id, now)
        self.render("operators/own_account.html", sessions=sessions, roles=ROLE_LABELS)


class OwnPasswordHandler(AdminHandler):
    """`POST /admin/me/password`: another password, for whoever knows the current one."""

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
        if not SHORTEST_PASSWORD <= len(self._field("new")) <= LONGEST_PASSWORD:
            return Notice.PASSWORD_LENGTH
        try:
            await self.run(self.services.throttle.check, self.session.operator, self.client_address)
        except Throttled:
            return Notice.TOO_MANY_ATTEMPTS
        found = await self.run(self.services.operators.find, self.session.operator)
        if not await self.services.passwords.verify(found[1] if found else None, self._field("current")):
            return Notice.PASSWORD_WRONG
        await self.run(self.services.throttle.forgive, self.session.operator)
        return None

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
