"""An operator's passkeys: adding and removing them."""

from admin.labels.browsers import describe_browser
from admin.operators.factors.own_factors import OwnFactorsHandler
from admin.operators.factors.passkey_handler import PasskeyHandler, logger
from admin.operators.factors.refused import PasskeyRefused
from admin.web.handler import AdminRoute
from admin.web.i18n import N_
from admin.web.inputs import parse_row_id, parse_text
from admin.web.navigation import FACTORS_PAGE
from admin.web.notices import Notice
from storage.base.errors import InvalidRecord
from storage.sql.accounts.audit import AuditAction
from storage.sql.accounts.operators import Role

__all__ = ["routes"]

_LONGEST_NAME = 64


class BeginPasskeyHandler(OwnFactorsHandler, PasskeyHandler):
    """`POST /admin/me/factors/passkeys/begin`: what a browser is given to make a passkey."""

    requires = Role.VIEWER

    async def post(self) -> None:
        """Give it to the script of the page."""
        if self.refuse_stale():
            return
        me = self.session
        ceremonies = await self.run(self.ceremonies)
        existing = await self.run(self.services.factors.passkeys.list, me.operator_id)
        challenge = self.new_challenge(_purpose(me.operator_id))
        self.write_options(ceremonies.creation_options(me.operator_id, me.operator, existing, challenge))


class AddPasskeyHandler(OwnFactorsHandler, PasskeyHandler):
    """`POST /admin/me/factors/passkeys`: keeps the passkey that a browser has made."""

    requires = Role.VIEWER

    async def post(self) -> None:
        """Keep it."""
        if self.refuse_stale():
            return
        me = self.session
        name = parse_text(self.get_body_argument("name", ""), _LONGEST_NAME)
        challenge = await self.answered_challenge(_purpose(me.operator_id))
        ceremonies = await self.run(self.ceremonies)
        entry = self.audit_entry(AuditAction.FACTOR_ADD, factor="passkey")
        try:
            passkey = ceremonies.made(self.response(), challenge, name or self._browser_name)
            now = self.services.clock.now()
            await self.run(self.services.factors.passkeys.add, me.operator_id, passkey, now, entry)
        except (PasskeyRefused, InvalidRecord) as refusal:
            logger.info("[%s] adding a passkey: %s", self.request_id, refusal)
            self.redirect_with_notice(FACTORS_PAGE, Notice.PASSKEY_NOT_ADDED)
            return
        await self.finish_set_up()

    @property
    def _browser_name(self) -> str:
        """What a passkey is called that got no name."""
        return describe_browser(self.user_agent, self.locale.translate) or self.locale.translate(N_("Passkey"))


class RemovePasskeyHandler(OwnFactorsHandler):
    """`POST /admin/me/factors/passkeys/remove`: takes a passkey away."""

    requires = Role.VIEWER

    async def post(self) -> None:
        """Take it away."""
        if self.refuse_stale():
            return
        passkey_id = parse_row_id(self.get_body_argument("id", ""))
        await self.remove(self.services.factors.passkeys.remove, passkey_id or 0, factor="passkey")


def _purpose(operator_id: int) -> str:
    return f"make for {operator_id}"


routes: list[AdminRoute] = [
    (r"/admin/me/factors/passkeys/begin", BeginPasskeyHandler),
    (r"/admin/me/factors/passkeys", AddPasskeyHandler),
    (r"/admin/me/factors/passkeys/remove", RemovePasskeyHandler),
]
