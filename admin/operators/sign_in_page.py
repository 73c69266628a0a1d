"""Signing in and out."""

from http import HTTPStatus

from admin.operators.sign_in_base import SignInBase
from admin.operators.sign_in_refusal import SignInRefusal
from admin.operators.sign_in_throttle import Attempt, Throttled
from admin.operators.sign_in_ways import SignInWay
from admin.operators.step_cookies import Step
from admin.web.cookies import KNOWN_BROWSER, SESSION
from admin.web.errors import PageError
from admin.web.handler import AdminHandler, AdminRoute
from admin.web.i18n import N_
from admin.web.links import link
from storage.base.text import is_text
from storage.sql.accounts.audit import AuditAction
from storage.sql.accounts.operators import Operator, Role
from storage.sql.accounts.provider_operators import is_provider_name

__all__ = ["routes"]

#: Said of everything that can be wrong, so that nobody learns which names exist.
_WRONG = N_("Wrong user name or password.")
#: How the first operator is made, on the server.
_ADD_FIRST = "wechat-openid operators add NAME"


class SignInHandler(SignInBase):
    """`/admin/sign-in`: offers the ways in, and takes names and passwords."""

    requires = None

    async def get(self) -> None:
        """Show the ways in; who is signed in already goes on. Where nobody can, say how the first operator is made."""
        if self.session_if_any is not None:
            self.redirect(self.next_path, status=HTTPStatus.SEE_OTHER)
            return
        ways = self.services.ways
        needs_first = ways.provider is None and not await self.run(self.services.operators.has_any)
        self.show_sign_in(
            first_command=_ADD_FIRST if needs_first else "",
            is_signed_in_there=self.get_query_argument("left", "") == "provider",
        )

    async def post(self) -> None:
        """Begin a session for the right name and password, or ask for the second factor."""
        if not self.services.ways.takes_passwords:
            raise PageError(HTTPStatus.FORBIDDEN, N_("Nobody signs in by a password here."))
        name = self.get_body_argument("name", "")
        password = self.get_body_argument("password", "", strip=False)
        known = self.services.known_browsers.recognize(self.private_cookies.get(KNOWN_BROWSER), name)
        attempt = Attempt(name, self.client_address, known)
        try:
            is_noteworthy = await self.run(self.services.throttle.check, attempt)
        except Throttled as throttled:
            await self.refuse_for_now(name, throttled)
            return
        operator = await self._verified(attempt, password, is_noteworthy=is_noteworthy)
        if operator is None:
            self.set_status(HTTPStatus.UNAUTHORIZED)
            self.show_sign_in(_WRONG, name)
            return
        await self.run(self.services.throttle.forgive, attempt)
        if await self.run(self.services.factors.of, operator.id):
            kept = self.services.steps.write(Step.SECOND_FACTOR, [operator.name, operator.password_changed_at])
            self.private_cookies.set(Step.SECOND_FACTOR, kept)
            self.redirect(link("/admin/sign-in/second", ("next", self.next_path)), status=HTTPStatus.SEE_OTHER)
            return
        await self.begin_session(operator, SignInWay.PASSWORD, lacks_factor=self.services.ways.requires_factor)
        self.redirect(self.next_path, status=HTTPStatus.SEE_OTHER)

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
        await self.audit_refusal(reason, operator.name if operator else "")
        return None

    async def _renew_hash(self, name: str, password_hash: str, password: str) -> None:
        """Keep a hash as strong as those that are made today: the password is at hand only now."""
        renewed = await self.services.passwords.renewed(password_hash, password)
        if renewed is not None:
            await self.run(self.services.operators.renew_hash, name, password_hash, renewed)


class SignOutHandler(AdminHandler):
    """`POST /admin/sign-out`: ends the session."""

    requires = Role.VIEWER
    serves_set_up = True

    async def post(self) -> None:
        """End it here and on the server."""
        await self.run(self.services.sessions.end, self.session.operator_id, self.session.id)
        await self.audit(AuditAction.SIGN_OUT)
        self.private_cookies.clear(SESSION)
        left = "provider" if is_provider_name(self.session.operator) else None
        self.redirect(link("/admin/sign-in", ("left", left)), status=HTTPStatus.SEE_OTHER)


routes: list[AdminRoute] = [
    (r"/admin/sign-in", SignInHandler),
    (r"/admin/sign-out", SignOutHandler),
]
