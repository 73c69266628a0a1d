"""Signing in and out."""

from http import HTTPStatus

from admin.operators.known_browsers import KNOWN_FOR_DAYS
from admin.operators.sign_in_refusal import SignInRefusal
from admin.operators.sign_in_throttle import Attempt, Throttled
from admin.web.cookies import KNOWN_BROWSER, SESSION
from admin.web.handler import AdminHandler, AdminRoute
from admin.web.i18n import N_
from admin.web.links import is_own_path
from storage.base.text import is_text
from storage.sql.accounts.audit import AuditAction, AuditResult
from storage.sql.accounts.operators import Operator, Role

__all__ = ["routes"]

#: Said of everything that can be wrong, so that nobody learns which names exist.
_WRONG = N_("Wrong user name or password.")
_TOO_OFTEN = N_("Too many attempts. Try again later.")
#: How the first operator is made, on the server.
_ADD_FIRST = "wechat-openid operators add NAME"


class SignInHandler(AdminHandler):
    """`/admin/sign-in`: asks for name and password, and begins a session."""

    requires = None

    async def get(self) -> None:
        """Show the form; who is signed in already goes on. Where nobody can, say how the first operator is made."""
        if self.session_if_any is not None:
            self.redirect(self._next(), status=HTTPStatus.SEE_OTHER)
            return
        self._show(first_command="" if await self.run(self.services.operators.has_any) else _ADD_FIRST)

    async def post(self) -> None:
        """Begin a session, under a new id, for the right name and password."""
        name = self.get_body_argument("name", "")
        password = self.get_body_argument("password", "", strip=False)
        known = self.services.known_browsers.recognize(self.private_cookies.get(KNOWN_BROWSER), name)
        attempt = Attempt(name, self.client_address, known)
        try:
            is_noteworthy = await self.run(self.services.throttle.check, attempt)
        except Throttled as throttled:
            await self._refuse_for_now(name, throttled)
            return
        operator = await self._verified(attempt, password, is_noteworthy=is_noteworthy)
        if operator is None:
            self.set_status(HTTPStatus.UNAUTHORIZED)
            self._show(_WRONG, name)
            return
        await self.run(self.services.throttle.forgive, attempt)
        await self._begin_session(operator)
        self.redirect(self._next(), status=HTTPStatus.SEE_OTHER)

    async def _verified(self, attempt: Attempt, password: str, *, is_noteworthy: bool) -> Operator | None:
        """Return the operator if name and password are right.

        Every other case costs the same, and is written down unless it is one of a flood.
        """
        # No operator has a name that cannot be stored; trying it costs what any wrong name does.
        found = await self.run(self.services.operators.find, attempt.name if is_text(attempt.name) else "")
        operator, password_hash = found or (None, None)
        is_known = attempt.known_browser is not None
        is_right = await self.services.passwords.verify(password_hash, password, is_known=is_known)
        if operator is not None and is_right and operator.disabled_at is None:
            await self._renew_hash(operator.name, str(password_hash), password)
            return operator
        if not is_noteworthy:
            return None
        # What was typed as an unknown name may be a password, typed one field too early.
        if operator is None:
            reason = SignInRefusal.UNKNOWN_NAME
        else:
            reason = SignInRefusal.DISABLED if is_right else SignInRefusal.WRONG_PASSWORD
        await self.audit(
            AuditAction.SIGN_IN,
            result=AuditResult.REFUSED,
            operator="",
            subject=operator.name if operator else "",
            reason=reason,
        )
        return None

    async def _renew_hash(self, name: str, password_hash: str, password: str) -> None:
        """Keep a hash as strong as those that are made today: the password is at hand only now."""
        renewed = await self.services.passwords.renewed(password_hash, password)
        if renewed is not None:
            await self.run(self.services.operators.renew_hash, name, password_hash, renewed)

    async def _refuse_for_now(self, name: str, throttled: Throttled) -> None:
        if throttled.is_first:
            await self.audit(
                AuditAction.SIGN_IN,
                result=AuditResult.REFUSED,
                operator="",
                reason=SignInRefusal.TOO_MANY_ATTEMPTS,
            )
        self.set_status(HTTPStatus.TOO_MANY_REQUESTS)
        self.set_header("Retry-After", str(throttled.retry_after))
        self._show(_TOO_OFTEN, name)

    async def _begin_session(self, operator: Operator) -> None:
        now = self.services.clock.now()
        services = self.services
        await self.run(services.sessions.trim, now)
        before = self.session_if_any
        if before is not None:
            await self.run(services.sessions.end, before.operator_id, before.id)
        token = await self.run(services.sessions.begin, operator.id, now, self.client_address, self.user_agent)
        await self.run(services.operators.note_sign_in, operator.name, now)
        self.private_cookies.set(SESSION, token)
        self.private_cookies.set(KNOWN_BROWSER, services.known_browsers.remember(operator.name), KNOWN_FOR_DAYS)
        await self.audit(AuditAction.SIGN_IN, operator=operator.name)

    def _next(self) -> str:
        asked = self.get_argument("next", "")
        return asked if is_own_path(asked) else "/admin/"

    def _show(self, refusal: str = "", name: str = "", *, first_command: str = "") -> None:
        self.render(
            "operators/sign_in.html", refusal=refusal, name=name, next=self._next(), first_command=first_command
        )


class SignOutHandler(AdminHandler):
    """`POST /admin/sign-out`: ends the session."""

    requires = Role.VIEWER

    async def post(self) -> None:
        """End it here and on the server."""
        await self.run(self.services.sessions.end, self.session.operator_id, self.session.id)
        await self.audit(AuditAction.SIGN_OUT)
        self.private_cookies.clear(SESSION)
        self.redirect("/admin/sign-in", status=HTTPStatus.SEE_OTHER)


routes: list[AdminRoute] = [
    (r"/admin/sign-in", SignInHandler),
    (r"/admin/sign-out", SignOutHandler),
]
