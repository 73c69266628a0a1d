"""`OwnFactorsHandler`: what the handlers share by which operators change their own second factors."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from admin.web.errors import PageError
from admin.web.handler import AdminHandler
from admin.web.i18n import N_
from admin.web.navigation import FACTORS_PAGE
from admin.web.notices import Notice
from storage.base.clock import was_set_back
from storage.sql.accounts.audit import AuditAction
from storage.sql.accounts.operators import Role
from storage.sql.accounts.provider_operators import is_provider_name

__all__ = ["OwnFactorsHandler"]

#: How long after signing in. A session that somebody has got hold of later changes nothing of how its owner signs in.
_FRESH_SECONDS = 15 * 60


class OwnFactorsHandler(AdminHandler):
    """A page, or a change, of how one signs in oneself."""

    requires = Role.VIEWER
    serves_set_up = True

    async def prepare(self) -> None:
        """Refuse operators of a provider, who have their second factor there."""
        await super().prepare()
        if not self._finished and is_provider_name(self.session.operator):
            raise PageError(HTTPStatus.FORBIDDEN, N_("Your second factor is the identity provider's to ask for."))

    @property
    def is_fresh(self) -> bool:
        """Whether the operator has signed in a short while ago."""
        now = self.services.clock.now()
        return self.session.began_at > now - _FRESH_SECONDS and not was_set_back(self.session.began_at, now)

    def refuse_stale(self) -> bool:
        """Send the browser back if signing in was too long ago, and return True."""
        if self.is_fresh:
            return False
        self.redirect_with_notice(FACTORS_PAGE, Notice.FACTOR_NEEDS_FRESH_SIGN_IN)
        return True

    async def finish_set_up(self) -> None:
        """Let the operator's sessions do everything, and show recovery codes where there are none yet."""
        me, services = self.session, self.services
        await self.run(services.sessions.note_factor, me.operator_id)
        if await self.run(services.factors.recovery_codes.count, me.operator_id):
            self.redirect_with_notice(FACTORS_PAGE, Notice.FACTOR_ADDED)
            return
        await self.show_new_codes()

    async def show_new_codes(self) -> None:
        """Make recovery codes and show them: the only time that anybody sees them."""
        entry = self.audit_entry(AuditAction.RECOVERY_CODES)
        codes = await self.run(self.services.factors.recovery_codes.renew, self.session.operator_id, entry)
        self.render("operators/recovery_codes.html", codes=codes, back=FACTORS_PAGE)

    async def remove(self, work: Callable[..., bool], *what: Any, factor: str) -> None:
        """Take a factor away, unless it is the last one and one is required."""
        me = self.session
        has = await self.run(self.services.factors.of, me.operator_id)
        if self.services.ways.requires_factor and has.count <= 1:
            self.redirect_with_notice(FACTORS_PAGE, Notice.FACTOR_IS_LAST)
            return
        entry = self.audit_entry(AuditAction.FACTOR_REMOVE, factor=factor)
        is_removed = await self.run(work, me.operator_id, *what, entry=entry)
        self.redirect_with_notice(FACTORS_PAGE, Notice.FACTOR_REMOVED if is_removed else Notice.FACTOR_NOT_THERE)
