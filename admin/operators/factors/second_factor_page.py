"""The step after the right password: a code of the authenticator app, or a recovery code."""

from http import HTTPStatus

from admin.operators.factors.totp import step_of
from admin.operators.sign_in_base import SignInBase
from admin.operators.sign_in_refusal import SignInRefusal
from admin.operators.sign_in_throttle import Attempt, Throttled
from admin.operators.sign_in_ways import SignInWay
from admin.operators.step_cookies import Step
from admin.web.cookies import KNOWN_BROWSER
from admin.web.handler import AdminRoute
from admin.web.i18n import N_
from storage.sql.accounts.factors.recovery_codes import looks_like_code
from storage.sql.accounts.operators import Operator

__all__ = ["routes"]

_WRONG = N_("This code is wrong, or was used before.")
_TOO_OFTEN = N_("Too many attempts. Try again later.")


class SecondFactorHandler(SignInBase):
    """`/admin/sign-in/second`: asks for the second factor of an operator whose password was right."""

    requires = None

    async def get(self) -> None:
        """Ask for it; who has not given a password lately begins anew."""
        operator = await self._operator()
        if operator is None:
            self.redirect("/admin/sign-in", status=HTTPStatus.SEE_OTHER)
            return
        await self._show(operator)

    async def post(self) -> None:
        """Begin a session for a good code."""
        operator = await self._operator()
        if operator is None:
            self.redirect("/admin/sign-in", status=HTTPStatus.SEE_OTHER)
            return
        known = self.services.known_browsers.recognize(self.private_cookies.get(KNOWN_BROWSER), operator.name)
        attempt = Attempt(operator.name, self.client_address, known, is_second_factor=True)
        try:
            await self.run(self.services.throttle.check, attempt)
        except Throttled as throttled:
            self.set_status(HTTPStatus.TOO_MANY_REQUESTS)
            self.set_header("Retry-After", str(throttled.retry_after))
            if throttled.is_first:
                await self.audit_refusal(SignInRefusal.TOO_MANY_ATTEMPTS, operator.name)
            await self._show(operator, _TOO_OFTEN)
            return
        way = await self._way_of(operator, self.get_body_argument("code", ""))
        if way is None:
            await self.audit_refusal(SignInRefusal.WRONG_CODE, operator.name)
            self.set_status(HTTPStatus.UNAUTHORIZED)
            await self._show(operator, _WRONG)
            return
        await self.run(self.services.throttle.forgive, attempt)
        self.private_cookies.clear(Step.SECOND_FACTOR)
        await self.begin_session(operator, way)
        self.redirect(self.next_path, status=HTTPStatus.SEE_OTHER)

    async def _operator(self) -> Operator | None:
        """Return who has given the right password in this browser, unless it was changed meanwhile."""
        kept = self.services.steps.read(Step.SECOND_FACTOR, self.private_cookies.get(Step.SECOND_FACTOR))
        match kept:
            case [str(name), int(password_changed_at)] if self.services.ways.takes_passwords:
                found = await self.run(self.services.operators.find, name)
            case _:
                return None
        if found is None or found[0].disabled_at is not None or found[0].password_changed_at != password_changed_at:
            return None
        return found[0]

    async def _way_of(self, operator: Operator, code: str) -> SignInWay | None:
        """Return by what a code lets the operator in; it is used up then. None for a wrong one."""
        factors = self.services.factors
        if looks_like_code(code):
            is_good = await self.run(factors.recovery_codes.use, operator.id, code)
            return SignInWay.RECOVERY_CODE if is_good else None
        secret = await self.run(factors.totp.find, operator.id)
        step = None if secret is None else step_of(secret, code, self.services.clock.now())
        if step is None or not await self.run(factors.totp.use, operator.id, step):
            return None
        return SignInWay.APP_CODE

    async def _show(self, operator: Operator, refusal: str = "") -> None:
        self.render(
            "operators/second_factor.html",
            refusal=refusal,
            next=self.next_path,
            factors=await self.run(self.services.factors.of, operator.id),
            takes_passkeys=bool(self.services.ways.passkey_origin),
        )


routes: list[AdminRoute] = [(r"/admin/sign-in/second", SecondFactorHandler)]
