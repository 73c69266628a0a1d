"""An operator's second factors: the authenticator app and the recovery codes."""

from http import HTTPStatus
from urllib.parse import urlsplit

from admin.operators.factors.own_factors import OwnFactorsHandler
from admin.operators.factors.totp import new_secret, qr_svg, setup_address, step_of
from admin.operators.sign_in_throttle import Attempt, Throttled
from admin.web.handler import AdminRoute
from admin.web.i18n import N_
from admin.web.navigation import FACTORS_PAGE
from admin.web.notices import Notice
from storage.base.errors import InvalidRecord
from storage.sql.accounts.audit import AuditAction
from storage.sql.accounts.operators import Role

__all__ = ["routes"]

_WRONG = N_("This code is wrong. Is the clock of the phone right?")


class FactorsHandler(OwnFactorsHandler):
    """`GET /admin/me/factors`: what there is, and what can be added."""

    requires = Role.VIEWER

    async def get(self) -> None:
        """Show it."""
        ways = self.services.ways
        self.render(
            "operators/own_factors.html",
            factors=await self.run(self.services.factors.of, self.session.operator_id),
            is_required=ways.requires_factor,
            takes_passkeys=bool(ways.passkey_origin),
            is_fresh=self.is_fresh,
        )


class BeginTotpHandler(OwnFactorsHandler):
    """`POST /admin/me/factors/app/begin`: a secret for an authenticator app."""

    requires = Role.VIEWER

    async def post(self) -> None:
        """Make it and show it, until a code of it has come back."""
        if self.refuse_stale():
            return
        secret = new_secret()
        try:
            await self.run(self.services.factors.totp.propose, self.session.operator_id, secret)
        except InvalidRecord:
            self.redirect_with_notice(FACTORS_PAGE, Notice.FACTOR_IS_THERE)
            return
        await show_secret(self, secret)


class AddTotpHandler(OwnFactorsHandler):
    """`POST /admin/me/factors/app`: puts the app in force by a code of it."""

    requires = Role.VIEWER

    async def post(self) -> None:
        """Put it in force, or show the secret again."""
        if self.refuse_stale():
            return
        me, services = self.session, self.services
        secret = await self.run(services.factors.totp.proposed, me.operator_id)
        if secret is None:
            self.redirect_with_notice(FACTORS_PAGE, Notice.FACTOR_NOT_THERE)
            return
        attempt = Attempt(me.operator, self.client_address, f"session {me.id}", is_second_factor=True)
        try:
            await self.run(services.throttle.check, attempt)
        except Throttled:
            self.redirect_with_notice(FACTORS_PAGE, Notice.TOO_MANY_ATTEMPTS)
            return
        now = services.clock.now()
        step = step_of(secret, self.get_body_argument("code", ""), now)
        if step is None:
            self.set_status(HTTPStatus.BAD_REQUEST)
            await show_secret(self, secret, _WRONG)
            return
        await self.run(services.throttle.forgive, attempt)
        entry = self.audit_entry(AuditAction.FACTOR_ADD, factor="app")
        if not await self.run(services.factors.totp.set_up, me.operator_id, step, now, entry):
            self.redirect_with_notice(FACTORS_PAGE, Notice.FACTOR_NOT_THERE)
            return
        await self.finish_set_up()


class RemoveTotpHandler(OwnFactorsHandler):
    """`POST /admin/me/factors/app/remove`: takes the app away."""

    requires = Role.VIEWER

    async def post(self) -> None:
        """Take it away."""
        if not self.refuse_stale():
            await self.remove(self.services.factors.totp.remove, factor="app")


class RecoveryCodesHandler(OwnFactorsHandler):
    """`POST /admin/me/factors/recovery-codes`: new recovery codes, in place of the old ones."""

    requires = Role.VIEWER

    async def post(self) -> None:
        """Make and show them, where there is a factor that they stand for."""
        if self.refuse_stale():
            return
        if not await self.run(self.services.factors.of, self.session.operator_id):
            self.redirect_with_notice(FACTORS_PAGE, Notice.FACTOR_NOT_THERE)
            return
        await self.show_new_codes()


async def show_secret(handler: OwnFactorsHandler, secret: str, refusal: str = "") -> None:
    """Show a secret that is not in force yet, as text and as a QR code."""
    host = urlsplit(handler.services.origins.own_origin(handler.request)).hostname or "dashboard"
    address = setup_address(secret, handler.session.operator, host)
    handler.render(
        "operators/app_set_up.html",
        secret=secret,
        qr=await handler.run(qr_svg, address),
        refusal=refusal,
        back=FACTORS_PAGE,
    )


routes: list[AdminRoute] = [
    (r"/admin/me/factors", FactorsHandler),
    (r"/admin/me/factors/app/begin", BeginTotpHandler),
    (r"/admin/me/factors/app", AddTotpHandler),
    (r"/admin/me/factors/app/remove", RemoveTotpHandler),
    (r"/admin/me/factors/recovery-codes", RecoveryCodesHandler),
]
