"""`SignInBase`: what all ways to sign in share: the page that offers them, and the beginning of a session."""

from http import HTTPStatus

from admin.operators.known_browsers import KNOWN_FOR_DAYS
from admin.operators.sign_in_refusal import SignInRefusal
from admin.operators.sign_in_throttle import Attempt, Throttled
from admin.operators.sign_in_ways import SignInWay
from admin.web.cookies import KNOWN_BROWSER, SESSION
from admin.web.handler import AdminHandler
from admin.web.i18n import N_
from admin.web.links import is_own_path
from storage.sql.accounts.audit import AuditAction, AuditResult
from storage.sql.accounts.operators import Operator

__all__ = ["SignInBase"]

_TOO_OFTEN = N_("Too many attempts. Try again later.")


class SignInBase(AdminHandler):
    """A handler by which a browser signs in, or goes one step on the way. Each says that it requires no role."""

    @property
    def next_path(self) -> str:
        """The page of the dashboard that the browser wants to see."""
        return self.own(self.get_argument("next", ""))

    def show_sign_in(
        self, refusal: str = "", name: str = "", *, first_command: str = "", is_signed_in_there: bool = False
    ) -> None:
        """Show the page that offers all ways to sign in.

        Args:
            refusal: Why the last attempt was refused; `%s` stands for the provider's name.
            name: The user name to begin with.
            first_command: How the first operator is made, where there is none.
            is_signed_in_there: Whether the browser may still be signed in at the provider.
        """
        ways = self.services.ways
        self.render(
            "operators/sign_in.html",
            refusal=refusal,
            name=name,
            next=self.next_path,
            first_command=first_command,
            provider=ways.provider.name if ways.provider else "",
            takes_passwords=ways.takes_passwords,
            takes_passkeys=bool(ways.passkey_origin),
            is_signed_in_there=is_signed_in_there and ways.provider is not None,
        )

    async def is_throttled(self, attempt: Attempt) -> bool:
        """Count an attempt; if it is one too many, say so on the page, and return True."""
        try:
            await self.run(self.services.throttle.check, attempt)
        except Throttled as throttled:
            await self.refuse_for_now(attempt.name, throttled)
            return True
        return False

    async def refuse_for_now(self, name: str, throttled: Throttled) -> None:
        """Answer an attempt too many."""
        if throttled.is_first:
            await self.audit_refusal(SignInRefusal.TOO_MANY_ATTEMPTS)
        self.set_status(HTTPStatus.TOO_MANY_REQUESTS)
        self.set_header("Retry-After", str(throttled.retry_after))
        self.show_sign_in(_TOO_OFTEN, name)

    async def audit_refusal(self, reason: SignInRefusal, subject: str = "") -> None:
        """Write down that somebody was not let in."""
        await self.audit(AuditAction.SIGN_IN, result=AuditResult.REFUSED, operator="", subject=subject, reason=reason)

    async def begin_session(self, operator: Operator, way: SignInWay, *, lacks_factor: bool = False) -> None:
        """Begin a session under a new id, in place of the one that the browser had."""
        now = self.services.clock.now()
        services = self.services
        await self.run(services.sessions.trim, now)
        before = self.session_if_any
        if before is not None:
            await self.run(services.sessions.end, before.operator_id, before.id)
        token = await self.run(
            services.sessions.begin,
            operator.id,
            now,
            self.client_address,
            self.user_agent,
            lacks_factor=lacks_factor,
        )
        await self.run(services.operators.note_sign_in, operator.name, now)
        self.private_cookies.set(SESSION, token)
        self.private_cookies.set(KNOWN_BROWSER, services.known_browsers.remember(operator.name), KNOWN_FOR_DAYS)
        await self.audit(AuditAction.SIGN_IN, operator=operator.name, by=way)

    @staticmethod
    def own(path: str) -> str:
        """Return a path that may be anything, if it is a place of the dashboard; else the dashboard's first page."""
        return path if is_own_path(path) else "/admin/"
